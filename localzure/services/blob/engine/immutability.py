"""What immutability policies and legal holds keep blobs from ("Immutable storage for Azure Blob Storage").

A blob, snapshot or version under a policy that has not ended, or under a hold, is neither changed nor deleted, and its
container is not deleted. Where the account keeps versions, what replaces such a blob leaves it as a version, so it may
be replaced. Nor does it expire before that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from localzure.services.blob.errors import BlobError
from localzure.services.blob.model import BlobRecord

if TYPE_CHECKING:
    from localzure.services.blob.engine.state import Engine
    from localzure.services.blob.model import ContainerRecord, OnBlob
    from localzure.services.interface import Instant
    from localzure_storage.store import Reader

_decode = msgspec.msgpack.Decoder(BlobRecord).decode


def has_expired(record: BlobRecord, now: Instant) -> bool:
    """Whether a blob's expiry has come, and nothing keeps the blob beyond it."""
    if record.expires is None or record.expires > now or record.legal_hold:
        return False
    return record.immutable_until is None or record.immutable_until <= now


def check_mutable(record: BlobRecord, now: Instant) -> None:
    """Raise BlobError for a blob that a policy or a legal hold keeps as it is."""
    if record.legal_hold:
        raise BlobError("BlobImmutableDueToLegalHold")
    if record.immutable_until is not None and record.immutable_until > now:
        raise BlobError("BlobImmutableDueToPolicy")


def check_replaceable(engine: Engine, target: OnBlob, record: BlobRecord, now: Instant) -> None:
    """Raise BlobError for a blob that must not be replaced, in an account that keeps no versions of it."""
    if not engine.features_of(target.account).is_versioned:
        check_mutable(record, now)


def check_container(engine: Engine, reader: Reader, container: ContainerRecord, now: Instant) -> None:
    """Raise BlobError where a blob in a container must not be deleted. Looks at all blobs, where there was any such."""
    if not container.has_immutable:
        return
    for space in (engine.keys.blobs, engine.keys.past):
        for _, value in reader.scan(*space.range(container.id)):
            check_mutable(_decode(value), now)
