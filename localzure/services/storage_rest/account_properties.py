"""The properties of a service, one set per account: its CORS rules are obeyed, the others kept and given back."""

from __future__ import annotations

from collections.abc import Callable  # noqa: TC003 - msgspec reads the annotations
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from msgspec import Struct

from localzure.services.storage_rest.service_properties import ServiceProperties

if TYPE_CHECKING:
    from localzure_storage.store import Reader, Writer

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(ServiceProperties).decode


class OnService(Struct):
    """An operation that needs no more than its account."""

    account: str


class SetProperties(Struct):
    """Set Queue Service Properties, or Set Table Service Properties."""

    account: str
    change: Callable[[ServiceProperties], None]
    """Changes the sections that the request gives; the others stay as they are."""


class Keys(Protocol):
    """The key space of a service."""

    def service_properties(self, account: str) -> bytes:
        """The key of an account's properties of this service."""
        ...


class Engine(Protocol):
    """What the decisions of a service share."""

    @property
    def keys(self) -> Keys:
        """Where its content is."""
        ...


def find(engine: Engine, reader: Reader, account: str) -> ServiceProperties:
    """Return an account's properties, those of a new account where none were set."""
    value = reader.get(engine.keys.service_properties(account))
    return ServiceProperties() if value is None else _decode(value)


def get(engine: Engine, reader: Reader, command: OnService, _moment: Any) -> ServiceProperties:
    """Return an account's properties."""
    return find(engine, reader, command.account)


def change(engine: Engine, writer: Writer, command: SetProperties, _moment: Any) -> None:
    """Change what the command changes. Raises what `command.change` raises; nothing is changed then."""
    properties = find(engine, writer, command.account)
    command.change(properties)
    writer.put(engine.keys.service_properties(command.account), _encode(properties))
