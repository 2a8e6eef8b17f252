"""What an operation needs of a shared access signature, and whether one gives it.

Each service makes the `Needs` of its operations from the rows of its operations table, once. Stored access policies
are looked up by the service too: it alone knows where they are kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from localzure.auth.principal import AuthenticationError
from localzure.auth.sas import not_in_time
from localzure.services.interface import Instant

if TYPE_CHECKING:
    from collections.abc import Callable

    from localzure.auth.sas_token import SasToken

Alternatives = tuple[frozenset[str], ...]
"""Sets of permissions of which one is enough; empty where nothing is, and one empty set where anything is."""

ANYTHING: Alternatives = (frozenset(),)


@dataclass(frozen=True, slots=True)
class Needs:
    """What one operation needs."""

    resource_type: str
    """The type among `srt` that a signature of the account must have: `s`, `c` or `o`; empty for any."""
    account: Alternatives
    """The permissions of a signature of the account."""
    service: Alternatives
    """The permissions of a signature of one resource, or with a user delegation key."""


class StoredPolicy(NamedTuple):
    """A stored access policy, as far as it says anything."""

    start: Instant | None
    expiry: Instant | None
    permission: str | None


class PolicyLike(Protocol):
    """The record of a stored access policy; its times count 100 nanoseconds since the year 1."""

    @property
    def id(self) -> str:
        """Its name."""
        ...

    @property
    def start(self) -> int | None:
        """From when it holds."""
        ...

    @property
    def expiry(self) -> int | None:
        """Until when it holds."""
        ...

    @property
    def permission(self) -> str | None:
        """What it allows."""
        ...


def any_of(letters: str) -> Alternatives:
    """Any one of these permissions is enough."""
    return tuple(frozenset(letter) for letter in letters)


def all_of(letters: str) -> Alternatives:
    """All of these permissions are needed."""
    return (frozenset(letters),)


def authorise(
    token: SasToken, needs: Needs, now: Instant, find_policy: Callable[[str], StoredPolicy | None]
) -> frozenset[str]:
    """Return the permissions that hold for a request, once they are found to be enough for what it does.

    `find_policy` returns the stored access policy of the signature's resource by its name. Raises
    AuthenticationError.
    """
    if token.kind == "account":
        if needs.resource_type and needs.resource_type not in token.get("srt"):
            raise AuthenticationError("AuthorizationResourceTypeMismatch")
        permissions, wanted = token.permissions, needs.account
    else:
        identifier = token.get("si") if token.kind == "service" else ""
        permissions = _by_policy(token, identifier, now, find_policy) if identifier else token.permissions
        wanted = needs.service
    if not wanted:
        raise AuthenticationError("AuthorizationFailure")
    if not any(one <= permissions for one in wanted):
        raise AuthenticationError("AuthorizationPermissionMismatch")
    return permissions


def _by_policy(
    token: SasToken, identifier: str, now: Instant, find_policy: Callable[[str], StoredPolicy | None]
) -> frozenset[str]:
    """Put a policy and the signature that names it together: each field must come from one of the two alone."""
    policy = find_policy(identifier)
    if policy is None:
        raise AuthenticationError("AuthenticationFailed", detail=f"The access policy {identifier} does not exist.")
    pairs = ((token.start, policy.start), (token.expiry, policy.expiry), (token.get("sp") or None, policy.permission))
    if any(own is not None and stored is not None for own, stored in pairs):
        raise AuthenticationError(
            "AuthenticationFailed",
            detail="Access policy fields can be associated with signature or SAS identifier but not both.",
        )
    if token.expiry is None and policy.expiry is None:
        raise AuthenticationError("AuthenticationFailed", detail="se is mandatory. Cannot be empty")
    if (policy.start is not None and now < policy.start) or (policy.expiry is not None and now >= policy.expiry):
        raise not_in_time(policy.start, policy.expiry, now)
    return token.permissions if policy.permission is None else frozenset(policy.permission)


def stored_policy(policy: PolicyLike) -> StoredPolicy:
    """Read a policy's record."""
    return StoredPolicy(_instant(policy.start), _instant(policy.expiry), policy.permission)


def _instant(ticks: int | None) -> Instant | None:
    return None if ticks is None else Instant(ticks // 10 - _EPOCH_MICROSECONDS)


_EPOCH_MICROSECONDS = 62_135_596_800_000_000
"""From the year 1 to 1970."""
