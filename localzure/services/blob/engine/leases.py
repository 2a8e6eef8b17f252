"""Leases of containers and blobs: what each action does in each state, and whom a lease lets read or write.

The tables of "Lease Blob" and "Lease Container". A lease is kept as it was when somebody last acted on it; which state
that is at an instant, `state_of` says: nothing has to happen for a lease to expire or to be broken.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from localzure.services.blob.errors import BlobError
from localzure.services.blob.model import ENDLESS, Lease, LeaseAction
from localzure.services.interface import SECOND, Instant

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localzure.services.blob.model import LeaseCommand


class LeaseState(Enum):
    """The states, by the names of `x-ms-lease-state`."""

    AVAILABLE = "available"
    LEASED = "leased"
    EXPIRED = "expired"
    BREAKING = "breaking"
    BROKEN = "broken"


class Leased(NamedTuple):
    """What became of a lease."""

    lease: Lease | None
    seconds_left: int = 0
    """After break: how long until the lease is broken."""


_MISMATCH = "LeaseIdMismatchWithLeaseOperation"
_ABSENT = "LeaseNotPresentWithLeaseOperation"

_OTHERS: Mapping[tuple[LeaseState, LeaseAction], str] = {
    (LeaseState.LEASED, LeaseAction.ACQUIRE): "LeaseAlreadyPresent",
    (LeaseState.BREAKING, LeaseAction.ACQUIRE): "LeaseAlreadyPresent",
    (LeaseState.AVAILABLE, LeaseAction.RENEW): _MISMATCH,
    (LeaseState.LEASED, LeaseAction.RENEW): _MISMATCH,
    (LeaseState.EXPIRED, LeaseAction.RENEW): _MISMATCH,
    (LeaseState.BREAKING, LeaseAction.RENEW): _MISMATCH,
    (LeaseState.BROKEN, LeaseAction.RENEW): _MISMATCH,
    (LeaseState.AVAILABLE, LeaseAction.CHANGE): _ABSENT,
    (LeaseState.LEASED, LeaseAction.CHANGE): _MISMATCH,
    (LeaseState.EXPIRED, LeaseAction.CHANGE): _ABSENT,
    (LeaseState.BREAKING, LeaseAction.CHANGE): _MISMATCH,
    (LeaseState.BROKEN, LeaseAction.CHANGE): _ABSENT,
    (LeaseState.AVAILABLE, LeaseAction.RELEASE): _MISMATCH,
    (LeaseState.LEASED, LeaseAction.RELEASE): _MISMATCH,
    (LeaseState.EXPIRED, LeaseAction.RELEASE): _MISMATCH,
    (LeaseState.BREAKING, LeaseAction.RELEASE): _MISMATCH,
    (LeaseState.BROKEN, LeaseAction.RELEASE): _MISMATCH,
    (LeaseState.AVAILABLE, LeaseAction.BREAK): _ABSENT,
}
"""(State, action) with another id than the lease's → the code that refuses; what is not here is done."""

_HOLDERS: Mapping[tuple[LeaseState, LeaseAction], str] = {
    (LeaseState.BREAKING, LeaseAction.ACQUIRE): "LeaseIsBreakingAndCannotBeAcquired",
    (LeaseState.BREAKING, LeaseAction.RENEW): "LeaseIsBrokenAndCannotBeRenewed",
    (LeaseState.BROKEN, LeaseAction.RENEW): "LeaseIsBrokenAndCannotBeRenewed",
    (LeaseState.EXPIRED, LeaseAction.CHANGE): _ABSENT,
    (LeaseState.BREAKING, LeaseAction.CHANGE): "LeaseIsBreakingAndCannotBeChanged",
    (LeaseState.BROKEN, LeaseAction.CHANGE): _ABSENT,
}
"""(State, action) with the id of the lease → the code that refuses; what is not here is done."""


def state_of(lease: Lease | None, now: Instant) -> LeaseState:
    """Return the state of a lease at an instant."""
    if lease is None:
        return LeaseState.AVAILABLE
    has_ended = lease.ends is not None and lease.ends <= now
    if lease.is_breaking:
        return LeaseState.BROKEN if has_ended else LeaseState.BREAKING
    return LeaseState.EXPIRED if has_ended else LeaseState.LEASED


def act(lease: Lease | None, command: LeaseCommand, now: Instant) -> Leased:
    """Return the lease after an action. Raises BlobError where the state or the id refuses it."""
    state = state_of(lease, now)
    is_holder = lease is not None and command.lease_id == lease.id
    if not is_holder and command.action is LeaseAction.CHANGE and lease is not None:
        is_holder = command.proposed_id == lease.id  # a change that is sent again
    refusal = (_HOLDERS if is_holder else _OTHERS).get((state, command.action))
    if refusal is not None:
        raise BlobError(refusal)
    if command.action is LeaseAction.ACQUIRE:
        return Leased(Lease(command.lease_id, command.duration, _end(command.duration, now)))
    if command.action is LeaseAction.RELEASE:
        return Leased(None)
    assert lease is not None, "the table refuses everything else without a lease"
    if command.action is LeaseAction.RENEW:
        return Leased(Lease(lease.id, lease.duration, _end(lease.duration, now)))
    if command.action is LeaseAction.CHANGE:
        return Leased(Lease(command.proposed_id, lease.duration, lease.ends))
    return _break(lease, state, command.break_period, now)


def _end(duration: int, now: Instant) -> Instant | None:
    return None if duration == ENDLESS else Instant(now + duration * SECOND)


def _break(lease: Lease, state: LeaseState, period: int | None, now: Instant) -> Leased:
    """Break a lease: after the period asked for, but no later than it would have ended."""
    left = 0
    if state in {LeaseState.LEASED, LeaseState.BREAKING}:
        if lease.ends is None:
            left = (period or 0) * SECOND
        else:
            left = lease.ends - now if period is None else min(period * SECOND, lease.ends - now)
    broken = Lease(lease.id, lease.duration, Instant(now + left), is_breaking=True)
    return Leased(broken, -(-left // SECOND))


def check_read(lease: Lease | None, lease_id: str | None, now: Instant, resource: str) -> None:
    """Raise BlobError where a request names a lease that is not the one; `resource` is `Blob` or `Container`."""
    if lease_id is None:
        return
    state = state_of(lease, now)
    if state is LeaseState.AVAILABLE:
        raise BlobError(f"LeaseNotPresentWith{resource}Operation")
    assert lease is not None
    if lease.id != lease_id:
        raise BlobError(f"LeaseIdMismatchWith{resource}Operation")
    if state in {LeaseState.EXPIRED, LeaseState.BROKEN}:
        raise BlobError("LeaseLost")


def check_write(lease: Lease | None, lease_id: str | None, now: Instant, resource: str) -> None:
    """Raise BlobError as `check_read` does, and where a lease is held and the request does not name it."""
    check_read(lease, lease_id, now, resource)
    if lease is not None and lease_id is None and state_of(lease, now) in {LeaseState.LEASED, LeaseState.BREAKING}:
        raise BlobError("LeaseIdMissing")


def held(lease: Lease | None, now: Instant) -> Lease | None:
    """Return what a write leaves of a lease: one that is over is forgotten."""
    return lease if state_of(lease, now) in {LeaseState.LEASED, LeaseState.BREAKING} else None
