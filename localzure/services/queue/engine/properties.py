"""The properties of the service, one set per account: its CORS rules are obeyed, the others kept and given back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from localzure.services.storage_rest.service_properties import ServiceProperties

if TYPE_CHECKING:
    from localzure.services.queue.engine.state import Engine, Moment
    from localzure.services.queue.model import OnService, SetProperties
    from localzure_storage.store import Reader, Writer

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(ServiceProperties).decode


def find(engine: Engine, reader: Reader, account: str) -> ServiceProperties:
    """Return an account's properties, or the defaults where none were set."""
    value = reader.get(engine.keys.service_properties(account))
    return ServiceProperties() if value is None else _decode(value)


def get(engine: Engine, reader: Reader, command: OnService, _moment: Moment) -> ServiceProperties:
    """Return an account's properties."""
    return find(engine, reader, command.account)


def change(engine: Engine, writer: Writer, command: SetProperties, _moment: Moment) -> None:
    """Change what the command changes. Raises what `command.change` raises; nothing is changed then."""
    properties = find(engine, writer, command.account)
    command.change(properties)
    writer.put(engine.keys.service_properties(command.account), _encode(properties))
