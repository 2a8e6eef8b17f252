"""Arrow streams, written: a schema, batches of columns, and the end mark ("Arrow columnar format", "IPC streaming").

Every message is a FlatBuffer in front of a body; both are filled up to eight bytes. A column is its field, which says
what its values are, and buffers: validity bits first, then what its type lays out. What is None is null.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from itertools import accumulate
from struct import pack
from typing import TYPE_CHECKING, Literal

from flatbuffers import Builder  # type: ignore[import-untyped]  # the package has no type information

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FieldType = Literal["bool", "int64", "string", "struct", "map", "timestamp"]
"""What the values of a column are; timestamps count seconds in UTC."""

END_OF_STREAM = b"\xff\xff\xff\xff\x00\x00\x00\x00"

_CODES: Mapping[str, int] = {"int64": 2, "string": 5, "bool": 6, "timestamp": 10, "struct": 13, "map": 17}
"""Numbers in the union of types of Schema.fbs."""

_METADATA_VERSION_5 = 4
_SCHEMA, _RECORD_BATCH = 1, 3


@dataclass(slots=True)
class Column:
    """A column: its field, and its values as they are sent."""

    name: str
    type: FieldType
    length: int
    nulls: int
    buffers: list[bytes]
    """Of the column itself, the validity first: empty where nothing is null."""
    children: list[Column] = field(default_factory=list)
    is_nullable: bool = True


def text_column(name: str, values: Sequence[str | None], *, is_nullable: bool = True) -> Column:
    """Make a column of texts."""
    texts = [b"" if value is None else value.encode("utf-8", "surrogatepass") for value in values]
    ends = array("i", accumulate(map(len, texts), initial=0))
    return _column(name, "string", values, [_little(ends), b"".join(texts)], is_nullable=is_nullable)


def int_column(name: str, values: Sequence[int | None], type_: Literal["int64", "timestamp"] = "int64") -> Column:
    """Make a column of numbers, or of instants in seconds."""
    numbers = array("q", [0 if value is None else value for value in values])
    return _column(name, type_, values, [_little(numbers)])


def bool_column(name: str, values: Sequence[bool | None]) -> Column:
    """Make a column of flags."""
    return _column(name, "bool", values, [bits(values)])


def map_column(name: str, values: Sequence[Mapping[str, str] | None]) -> Column:
    """Make a column of mappings from text to text."""
    pairs = [pair for value in values if value is not None for pair in value.items()]
    ends = array("i", accumulate((0 if value is None else len(value) for value in values), initial=0))
    keys = text_column("key", [key for key, _ in pairs], is_nullable=False)
    entries = Column("entries", "struct", len(pairs), 0, [b""], [keys, text_column("value", [v for _, v in pairs])])
    entries.is_nullable = False
    column = _column(name, "map", values, [_little(ends)])
    column.children = [entries]
    return column


def _column(
    name: str, type_: FieldType, values: Sequence[object], buffers: list[bytes], *, is_nullable: bool = True
) -> Column:
    nulls = values.count(None)
    validity = bits([value is not None for value in values]) if nulls else b""
    return Column(name, type_, len(values), nulls, [validity, *buffers], is_nullable=is_nullable)


def bits(flags: Sequence[bool | None]) -> bytes:
    """Pack flags, the least significant bit first."""
    text = "".join(["1" if flag else "0" for flag in reversed(flags)])
    return int(text or "0", 2).to_bytes(-(-len(flags) // 8), "little")


def _little(numbers: array[int]) -> bytes:
    """Return numbers as Arrow has them, on any machine."""
    if pack("=h", 1) != pack("<h", 1):
        numbers.byteswap()
    return numbers.tobytes()


def stream(columns: Sequence[Column], length: int, metadata: Mapping[str, str]) -> bytes:
    """Write a whole stream: its schema, with metadata of its own, and one batch of `length` rows, if there are any."""
    batch = record_batch(columns, length) if length else b""
    return schema(columns, metadata) + batch + END_OF_STREAM


def schema(columns: Sequence[Column], metadata: Mapping[str, str]) -> bytes:
    """Write the message that says what the columns are."""
    builder = Builder(4096)
    pairs = [_pair(builder, key, value) for key, value in metadata.items()]
    fields = offsets(builder, [_field(builder, column) for column in columns])
    return schema_of(builder, fields, offsets(builder, pairs))


def schema_of(builder: Builder, fields: int, metadata: int = 0) -> bytes:
    """Write a schema from vectors that were written already (see `offsets`)."""
    builder.StartObject(4)
    builder.PrependUOffsetTRelativeSlot(2, metadata, 0)
    builder.PrependUOffsetTRelativeSlot(1, fields, 0)
    return _message(builder, _SCHEMA, builder.EndObject(), b"")


def record_batch(columns: Sequence[Column], length: int) -> bytes:
    """Write a batch of rows."""
    nodes: list[tuple[int, int]] = []
    buffers: list[bytes] = []
    for column in columns:
        _lay_out(column, nodes, buffers)
    return batch_of(nodes, buffers, length)


def batch_of(nodes: Sequence[tuple[int, int]], buffers: Sequence[bytes], length: int) -> bytes:
    """Write a batch from its columns' (length, nulls) and buffers, in the order in which fields contain each other."""
    places, body = [], bytearray()
    for buffer in buffers:
        places.append((len(body), len(buffer)))
        body += buffer
        body += bytes(-len(buffer) % 8)
    builder = Builder(4096)
    node_vector = _pairs(builder, nodes)
    buffer_vector = _pairs(builder, places)
    builder.StartObject(4)
    builder.PrependInt64Slot(0, length, 0)
    builder.PrependUOffsetTRelativeSlot(2, buffer_vector, 0)
    builder.PrependUOffsetTRelativeSlot(1, node_vector, 0)
    return _message(builder, _RECORD_BATCH, builder.EndObject(), bytes(body))


