"""Device codes: a device asks for a code, a person approves it elsewhere, and the device's polling gets its tokens.

"Microsoft identity platform and the OAuth 2.0 device authorization grant flow" (RFC 8628). Codes are kept until they
are used or over; asking for another sweeps those that are over.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING

import msgspec

from localzure.services.entra.errors import EntraError
from localzure.services.entra.model import DeviceRecord
from localzure.services.interface import SECOND

if TYPE_CHECKING:
    from localzure.services.entra.keys import EntraKeys
    from localzure.services.interface import Entropy, Instant, Transactions
    from localzure_storage.store import Reader

CODE_SECONDS = 900
"""How long a code can be approved and used."""

CODES_MAX = 1000
"""Codes that are kept; the first in the store gives way to another."""

_ALPHABET = "BCDFGHJKLMNPQRSTVWXYZ2345679"
"""What user codes are made of: nothing that reads like something else, and no words."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(DeviceRecord).decode


class Devices:
    """The device codes that wait."""

    def __init__(self, keys: EntraKeys, transactions: Transactions, entropy: Entropy, *, is_automatic: bool) -> None:
        """`is_automatic`: codes are approved when they are asked for."""
        self._space = keys.devices
        self._transactions = transactions
        self._entropy = entropy
        self._is_automatic = is_automatic

    def ask(self, tenant: str, client: str, scope: str, now: Instant) -> DeviceRecord:
        """Make a code."""
        code = urlsafe_b64encode(self._entropy.bytes(48)).decode("ascii")
        user_code = "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in self._entropy.bytes(9))
        expires = now + CODE_SECONDS * SECOND
        record = DeviceRecord(code, user_code, tenant, client, scope, expires, self._is_automatic)
        with self._transactions.writer() as writer:
            waiting = list(self._records(writer))
            over = [old for old in waiting if old.expires <= now]
            surplus = len(waiting) - len(over) - (CODES_MAX - 1)
            kept = [old for old in waiting if old.expires > now]
            for old in over + kept[: max(0, surplus)]:
                writer.delete(self._space.pack(old.code))
            writer.put(self._space.pack(code), _encode(record))
        return record

    def approve(self, user_code: str, now: Instant) -> bool:
        """Approve the code that a person entered; False where there is none."""
        with self._transactions.writer() as writer:
            for record in self._records(writer):
                if record.user_code == user_code.strip().upper() and record.expires > now:
                    record.is_approved = True
                    writer.put(self._space.pack(record.code), _encode(record))
                    return True
        return False

    def use(self, code: str, client: str, now: Instant) -> DeviceRecord:
        """Take an approved code, which is used up by it. Raises EntraError."""
        if not code or len(code) > 256:
            raise EntraError("bad_verification_code")
        key = self._space.pack(code)
        with self._transactions.writer() as writer:
            value = writer.get(key)
            record = None if value is None else _decode(value)
            if record is None or record.client != client or record.expires <= now:
                raise EntraError("bad_verification_code")
            if not record.is_approved:
                raise EntraError("authorization_pending")
            writer.delete(key)
        return record

    def _records(self, reader: Reader) -> list[DeviceRecord]:
        return [_decode(value) for _, value in reader.scan(*self._space.range())]
