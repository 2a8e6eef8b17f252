"""The result as an Arrow stream: a schema, and batches of columns ("Arrow columnar format, IPC streaming format").

As Azure's, the stream begins with an empty batch and has no end marker; a DECIMAL takes the digits of its text as they
are, whatever the scale of the column.
"""

from __future__ import annotations

from struct import pack
from typing import TYPE_CHECKING, Any, NamedTuple

from flatbuffers import Builder  # type: ignore[import-untyped]  # the package has no type information

from localzure.services.blob.query.syntax import QueryError
from localzure.services.blob.query.values import (
    MISSING,
    RowError,
    Value,
    to_boolean,
    to_float,
    to_int,
    to_text,
    to_timestamp,
)
from localzure_protocols.arrow import batch_of, bits, offsets, schema_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from localzure.services.blob.query.formats import Arrow, ArrowField, Result


class _Kind(NamedTuple):
    """How a column of a type is described and laid out."""

    code: int
    """Number in the union of types in Arrow's Schema.fbs."""
    describe: Callable[[Builder, ArrowField], int]
    lay_out: Callable[[list[Value]], list[bytes]]
    """From values, None for NULL, to the buffers behind the validity."""


class ArrowWriter:
    """See `formats.RowWriter`."""

    def __init__(self, form: Arrow) -> None:
        self._fields = form.fields
        self._has_begun = False

    def write(self, results: Sequence[Result]) -> bytes:
        """See `RowWriter.write`."""
        out = b""
        if not self._has_begun:
            self._has_begun = True
            out = self._schema() + self._batch([])
        if results:
            out += self._batch([result.values for result in results])
        return out

    def close(self) -> bytes:
        """See `RowWriter.close`."""
        return b""

    def _schema(self) -> bytes:
        builder = Builder(256)
        return schema_of(builder, offsets(builder, [_field(builder, field) for field in self._fields]))

    def _batch(self, rows: Sequence[Sequence[Value]]) -> bytes:
        nodes: list[tuple[int, int]] = []
        buffers: list[bytes] = []
        for index, field in enumerate(self._fields):
            values = [_value(row, index) for row in rows]
            nulls = sum(value is None for value in values)
            nodes.append((len(values), nulls))
            buffers.append(bits([value is not None for value in values]) if nulls else b"")
            try:
                buffers += _KINDS[field.kind].lay_out(values)
            except RowError as error:
                raise QueryError(error.name, error.description) from None
        return batch_of(nodes, buffers, len(rows))


def _value(row: Sequence[Value], index: int) -> Value:
    value = row[index] if index < len(row) else None
    return None if value is MISSING else value


def _field(builder: Builder, field: ArrowField) -> int:
    kind = _KINDS[field.kind]
    described = kind.describe(builder, field)
    name = builder.CreateString(field.name)
    children = offsets(builder, [])
    builder.StartObject(7)
    builder.PrependUOffsetTRelativeSlot(5, children, 0)
    builder.PrependUOffsetTRelativeSlot(3, described, 0)
    builder.PrependUOffsetTRelativeSlot(0, name, 0)
    builder.PrependUint8Slot(2, kind.code, 0)
    builder.PrependBoolSlot(1, True, False)
    return int(builder.EndObject())


# --- types --------------------------------------------------------------------------------------------------------


def _plain(builder: Builder, _field: ArrowField) -> int:
    """Describe a type that has no parameters."""
    builder.StartObject(0)
    return int(builder.EndObject())


def _int64(builder: Builder, _field: ArrowField) -> int:
    builder.StartObject(2)
    builder.PrependInt32Slot(0, 64, 0)
    builder.PrependBoolSlot(1, True, False)
    return int(builder.EndObject())


def _double(builder: Builder, _field: ArrowField) -> int:
    builder.StartObject(1)
    builder.PrependInt16Slot(0, 2, 0)
    return int(builder.EndObject())


def _timestamp(builder: Builder, _field: ArrowField) -> int:
    builder.StartObject(2)
    builder.PrependInt16Slot(0, 1, 0)
    return int(builder.EndObject())


def _decimal(builder: Builder, field: ArrowField) -> int:
    builder.StartObject(3)
    builder.PrependInt32Slot(1, field.scale, 0)
    builder.PrependInt32Slot(0, field.precision, 0)
    return int(builder.EndObject())


def _lay_out_bool(values: list[Value]) -> list[bytes]:
    return [bits([value is not None and to_boolean(value) for value in values])]


def _lay_out_text(values: list[Value]) -> list[bytes]:
    texts = [b"" if value is None else to_text(value).encode("utf-8", "replace") for value in values]
    ends = [0]
    for text in texts:
        ends.append(ends[-1] + len(text))
    return [pack(f"<{len(ends)}i", *ends), b"".join(texts)]


def _lay_out_int(values: list[Value]) -> list[bytes]:
    return [pack(f"<{len(values)}q", *(0 if value is None else to_int(value) for value in values))]


def _lay_out_double(values: list[Value]) -> list[bytes]:
    return [pack(f"<{len(values)}d", *(0.0 if value is None else to_float(value) for value in values))]


def _lay_out_timestamp(values: list[Value]) -> list[bytes]:
    stamps = (0 if value is None else round(to_timestamp(value).timestamp() * 1000) for value in values)
    return [pack(f"<{len(values)}q", *stamps)]


def _lay_out_decimal(values: list[Value]) -> list[bytes]:
    numbers = (0 if value is None else _digits(value) for value in values)
    return [b"".join(number.to_bytes(16, "little", signed=True) for number in numbers)]


def _digits(value: Any) -> int:
    text = to_text(value).strip().replace(".", "", 1)
    if not text.lstrip("+-").isdecimal() or len(text) > 38:
        raise RowError("InvalidTypeConversion", "Invalid type conversion.")
    return int(text)


_KINDS: Mapping[str, _Kind] = {
    "bool": _Kind(6, _plain, _lay_out_bool),
    "int64": _Kind(2, _int64, _lay_out_int),
    "string": _Kind(5, _plain, _lay_out_text),
    "double": _Kind(3, _double, _lay_out_double),
    "decimal": _Kind(7, _decimal, _lay_out_decimal),
    "timestamp[ms]": _Kind(10, _timestamp, _lay_out_timestamp),
}

KINDS = frozenset(_KINDS)
"""The types that a column may have."""
