"""What is kept of an account's Blob service, and what Azure sets for an account outside of this API."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct, field

from localzure.services.storage_rest.service_properties import RetentionPolicy, ServiceProperties

if TYPE_CHECKING:
    from localzure.services.blob.engine.state import Engine
    from localzure_storage.store import Reader, Writer


class StaticWebsite(Struct, array_like=True):
    """Whether and how `$web` is served as a site."""

    enabled: bool = False
    index_document: str | None = None
    error_document: str | None = None
    default_index_path: str | None = None


class AccountRecord(Struct, array_like=True):
    """The properties of an account's Blob service."""

    properties: ServiceProperties = field(default_factory=ServiceProperties)
    default_version: str | None = None
    delete_retention: RetentionPolicy | None = None
    """None where it is as the account's features say."""
    allows_permanent_delete: bool = False
    website: StaticWebsite = field(default_factory=StaticWebsite)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(AccountRecord).decode


def load(engine: Engine, reader: Reader, account: str) -> AccountRecord:
    """Return the properties of an account's service; the defaults where none were set."""
    value = reader.get(engine.keys.accounts.pack(account))
    return AccountRecord() if value is None else _decode(value)


def delete_retention(engine: Engine, account: str, record: AccountRecord) -> RetentionPolicy:
    """Return how long deleted blobs of an account can come back."""
    if record.delete_retention is not None:
        return record.delete_retention
    days = engine.features_of(account).blob_retention_days
    return RetentionPolicy(enabled=True, days=days) if days else RetentionPolicy()


def default_version(engine: Engine, account: str, record: AccountRecord) -> str | None:
    """Return the version of requests that name none; None is the latest."""
    return record.default_version or engine.features_of(account).default_version


def save(engine: Engine, writer: Writer, account: str, record: AccountRecord) -> None:
    """Keep the properties of an account's service."""
    writer.put(engine.keys.accounts.pack(account), _encode(record))
