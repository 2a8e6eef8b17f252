"""The properties of the service in an account: logging, metrics, CORS."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from localzure.services.storage_rest.service_properties import ServiceProperties

if TYPE_CHECKING:
    from localzure.services.table.engine.state import Engine, Moment
    from localzure.services.table.model import OnService, SetProperties
    from localzure_storage.store import Reader, Writer

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(ServiceProperties).decode


def find(engine: Engine, reader: Reader, account: str) -> ServiceProperties:
    """Return an account's properties, those of a new account where none were set."""
    value = reader.get(engine.keys.service_properties(account))
    return ServiceProperties() if value is None else _decode(value)


def get(engine: Engine, reader: Reader, command: OnService) -> ServiceProperties:
    """Return an account's properties."""
    return find(engine, reader, command.account)


def change(engine: Engine, writer: Writer, command: SetProperties, _moment: Moment) -> None:
    """Change the sections that the command changes; the others stay as they are."""
    properties = find(engine, writer, command.account)
    command.change(properties)
    writer.put(engine.keys.service_properties(command.account), _encode(properties))
