"""The keys that sign tokens: made when one is first needed, kept in the store, and replaced from time to time.

The newest key signs. Older ones stay published until everything that they signed is over, so a rotation invalidates
nothing. Keys are held in memory as they are in the store; when the commit of a new one fails, it was never there.

Making a key takes a tenth of a second, so it is done beside the loop: whoever needs the first one waits for it, and a
key whose days are over signs on until its successor is there.
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
    from collections.abc import Callable

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

    from localzure.services.entra.keys import EntraKeys
    from localzure.services.entra.model import EntraSettings
    from localzure.services.interface import Aside, Instant, Transactions

KEY_BITS = 2048

KEYS_MAX = 16
"""Keys that are published; the oldest is dropped when there are more."""

_DAY = 86_400 * SECOND

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(SigningKeyRecord).decode


class KeyRing:
    """The signing keys (a `localzure.auth.tokens.KeySource`)."""

    def __init__(self, keys: EntraKeys, transactions: Transactions, settings: EntraSettings, aside: Aside) -> None:
        self._space = keys.signing
        self._transactions = transactions
        self._settings = settings
        self._aside = aside
        self._records: list[tuple[int, SigningKeyRecord]] | None = None
        self._private: dict[str, RSAPrivateKey] = {}
        self._public: dict[str, RSAPublicKey] = {}
        self._waiting: list[Callable[[], None]] | None = None

    def reset(self) -> None:
        """Forget what is held of the store: it was emptied, or holds something else now."""
        self._records = None
        self._private = {}
        self._public = {}

    def warm_up(self) -> None:
        """Import, beside the loop, what tokens are checked with, where there may be clients that hold some."""
        with self._transactions.reader() as reader:
            has_keys = any(True for _ in reader.scan(*self._space.range(), limit=1))
        if has_keys:
            self._aside(_import, lambda _done: None)

    def public_key(self, key_id: str) -> RSAPublicKey | None:
        """Return a published key by its id."""
        found = self._public.get(key_id)
        if found is None:
            self._load()
            found = self._public.get(key_id)
        return found

    def signing_key(self) -> tuple[str, RSAPrivateKey]:
        """Return the id and the key that signs. There must be one: see `prepare`. Raises StorageError."""
        key_id = self._load()[-1][1].id
        return key_id, self._private[key_id]

    def prepare(self, now: Instant) -> bool:
        """Have a key made where there is none, or the last one's days are over at wall time `now`.

        Returns whether there is one to sign with already; where not, see `wait`.
        """
        records = self._load()
        if self._waiting is None and (not records or now - records[-1][1].created >= self._settings.key_days * _DAY):
            self.rotate(now)
        return self.has_key

    @property
    def has_key(self) -> bool:
        """There is a key that signs."""
        return bool(self._load())

    @property
    def is_making(self) -> bool:
        """A key is being made."""
        return self._waiting is not None

    def wait(self, ready: Callable[[], None]) -> None:
        """Call `ready` once the key that is being made is there, or could not be made."""
        assert self._waiting is not None, "a key is being made"
        self._waiting.append(ready)

    def rotate(self, now: Instant) -> None:
        """Have a new key made at wall time `now`, which signs once it is there; those whose tokens are over go."""
        if self._waiting is None:
            self._waiting = []
            self._aside(_make_key, lambda made: self._adopt(made, now))

    def _adopt(self, made: tuple[str, bytes] | None, now: Instant) -> None:
        """Put a new key (its id, and itself in DER) beside the others, and go on with what waited for it."""
        waiting, self._waiting = self._waiting or [], None
        try:
            if made is not None:
                self._put(SigningKeyRecord(made[0], now, made[1]), now)
        finally:
            for ready in waiting:
                ready()

    def _put(self, record: SigningKeyRecord, now: Instant) -> None:
        records = self._load()
        number = records[-1][0] + 1 if records else 0
        with self._transactions.writer() as writer:
            for old in self._over(records, now):
                writer.delete(self._space.pack(old))
            writer.put(self._space.pack(number), _encode(record))
        self.reset()
        self._transactions.after_commit(_nothing, lambda _error: self.reset())

    def published(self) -> list[dict[str, Any]]:
        """Return the keys as a JSON Web Key Set has them (RFC 7517), the newest first."""
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
                # To check the numbers again takes as long as to make them, and they are what `rotate` wrote.
                key = load_der_private_key(record.private, None, unsafe_skip_rsa_key_validation=True)
                assert isinstance(key, RSAPrivateKey), "the store holds what `rotate` wrote"
                self._private[record.id] = key
            self._public = {key_id: key.public_key() for key_id, key in self._private.items()}
            self._records = [(number, record) for number, record in found if isinstance(number, int)]
        return self._records


def _import() -> None:
    import jwt  # noqa: F401 - it brings cryptography along, which takes longer than all else that a start does


def _make_key() -> tuple[str, bytes]:
    """Return a new key: its id, and itself as PKCS8 in DER. Runs beside the loop, as do the imports of what signs."""
    import jwt  # noqa: F401 - the first token is signed as soon as this is done
    from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    key = generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    published = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    private = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return _base64url(hashlib.sha256(published).digest()[:20]), private


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
