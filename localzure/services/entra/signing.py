"""The keys that sign tokens: made when one is first needed, kept in the store, and replaced from time to time.

The newest key signs. Older ones stay published until everything that they signed is over, so a rotation invalidates
nothing. Keys are held in memory as they are in the store; when the commit of a new one fails, it was never there.
"""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import msgspec

from localzure.services.entra.model import SigningKeyRecord
from localzure.services.interface import SECOND

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

    from localzure.services.entra.keys import EntraKeys
    from localzure.services.entra.model import EntraSettings
    from localzure.services.interface import Instant, Transactions
    from localzure_storage.store import StorageError

KEY_BITS = 2048

KEYS_MAX = 16
"""Keys that are published; the oldest is dropped when there are more."""

_DAY = 86_400 * SECOND

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(SigningKeyRecord).decode


class KeyRing:
    """The signing keys (a `localzure.auth.tokens.KeySource`)."""

    def __init__(self, keys: EntraKeys, transactions: Transactions, settings: EntraSettings) -> None:
        self._space = keys.signing
        self._transactions = transactions
        self._settings = settings
        self._records: list[tuple[int, SigningKeyRecord]] | None = None
        self._private: dict[str, RSAPrivateKey] = {}
        self._public: dict[str, RSAPublicKey] = {}

    def public_key(self, key_id: str) -> RSAPublicKey | None:
        """Return a published key by its id."""
        found = self._public.get(key_id)
        if found is None:
            self._load()
            found = self._public.get(key_id)
        return found

    def signing_key(self, now: Instant) -> tuple[str, RSAPrivateKey]:
        """Return the id and the key that signs at wall time `now`. Raises StorageError."""
        records = self._load()
        if not records or now - records[-1][1].created >= self._settings.key_days * _DAY:
            self.rotate(now)
            records = self._load()
        key_id = records[-1][1].id
        return key_id, self._private[key_id]

    def rotate(self, now: Instant) -> str:
        """Make a new key, which signs from now on, and drop those whose tokens are over. Returns its id."""
        from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

        records = self._load()
        key = generate_private_key(public_exponent=65537, key_size=KEY_BITS)
        published = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        private = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        record = SigningKeyRecord(_base64url(hashlib.sha256(published).digest()[:20]), now, private)
        number = records[-1][0] + 1 if records else 0
        with self._transactions.writer() as writer:
            for old in self._over(records, now):
                writer.delete(self._space.pack(old))
            writer.put(self._space.pack(number), _encode(record))
        self._records = None
        self._transactions.after_commit(_nothing, self._forget)
        return record.id

    def published(self, now: Instant) -> list[dict[str, Any]]:
        """Return the keys as a JSON Web Key Set has them (RFC 7517), the newest first; makes the first one."""
        self.signing_key(now)
        return [_web_key(record.id, self._public[record.id]) for _, record in reversed(self._load())]

    def _over(self, records: list[tuple[int, SigningKeyRecord]], now: Instant) -> list[int]:
        """Return the numbers of the keys that signed nothing that still holds: each signed until the next was made."""
        longest = max(self._settings.token_seconds, self._settings.refresh_seconds) * SECOND
        over = [number for (number, _), (_, successor) in pairwise(records) if successor.created + longest < now]
        surplus = len(records) - len(over) - (KEYS_MAX - 1)
        kept = [number for number, _ in records if number not in over]
        return over + kept[: max(0, surplus)]

    def _load(self) -> list[tuple[int, SigningKeyRecord]]:
        if self._records is None:
            from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
            from cryptography.hazmat.primitives.serialization import load_der_private_key

            with self._transactions.reader() as reader:
                found = [
                    (self._space.unpack(key)[0], _decode(value)) for key, value in reader.scan(*self._space.range())
                ]
            self._private = {}
            for _, record in found:
                key = load_der_private_key(record.private, None)
                assert isinstance(key, RSAPrivateKey), "the store holds what `rotate` wrote"
                self._private[record.id] = key
            self._public = {key_id: key.public_key() for key_id, key in self._private.items()}
            self._records = [(number, record) for number, record in found if isinstance(number, int)]
        return self._records

    def _forget(self, _error: StorageError) -> None:
        self._records = None
        self._private = {}
        self._public = {}


def _web_key(key_id: str, key: RSAPublicKey) -> dict[str, Any]:
    numbers = key.public_numbers()
    return {
        "kty": "RSA",
        "use": "sig",
        "alg": "RS256",
        "kid": key_id,
        "x5t": key_id,
        "n": _base64url(numbers.n.to_bytes(KEY_BITS // 8, "big")),
        "e": _base64url(numbers.e.to_bytes(3, "big")),
    }


def _base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).decode("ascii").rstrip("=")


def _nothing() -> None:
    """What follows a commit that only its failure is asked of."""
