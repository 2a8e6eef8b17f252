"""Storage accounts and their keys, prepared for signing."""

from __future__ import annotations

import hmac
from binascii import b2a_base64
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class SigningKey:
    """One account key, with the part of HMAC-SHA256 that depends on the key alone already done."""

    __slots__ = ("_prepared",)

    def __init__(self, key: bytes) -> None:
        """`key` is the key itself, decoded from base64."""
        self._prepared = hmac.new(key, digestmod="sha256")

    def __repr__(self) -> str:
        return "SigningKey(...)"

    def sign(self, text: bytes) -> str:
        """Return the signature of `text`, in base64."""
        signing = self._prepared.copy()
        signing.update(text)
        return b2a_base64(signing.digest(), newline=False).decode("ascii")


Accounts: TypeAlias = "Mapping[str, tuple[SigningKey, ...]]"
"""The accounts that exist, by name, with the one or two keys of each."""


def prepare_accounts(accounts: Mapping[str, Iterable[bytes]]) -> dict[str, tuple[SigningKey, ...]]:
    """Prepare the keys of all accounts: name → the decoded keys."""
    return {name: tuple(SigningKey(key) for key in keys) for name, keys in accounts.items()}