def _lay_out(column: Column, nodes: list[tuple[int, int]], buffers: list[bytes]) -> None:
    nodes.append((column.length, column.nulls))
    buffers += column.buffers
    for child in column.children:
        _lay_out(child, nodes, buffers)


def _field(builder: Builder, column: Column) -> int:
    name = builder.CreateString(column.name)
    type_ = _type(builder, column.type)
    children = offsets(builder, [_field(builder, child) for child in column.children])
    builder.StartObject(7)
    builder.PrependUOffsetTRelativeSlot(5, children, 0)
    builder.PrependUOffsetTRelativeSlot(3, type_, 0)
    builder.PrependUOffsetTRelativeSlot(0, name, 0)
    builder.PrependUint8Slot(2, _CODES[column.type], 0)
    builder.PrependBoolSlot(1, column.is_nullable, False)
    return int(builder.EndObject())


def _type(builder: Builder, type_: FieldType) -> int:
    zone = builder.CreateString("UTC") if type_ == "timestamp" else 0
    builder.StartObject(2)
    if type_ == "int64":
        builder.PrependInt32Slot(0, 64, 0)
        builder.PrependBoolSlot(1, True, False)
    elif type_ == "timestamp":
        builder.PrependUOffsetTRelativeSlot(1, zone, 0)
    return int(builder.EndObject())


def _pair(builder: Builder, key: str, value: str) -> int:
    """Write a pair of metadata."""
    texts = builder.CreateString(key), builder.CreateString(value)
    builder.StartObject(2)
    builder.PrependUOffsetTRelativeSlot(0, texts[0], 0)
    builder.PrependUOffsetTRelativeSlot(1, texts[1], 0)
    return int(builder.EndObject())


def offsets(builder: Builder, tables: Sequence[int]) -> int:
    """Write a vector of tables that were written already."""
    builder.StartVector(4, len(tables), 4)
    for offset in reversed(tables):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


def _pairs(builder: Builder, pairs: Sequence[tuple[int, int]]) -> int:
    """Write a vector of structs of two numbers."""
    builder.StartVector(16, len(pairs), 8)
    for first, second in reversed(pairs):
        builder.Prep(8, 16)
        builder.PrependInt64(second)
        builder.PrependInt64(first)
    return int(builder.EndVector())


def _message(builder: Builder, kind: int, header: int, body: bytes) -> bytes:
    builder.StartObject(5)
    builder.PrependInt64Slot(3, len(body), 0)
    builder.PrependUOffsetTRelativeSlot(2, header, 0)
    builder.PrependInt16Slot(0, _METADATA_VERSION_5, 0)
    builder.PrependUint8Slot(1, kind, 0)
    builder.Finish(builder.EndObject())
    head = bytes(builder.Output())
    head += bytes(-len(head) % 8)
    return b"\xff\xff\xff\xff" + pack("<i", len(head)) + head + body
