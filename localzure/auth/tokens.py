"""Bearer tokens: reading JSON Web Tokens, and checking them against the keys of the authority.

At `any` a token must be well-formed and no more (`read_claims`). At `verify` it must be signed by a key that the
authority publishes, name one of its issuers, be for the service that it is shown to, and be within its time. The
signature of a token is checked once: tokens that were found good are remembered, and their time is looked at with each
request.

PyJWT and cryptography are imported when the first signature is to be checked: they take longer to import than the
server takes to start, and most servers never see a token.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from localzure.services.interface import SECOND, Instant

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey


TOKENS_MAX = 1024
"""Tokens that are remembered as good; with one more all are forgotten, and checked again when they are used."""

TOKEN_CHARS_MAX = 16 * 1024
"""Longest token. Those of Entra ID have two to four thousand characters."""

SKEW = 5 * 60 * SECOND
"""How far the times of a token may be from the server's, as in Microsoft's own libraries."""

STORAGE_AUDIENCES = frozenset({"https://storage.azure.com", "e406a681-f3d4-42a8-90b6-c2b029497af1"})
"""What tokens for all of storage are for."""

SERVICE_BUS_AUDIENCES = frozenset(
    {"https://servicebus.azure.net", "https://eventhubs.azure.net", "80a10ef9-8168-493d-abf9-3297c4ef6e3c"}
)
"""What tokens for Service Bus are for."""

_ISSUER = re.compile(
    r"https://(?:sts\.windows\.net/(?P<first>[^/]+)/|login\.microsoftonline\.com/(?P<second>[^/]+)/v2\.0)", re.ASCII
)


class TokenError(Exception):
    """A token that does not hold; the text says why, and holds nothing of the token."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says of who shows it."""

    oid: str
    """The object id of the user or service principal."""
    tid: str
    """The tenant."""
    audience: str
    """Without a slash at its end."""
    issuer: str
    not_before: Instant | None
    expires_at: Instant | None
    raw: Mapping[str, Any] = field(repr=False)
    """Every claim."""


class KeySource(Protocol):
    """Whose keys sign tokens."""

    def public_key(self, key_id: str) -> RSAPublicKey | None:
        """A published key by its id."""
        ...


class TokenVerifier:
    """Checks tokens for all services."""

    def __init__(self, keys: KeySource, trusted_secrets: Sequence[bytes] = ()) -> None:
        """`trusted_secrets` are those with which tests sign tokens of their own (HS256), by any issuer."""
        self._keys = keys
        self._trusted_secrets = tuple(trusted_secrets)
        self._good: dict[str, tuple[str, Claims]] = {}

    def __repr__(self) -> str:
        return "TokenVerifier(...)"

    def verify(self, token: str, now: Instant) -> Claims:
        """Return what a token says, once it holds at wall time `now`, whatever it is for. Raises TokenError."""
        found = self._good.get(token)
        if found is None:
            found = self._check(token)
            if len(self._good) >= TOKENS_MAX:
                self._good.clear()
            self._good[token] = found
        key_id, claims = found
        if key_id and self._keys.public_key(key_id) is None:
            raise TokenError("Signature validation failed. Signature key not found.")
        if claims.expires_at is None or claims.expires_at + SKEW <= now:
            raise TokenError("Lifetime validation failed. The token is expired.")
        if claims.not_before is not None and claims.not_before - SKEW > now:
            raise TokenError("Lifetime validation failed. The token is not yet valid.")
        return claims

    def _check(self, token: str) -> tuple[str, Claims]:
        """Return (the id of the key that signed a token, empty for a trusted secret; what the token says)."""
        claims = read_claims(token)
        header = _decode_part(token.partition(".")[0])
        if header.get("alg") == "HS256" and self._is_trusted(token):
            return "", claims
        key_id = header.get("kid")
        if header.get("alg") != "RS256" or not isinstance(key_id, str):
            raise TokenError("Signature validation failed. The token is not signed with RS256 by a key with an id.")
        key = self._keys.public_key(key_id)
        if key is None:
            raise TokenError("Signature validation failed. Signature key not found.")
        import jwt  # late: see the module's docstring

        try:
            jwt.api_jws.decode(token, key, algorithms=["RS256"])
        except jwt.exceptions.PyJWTError:
            raise TokenError("Signature validation failed. Signature verification failed.") from None
        match = _ISSUER.fullmatch(claims.issuer)
        if match is None or (match["first"] or match["second"]) != claims.tid:
            raise TokenError("Issuer validation failed. Issuer did not match.")
        return key_id, claims

    def _is_trusted(self, token: str) -> bool:
        signed, _, signature = token.rpartition(".")
        shown = _unpadded(signature)
        made = [hmac.digest(secret, signed.encode(), "sha256") for secret in self._trusted_secrets]
        return any(hmac.compare_digest(one, shown) for one in made)


def _unpadded(part: str) -> bytes:
    """Decode base64url; an empty result for what is none."""
    try:
        return base64.b64decode(part + "=" * (-len(part) % 4), altchars="-_", validate=True)
    except (ValueError, binascii.Error):
        return b""


def read_claims(token: str) -> Claims:
    """Read a token without believing it. Raises TokenError for what is none."""
    parts = token.split(".")
    if len(token) > TOKEN_CHARS_MAX or len(parts) != 3:
        raise TokenError("The token is not a JSON Web Token.")
    _decode_part(parts[0])
    raw = _decode_part(parts[1])
    audience = raw.get("aud", "")
    return Claims(
        oid=_text(raw, "oid") or _text(raw, "sub"),
        tid=_text(raw, "tid"),
        audience=audience.rstrip("/").lower() if isinstance(audience, str) else "",
        issuer=_text(raw, "iss"),
        not_before=_instant(raw, "nbf"),
        expires_at=_instant(raw, "exp"),
        raw=raw,
    )


def is_for_storage(claims: Claims, account: str) -> bool:
    """Whether a token is for all of storage, or for the services of one account."""
    if claims.audience in STORAGE_AUDIENCES:
        return True
    _, slashes, host = claims.audience.partition("://")
    return bool(slashes) and host.split(".", 1)[0] == account and "." in host


def is_for_service_bus(claims: Claims) -> bool:
    """Whether a token is for Service Bus."""
    if claims.audience in SERVICE_BUS_AUDIENCES:
        return True
    return ".servicebus." in claims.audience


def _text(raw: Mapping[str, Any], name: str) -> str:
    value = raw.get(name, "")
    return value if isinstance(value, str) else ""


def _instant(raw: Mapping[str, Any], name: str) -> Instant | None:
    value = raw.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**40:
        raise TokenError("The token has a time that is none.")
    return Instant(int(value * SECOND))


def _decode_part(part: str) -> dict[str, Any]:
    try:
        decoded = msgspec.json.decode(base64.b64decode(part + "=" * (-len(part) % 4), altchars="-_", validate=True))
    except (ValueError, binascii.Error, msgspec.DecodeError):
        raise TokenError("The token is not a JSON Web Token.") from None
    if not isinstance(decoded, dict):
        raise TokenError("The token is not a JSON Web Token.")
    return decoded
