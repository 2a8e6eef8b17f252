"""Takes encoded messages apart at their section boundaries, and writes new sections (OASIS AMQP 1.0, part 3, 3.2).

A message stays the bytes that arrived: `split` finds where each section begins and ends and decodes nothing; a section
is decoded when somebody asks for it. To change a message, write the sections that change and put them in front of the
others: `b"".join((encode_header(...), encode_message_annotations(...), sections.bare()))`.

Lenient where clients are: sections may come in any order (Microsoft's Python client writes delivery annotations last),
may be empty (its JavaScript client sends empty properties), and the body may be missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import TYPE_CHECKING, Any
from uuid import UUID

from localzure_protocols.amqp.codec import (
    AmqpDecodeError,
    Symbol,
    Timestamp,
    Ubyte,
    Uint,
    Ulong,
    decode,
    encode,
    encode_pairs,
    list_item,
    map_of,
    skip,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

BATCH_FORMAT = 0x80013700
"""The message format of a transfer whose Data sections are each a whole message (Azure's own)."""

HEADER, DELIVERY_ANNOTATIONS, MESSAGE_ANNOTATIONS = 0x70, 0x71, 0x72
PROPERTIES, APPLICATION_PROPERTIES = 0x73, 0x74
DATA, SEQUENCE, VALUE = 0x75, 0x76, 0x77
FOOTER = 0x78


@dataclass(slots=True)
class Header:
    """The header section. None is what the sender left out; see part 3, 3.2.1 for what that means."""

    durable: bool | None = None
    priority: int | None = None
    ttl: int | None = None
    """Milliseconds."""
    first_acquirer: bool | None = None
    delivery_count: int | None = None


@dataclass(slots=True)
class Properties:
    """The properties section, immutable between sender and receiver (part 3, 3.2.4)."""

    message_id: Any = None
    """str, UUID, Ulong or bytes; the type matters to who correlates by it."""
    user_id: bytes | None = None
    to: str | None = None
    subject: str | None = None
    reply_to: str | None = None
    correlation_id: Any = None
    """As `message_id`."""
    content_type: str | None = None
    content_encoding: str | None = None
    absolute_expiry_time: int | None = None
    """Milliseconds since 1970."""
    creation_time: int | None = None
    """Milliseconds since 1970."""
    group_id: str | None = None
    group_sequence: int | None = None
    reply_to_group_id: str | None = None


PROPERTY_INDEX = {name: index for index, name in enumerate(Properties.__slots__)}
"""Where a property stands in the section's list, for `Sections.property`."""


_ANY_ID = (str, UUID, Ulong, bytes)

# What each field may hold, and the type that it is written as. Integers are read in any width.
_HEADER_FIELDS: tuple[tuple[type | tuple[type, ...], type | None], ...] = (
    (bool, None),
    (int, Ubyte),
    (int, Uint),
    (bool, None),
    (int, Uint),
)
_PROPERTY_FIELDS: tuple[tuple[type | tuple[type, ...], type | None], ...] = (
    (_ANY_ID, None),
    (bytes, None),
    (str, None),
    (str, None),
    (str, None),
    (_ANY_ID, None),
    (str, Symbol),
    (str, Symbol),
    (int, Timestamp),
    (int, Timestamp),
    (str, None),
    (int, Uint),
    (str, None),
)


class Sections:
    """Where the sections of one encoded message are; made by `split`, decodes on demand.

    Every method that decodes raises AmqpDecodeError: `split` has checked the boundaries only.
    """

    __slots__ = ("_bare", "body_code", "payload", "ranges")

    def __init__(
        self,
        payload: bytes,
        ranges: list[tuple[int, int, int, int]],
        body_code: int | None,
        bare: tuple[int, int] | None,
    ) -> None:
        self.payload = payload
        self.ranges = ranges
        """(section code, start, start of its value, end) of each section, as they come."""
        self.body_code = body_code
        """DATA, SEQUENCE, VALUE, or None for a message without a body."""
        self._bare = bare

    def raw(self, code: int) -> bytes:
        """The bytes of the section `code`, descriptor included; all of them joined where it repeats; b"" if absent."""
        return b"".join([self.payload[start:end] for found, start, _, end in self.ranges if found == code])

    def bare(self) -> bytes:
        """Properties, application properties, body and footer: what no intermediary may change, in standard order."""
        if self._bare is not None:
            return self.payload[self._bare[0] : self._bare[1]]
        kept = sorted((section for section in self.ranges if section[0] >= PROPERTIES), key=lambda section: section[0])
        return b"".join([self.payload[start:end] for _, start, _, end in kept])

    def header(self) -> Header:
        """The header, all None where there is none."""
        return Header(*_fields(self._decode(HEADER, list), _HEADER_FIELDS))

    def properties(self) -> Properties:
        """The properties, all None where there are none."""
        return Properties(*_fields(self._decode(PROPERTIES, list), _PROPERTY_FIELDS))

    def property(self, name: str) -> Any:
        """One property by its name in `Properties`, without decoding the others. Its type is not checked."""
        for code, _, value_start, _ in self.ranges:
            if code == PROPERTIES:
                if self.payload[value_start] == _NULL:
                    return None
                return list_item(self.payload, value_start, PROPERTY_INDEX[name])
        return None

    def delivery_annotations(self) -> Mapping[Any, Any]:
        """The delivery annotations, empty where there are none."""
        return self._map(DELIVERY_ANNOTATIONS)

    def message_annotations(self) -> Mapping[Any, Any]:
        """The message annotations, empty where there are none."""
        return self._map(MESSAGE_ANNOTATIONS)

    def application_properties(self) -> Mapping[Any, Any]:
        """The application properties, empty where there are none."""
        return self._map(APPLICATION_PROPERTIES)

    def footer(self) -> Mapping[Any, Any]:
        """The footer, empty where there is none."""
        return self._map(FOOTER)

    def data(self) -> list[bytes]:
        """The content of each Data section."""
        return [decode(self.payload, value_start)[0] for code, _, value_start, _ in self.ranges if code == DATA]

    def sequences(self) -> list[list[Any]]:
        """The content of each sequence section."""
        return [decode(self.payload, value_start)[0] for code, _, value_start, _ in self.ranges if code == SEQUENCE]

    def value(self) -> Any:
        """The content of an amqp-value body; None where the body is of another kind."""
        for code, _, value_start, _ in self.ranges:
            if code == VALUE:
                return decode(self.payload, value_start)[0]
        return None

    def _map(self, code: int) -> Mapping[Any, Any]:
        mapping: Mapping[Any, Any] = self._decode(code, dict) or {}
        return mapping

    def _decode(self, code: int, python_type: type) -> Any:
        for found, _, value_start, _ in self.ranges:
            if found == code:
                value, _ = decode(self.payload, value_start)
                if value is not None and not isinstance(value, python_type):
                    raise AmqpDecodeError(f"section 0x{code:x} holds a {type(value).__name__}")
                return value
        return None


def split(payload: bytes) -> Sections:
    """Find the sections of a message. Raises AmqpDecodeError if the bytes are not whole sections in legal numbers."""
    at, length, seen, body_code = 0, len(payload), 0, None
    bare_start = bare_end = last_code = 0
    is_bare_whole = True
    ranges: list[tuple[int, int, int, int]] = []
    while at < length:
        start, value_start = at, at + 3
        # Nearly all sections begin like this: the code as a small ulong, a constructor, and a size.
        begins = _SECTION_START.unpack_from(payload, at) if length - at >= _SECTION_START.size else _NO_SECTION
        prefix, code, constructor, size = begins
        width = _FORMS.get(code << 8 | constructor) if prefix == _SMALL_ULONG else None
        if width == 1:
            at += 5 + size
        elif width == 4:
            at += 8 + int.from_bytes(payload[at + 4 : at + 8], "big")
        else:
            code, value_start = _section_code(payload, at)
            at = _end_of_value(payload, code, value_start)
        if at > length:
            raise AmqpDecodeError(f"section 0x{code:x} is cut off")
        if DATA <= code <= VALUE:
            if body_code is not None and (code != body_code or code == VALUE):
                raise AmqpDecodeError("a message has one kind of body")
            body_code = code
        elif seen & (1 << (code - HEADER)):
            raise AmqpDecodeError(f"section 0x{code:x} comes twice")
        else:
            seen |= 1 << (code - HEADER)
        if code >= PROPERTIES:
            if not bare_end:
                bare_start = start
            elif start != bare_end or code < last_code:
                is_bare_whole = False
            bare_end, last_code = at, code
        ranges.append((code, start, value_start, at))
    return Sections(payload, ranges, body_code, (bare_start, bare_end) if is_bare_whole else None)


def split_batch(envelope: Sections) -> list[bytes]:
    """The messages in a batch (message format `BATCH_FORMAT`), encoded. Raises AmqpDecodeError if it is none."""
    if envelope.body_code not in {DATA, None}:
        raise AmqpDecodeError("the body of a batch is Data sections")
    return envelope.data()


# -- writing sections


def encode_header(header: Header) -> bytes:
    """Write a header section, in full: a delivery count of None is written as 0, because clients show what is there."""
    values = _written(header, _HEADER_FIELDS)
    values[-1] = values[-1] or Uint(0)
    return b"\x00\x53\x70" + encode(values)


def encode_properties(properties: Properties) -> bytes:
    """Write a properties section. The identifiers keep the types that they have."""
    values = _written(properties, _PROPERTY_FIELDS)
    while values and values[-1] is None:
        values.pop()
    return b"\x00\x53\x73" + encode(values)


def encode_delivery_annotations(annotations: Mapping[Any, Any]) -> bytes:
    """Write a delivery-annotations section; `str` keys become symbols."""
    return map_section(DELIVERY_ANNOTATIONS, *annotation_pairs(annotations))


def encode_message_annotations(annotations: Mapping[Any, Any]) -> bytes:
    """Write a message-annotations section; `str` keys become symbols."""
    return map_section(MESSAGE_ANNOTATIONS, *annotation_pairs(annotations))


def encode_application_properties(properties: Mapping[str, Any]) -> bytes:
    """Write an application-properties section."""
    return map_section(APPLICATION_PROPERTIES, *encode_pairs(properties.items()))


def encode_data(content: bytes) -> bytes:
    """Write a Data section."""
    return b"\x00\x53\x75" + encode(content)


def encode_value(value: Any) -> bytes:
    """Write an amqp-value section."""
    return b"\x00\x53\x77" + encode(value)


def annotation_pairs(annotations: Mapping[Any, Any]) -> tuple[int, bytes]:
    """Encode annotations without the map around them: (number of pairs, bytes), for `map_section`.

    Such pairs can be kept encoded and joined with others, so that only what changes is encoded again.
    """
    return encode_pairs([(Symbol(key) if type(key) is str else key, value) for key, value in annotations.items()])


def map_section(code: int, pairs_count: int, content: bytes) -> bytes:
    """Write the section `code` around `pairs_count` encoded pairs."""
    return b"\x00\x53%c" % code + map_of(pairs_count, content)


# -- reading sections

_NULL = 0x40

_SECTION_START = Struct(">HBBB")
_NO_SECTION = (0, 0, 0, 0)
_SMALL_ULONG = 0x0053
"""How a descriptor begins that is a ulong of one byte."""

_LIST_FORMS = {0x45: 0, 0xC0: 1, 0xD0: 4, _NULL: 0}
_MAP_FORMS = {0xC1: 1, 0xD1: 4, _NULL: 0}
_BINARY_FORMS = {0xA0: 1, 0xB0: 4}
_SECTION_FORMS = {
    # section code: {constructor: bytes of its size}
    HEADER: _LIST_FORMS,
    DELIVERY_ANNOTATIONS: _MAP_FORMS,
    MESSAGE_ANNOTATIONS: _MAP_FORMS,
    PROPERTIES: _LIST_FORMS,
    APPLICATION_PROPERTIES: _MAP_FORMS,
    DATA: _BINARY_FORMS,
    SEQUENCE: {0x45: 0, 0xC0: 1, 0xD0: 4},
    FOOTER: _MAP_FORMS,
}
_FORMS = {
    code << 8 | constructor: width for code, forms in _SECTION_FORMS.items() for constructor, width in forms.items()
}
_SECTION_NAMES = {
    "amqp:header:list": HEADER,
    "amqp:delivery-annotations:map": DELIVERY_ANNOTATIONS,
    "amqp:message-annotations:map": MESSAGE_ANNOTATIONS,
    "amqp:properties:list": PROPERTIES,
    "amqp:application-properties:map": APPLICATION_PROPERTIES,
    "amqp:data:binary": DATA,
    "amqp:amqp-sequence:list": SEQUENCE,
    "amqp:amqp-value:*": VALUE,
    "amqp:footer:map": FOOTER,
}


def _section_code(payload: bytes, at: int) -> tuple[int, int]:
    """Read a section's descriptor in any form; returns the section's code and where its value begins."""
    if payload[at] != 0x00:
        raise AmqpDecodeError(f"0x{payload[at]:02x} at offset {at}, where a section begins")
    descriptor, value_start = decode(payload, at + 1)
    if isinstance(descriptor, Ulong) and HEADER <= descriptor <= FOOTER:
        return int(descriptor), value_start
    if isinstance(descriptor, Symbol) and descriptor in _SECTION_NAMES:
        return _SECTION_NAMES[descriptor], value_start
    raise AmqpDecodeError(f"{descriptor!r:.100} is no section of a message")


def _end_of_value(payload: bytes, code: int, at: int) -> int:
    """The offset behind a section's value, whose constructor must suit the section."""
    if at >= len(payload):
        raise AmqpDecodeError(f"section 0x{code:x} is cut off")
    if code << 8 | payload[at] not in _FORMS and code != VALUE:
        raise AmqpDecodeError(f"section 0x{code:x} cannot begin with 0x{payload[at]:02x}")
    return skip(payload, at)


def _fields(values: list[Any] | None, types: Sequence[tuple[type | tuple[type, ...], type | None]]) -> list[Any]:
    """Check the fields of a header or of properties against their types; fields of later versions are dropped."""
    fields = (values or [])[: len(types)]
    for index, value in enumerate(fields):
        accepted = types[index][0]
        if value is not None and (not isinstance(value, accepted) or (accepted is int and isinstance(value, bool))):
            raise AmqpDecodeError(f"field {index} of a section holds a {type(value).__name__}")
    return fields


def _written(section: Header | Properties, types: Sequence[tuple[type | tuple[type, ...], type | None]]) -> list[Any]:
    values = [getattr(section, name) for name in section.__slots__]
    return [
        value if value is None or python_type is None else python_type(value)
        for value, (_, python_type) in zip(values, types, strict=True)
    ]
