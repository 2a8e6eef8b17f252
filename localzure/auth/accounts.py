"""Storage accounts and their keys, prepared for signing, and what was proved with them so far."""

from __future__ import annotations

import hmac
import re
from binascii import b2a_base64
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping

    from localzure.auth.tokens import TokenVerifier
    from localzure.rbac.assignments import RoleAssignments

PROVED_MAX = 4096
"""Signatures that are remembered as good; with one more all are forgotten, and proved again when they are used."""


MADE_MAX = 100_000
"""Accounts that there may be before no more are made on first use: each takes a KiB of memory."""

_NAME = re.compile(r"[a-z0-9]{3,24}", re.ASCII)
"""The names of storage accounts ("Storage account overview")."""


class SigningKey:
    """One account key, with the part of HMAC-SHA256 that depends on the key alone already done."""

    __slots__ = ("_prepared",)

    def __init__(self, key: bytes) -> None:
        """`key` is the key itself, decoded from base64."""
        self._prepared = hmac.new(key, digestmod="sha256")

    def __repr__(self) -> str:
        return "SigningKey(...)"

    def digest(self, text: bytes) -> bytes:
        """Return the HMAC of `text`."""
        signing = self._prepared.copy()
        signing.update(text)
        return signing.digest()

    def sign(self, text: bytes) -> str:
        """Return the signature of `text`, in base64."""
        return b2a_base64(self.digest(text), newline=False).decode("ascii")


class Accounts(dict[str, tuple[SigningKey, ...]]):
    """The accounts that exist, by name, with the one or two keys of each.

    One object is shared by all storage services, so that keys can change while they serve.
    """

    def __init__(self, accounts: Mapping[str, Iterable[bytes]], tokens: TokenVerifier | None = None) -> None:
        """`accounts` has the decoded keys by name; `tokens` checks bearer tokens, None where none are issued."""
        super().__init__({name: tuple(SigningKey(key) for key in keys) for name, keys in accounts.items()})
        self.tokens = tokens
        self.roles: RoleAssignments | None = None
        """What identities may do; None where they may do everything."""
        self.first_use_keys: tuple[bytes, ...] = ()
        """The keys of accounts that are made on first use; without any, none is made."""
        self._proved: set[Hashable] = set()

    def __repr__(self) -> str:
        return f"Accounts({', '.join(self)})"

    def replace(self, accounts: Mapping[str, Iterable[bytes]]) -> None:
        """Let these accounts be all there are, from the next request on."""
        renewed = Accounts(accounts)
        self._proved.clear()
        self.clear()
        self.update(renewed)

    def use(self, name: str) -> None:
        """Make the account `name`, if there is none, where accounts are made on first use and it is a name of one."""
        if self.first_use_keys and name not in self and _NAME.fullmatch(name) and len(self) < MADE_MAX:
            self[name] = tuple(SigningKey(key) for key in self.first_use_keys)

    def is_proved(self, proof: Hashable) -> bool:
        """Whether `proof` was found good with the keys that hold now."""
        return proof in self._proved

    def prove(self, proof: Hashable) -> None:
        """Remember that `proof` was found good."""
        if len(self._proved) >= PROVED_MAX:
            self._proved.clear()
        self._proved.add(proof)


def prepare_accounts(accounts: Accounts | Mapping[str, Iterable[bytes]]) -> Accounts:
    """Prepare the keys of all accounts, name → the decoded keys. What is prepared already stays shared."""
    return accounts if isinstance(accounts, Accounts) else Accounts(accounts)
