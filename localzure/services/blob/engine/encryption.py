"""Which key or scope a blob is encrypted with, and what requests must bear for it.

"Provide an encryption key on a request" and "Encryption scopes for Blob storage": a blob that was written with a
customer's key is read and written with that key only; one that was written in a scope is written in that scope only,
and read by everybody. Replacing a blob, its system properties, tags, tier and lease and deleting it need neither. A
container may have a scope of its own, for all blobs that name none, and may insist on it. Nothing is encrypted here;
of a key only its hash is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure.services.blob.engine import containers
from localzure.services.blob.errors import BlobError

if TYPE_CHECKING:
    from localzure.services.blob.engine.state import Engine
    from localzure.services.blob.model import BlobRecord, ContainerRecord, OnBlob, StagingRecord
    from localzure_storage.store import Reader

ACCOUNT_SCOPE = "$account-encryption-key"
"""The scope of containers that have none of their own."""


def scope_of(target: OnBlob, container: ContainerRecord) -> str | None:
    """Return the scope that a blob is written in, None for the account's key. Raises BlobError.

    `RequestForbiddenByContainerEncryptionPolicy`: the container insists on its own.
    """
    default = container.default_encryption_scope
    asked = target.encryption_scope
    if asked is not None and asked != default and container.deny_encryption_scope_override:
        raise BlobError("RequestForbiddenByContainerEncryptionPolicy")
    if asked is None and target.key_sha256 is None and default != ACCOUNT_SCOPE:
        return default
    return asked


def check_key(target: OnBlob, record: BlobRecord) -> None:
    """Raise BlobError where a request does not bear the key that a blob was written with."""
    _compare(record.key_sha256, target.key_sha256)


def check_change(engine: Engine, reader: Reader, target: OnBlob, record: BlobRecord) -> None:
    """Raise BlobError where a request may not add to a blob or change its metadata, for its key or its scope."""
    check_key(target, record)
    if record.encryption_scope is None and target.encryption_scope is None:
        return
    container = containers.find(engine, reader, target.account, target.container)
    _compare(record.encryption_scope, scope_of(target, container))


def check_staged(target: OnBlob, container: ContainerRecord, staging: StagingRecord) -> None:
    """Raise BlobError where a request does not go with the blocks that wait, for its key or its scope."""
    _compare(staging.key_sha256, target.key_sha256)
    _compare(staging.encryption_scope, scope_of(target, container))


def _compare(kept: str | None, given: str | None) -> None:
    if kept == given:
        return
    if given is None:
        raise BlobError("BlobUsesCustomerSpecifiedEncryption")
    if kept is None:
        raise BlobError("BlobDoesNotUseCustomerSpecifiedEncryption")
    raise BlobError("BlobCustomerSpecifiedEncryptionMismatch")
