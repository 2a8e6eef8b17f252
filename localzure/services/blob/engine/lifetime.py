"""How long a blob stays, and as what: tiers and rehydration, expiry, immutability policy and legal hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from localzure.services.blob.engine import blobs, conditions, containers, copies, due, leases
from localzure.services.blob.engine.tiers import PREMIUM_TIERS
from localzure.services.blob.errors import BlobError
from localzure.services.blob.model import OnBlob  # noqa: TC001 - msgspec reads the annotations
from localzure.services.interface import Instant

if TYPE_CHECKING:
    from localzure.services.blob.engine.state import Engine, Moment
    from localzure.services.blob.model import BlobRecord
    from localzure_storage.store import Writer


class SetTier(Struct):
    """Set Blob Tier."""

    target: OnBlob
    tier: str
    is_premium: bool
    """One of the tiers of page blobs."""
    priority: str


class SetExpiry(Struct):
    """Set Blob Expiry."""

    target: OnBlob
    at: Instant | None = None
    """None for never, and where it counts from something."""
    after: int | None = None
    """Microseconds from `is_from_creation` on, else from now."""
    is_from_creation: bool = False


class SetImmutability(Struct):
    """Set and Delete Immutability Policy: None deletes it."""

    target: OnBlob
    until: Instant | None
    mode: str | None


class SetLegalHold(Struct):
    """Set Legal Hold."""

    target: OnBlob
    holds: bool


def set_tier(engine: Engine, writer: Writer, command: SetTier, moment: Moment) -> BlobRecord:
    """Set Blob Tier. It changes neither the entity tag nor the time of the blob."""
    target = command.target
    key, record = blobs.find(engine, writer, target, moment.now)
    leases.check_read(record.lease, target.lease_id, moment.now, "Blob")
    conditions.check_write(target.conditions, record)
    if record.kind == "AppendBlob" or (record.kind == "PageBlob") != command.is_premium:
        raise BlobError("InvalidBlobType")
    if command.is_premium and record.length > PREMIUM_TIERS[command.tier]:
        raise BlobError("BlobTierInadequateForContentLength")
    if record.rehydration is not None and command.tier != record.rehydration.tier:
        raise BlobError("BlobBeingRehydrated")
    if record.tier == "Archive" and command.tier != "Archive":
        record.rehydration = copies.rehydration(command.tier, command.priority, moment)
    else:
        record.tier, record.tier_changed = command.tier, moment.now
    blobs.save(writer, key, record)
    return record


def set_expiry(engine: Engine, writer: Writer, command: SetExpiry, moment: Moment) -> BlobRecord:
    """Set Blob Expiry: from then on the blob is not there."""
    key, record = blobs.find(engine, writer, command.target, moment.now)
    leases.check_write(record.lease, command.target.lease_id, moment.now, "Blob")
    if record.expires is not None:
        due.forget(engine, writer, record.expires, key)
    if command.after is None:
        record.expires = command.at
    else:
        record.expires = Instant((record.created if command.is_from_creation else moment.now) + command.after)
    if record.expires is not None:
        due.remember(engine, writer, record.expires, key)
    return blobs.save_changed(writer, key, record, moment)


def set_immutability(engine: Engine, writer: Writer, command: SetImmutability, moment: Moment) -> BlobRecord:
    """Set and Delete Immutability Policy: one that is locked can only be made longer."""
    _check_feature(engine, command.target)
    key, record = blobs.find(engine, writer, command.target, moment.now)
    conditions.check_write(command.target.conditions, record)
    if record.immutability_mode == "Locked":
        is_longer = command.until is not None and command.until >= (record.immutable_until or 0)
        if not is_longer or command.mode != "Locked":
            raise BlobError("BlobImmutableDueToPolicy")
    if command.until is not None and command.until <= moment.now:
        raise BlobError("InvalidHeaderValue", HeaderName="x-ms-immutability-policy-until-date")
    record.immutable_until, record.immutability_mode = command.until, command.mode
    containers.note_immutable(engine, writer, command.target, record)
    if record.expires is not None:  # it does so once nothing keeps it any more
        due.remember(engine, writer, Instant(max(record.expires, record.immutable_until or 0)), key)
    blobs.save(writer, key, record)
    return record


def set_legal_hold(engine: Engine, writer: Writer, command: SetLegalHold, moment: Moment) -> BlobRecord:
    """Set Legal Hold."""
    _check_feature(engine, command.target)
    key, record = blobs.find(engine, writer, command.target, moment.now)
    record.legal_hold = command.holds
    containers.note_immutable(engine, writer, command.target, record)
    if record.expires is not None:  # it does so once nothing keeps it any more
        due.remember(engine, writer, Instant(max(record.expires, record.immutable_until or 0)), key)
    blobs.save(writer, key, record)
    return record


def _check_feature(engine: Engine, target: OnBlob) -> None:
    """Raise BlobError where the account's blobs cannot be made immutable."""
    if not engine.features_of(target.account).has_immutable_storage:
        raise BlobError("InvalidOperation")
