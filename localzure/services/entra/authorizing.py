"""Authorization codes: a person's browser is sent here, is sent back with a code, and the app gets tokens for it.

RFC 6749, section 4.1, with PKCE (RFC 7636) and the response modes of OpenID Connect; "Microsoft identity platform and
OAuth 2.0 authorization code flow". Codes are kept until they are used or over; asking for another sweeps those that are
over. There is one person, who signs in everywhere.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

import msgspec

from localzure.services.entra.errors import EntraError
from localzure.services.entra.model import CodeRecord
from localzure.services.interface import SECOND

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localzure.services.entra.keys import EntraKeys
    from localzure.services.interface import Entropy, Instant, Transactions

CODE_SECONDS = 600
"""How long a code can be used (RFC 6749, section 4.1.2, recommends this as the most)."""

CODES_MAX = 1000
"""Codes that are kept; the first in the store gives way to another."""

CHARS_MAX = 2048
"""Longest address to return to, and longest of the other parameters."""

MODES = ("query", "fragment", "form_post")
CHALLENGES = ("plain", "S256")

_REFUSED_SCHEMES = frozenset({"", "javascript", "data", "vbscript"})
"""What browsers are not sent to."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(CodeRecord).decode


class Codes:
    """The codes that wait."""

    def __init__(self, keys: EntraKeys, transactions: Transactions, entropy: Entropy) -> None:
        self._space = keys.codes
        self._transactions = transactions
        self._entropy = entropy

    def make(self, tenant: str, scope: str, query: Mapping[str, str], now: Instant) -> str:
        """Return a code for what a browser was sent with. Raises EntraError for a challenge of an unknown kind."""
        code = urlsafe_b64encode(self._entropy.bytes(48)).decode("ascii")
        challenge, method = query.get("code_challenge", ""), query.get("code_challenge_method", "plain")
        if method not in CHALLENGES or any(len(value) > CHARS_MAX for value in query.values()):
            raise EntraError("challenge_invalid")
        record = CodeRecord(
            tenant=tenant,
            client=query["client_id"],
            redirect=query["redirect_uri"],
            scope=scope,
            nonce=query.get("nonce", ""),
            challenge=challenge,
            is_hashed=method == "S256",
            expires=now + CODE_SECONDS * SECOND,
        )
        with self._transactions.writer() as writer:
            waiting = [(key, _decode(value)) for key, value in writer.scan(*self._space.range())]
            kept = [key for key, old in waiting if old.expires > now]
            over = [key for key, old in waiting if old.expires <= now]
            for key in over + kept[: max(0, len(kept) - (CODES_MAX - 1))]:
                writer.delete(key)
            writer.put(self._space.pack(code), _encode(record))
        return code

    def use(self, form: Mapping[str, str], code: str, client: str, now: Instant) -> CodeRecord:
        """Take a code, which is used up by it whether or not the rest of the request fits. Raises EntraError."""
        if len(code) > CHARS_MAX:
            raise EntraError("code_invalid")
        key = self._space.pack(code)
        with self._transactions.writer() as writer:
            value = writer.get(key)
            if value is not None:
                writer.delete(key)
        record = None if value is None else _decode(value)
        if record is None or record.client != client or record.expires <= now:
            raise EntraError("code_invalid")
        if form.get("redirect_uri", record.redirect) != record.redirect:
            raise EntraError("redirect_mismatch")
        if record.challenge and not _fits(record, form.get("code_verifier", "")):
            raise EntraError("verifier_mismatch")
        return record


def _fits(record: CodeRecord, verifier: str) -> bool:
    shown = verifier.encode()
    if record.is_hashed:
        shown = urlsafe_b64encode(hashlib.sha256(shown).digest()).rstrip(b"=")
    return hmac.compare_digest(shown, record.challenge.encode())


def check_redirect(redirect: str) -> None:
    """Raise EntraError for what is no address that a browser can be sent back to."""
    try:
        parts = urlsplit(redirect)
    except ValueError:
        raise EntraError("redirect_invalid") from None
    is_plain = redirect.isascii() and redirect.isprintable() and " " not in redirect and len(redirect) <= CHARS_MAX
    if not is_plain or parts.scheme.lower() in _REFUSED_SCHEMES or parts.fragment:
        raise EntraError("redirect_invalid")


def location(redirect: str, mode: str, told: Mapping[str, str]) -> str:
    """Return where a browser is sent with what it is told; `mode` is `query` or `fragment`."""
    mark = "#" if mode == "fragment" else "&" if "?" in redirect else "?"
    return f"{redirect}{mark}{urlencode(told)}"
