"""JSON text: objects one after another, or in one array, read as the bytes arrive; and writing them."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from localzure.services.blob.query.compiling import json_step
from localzure.services.blob.query.formats import RECORD_BYTES_MAX, Row
from localzure.services.blob.query.syntax import Every, QueryError
from localzure.services.blob.query.values import MISSING, timestamp_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from localzure.services.blob.query.formats import JsonText, Result
    from localzure.services.blob.query.syntax import Name

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+"|["{}\[\]]', re.DOTALL)

_decode = msgspec.json.Decoder().decode


class JsonReader:
    """See `formats.RowReader`; a row is what the query's table names of a record."""

    def __init__(self, form: JsonText, table: tuple[Name | int | Every, ...]) -> None:
        separator = form.record_separator.encode()
        self._between = re.compile(rb"(?:\s|%b)*+" % re.escape(separator))
        self._table = table
        self._is_in_array = False
        self._rest = b""
        self._at = 0
        self.columns: list[str] | None = None

    def feed(self, data: bytes, *, is_last: bool) -> list[Row]:
        """See `RowReader.feed`."""
        data = self._rest + data
        rows: list[Row] = []
        used = 0
        while True:
            used = self._skip(data, used)
            if used == len(data):
                break
            stop = self._record_end(data, used)
            if stop is None:
                if is_last:
                    raise QueryError("ParseError", "A record does not end.", self._at + used)
                break
            try:
                record = _decode(data[used:stop])
            except msgspec.DecodeError as error:
                raise QueryError("ParseError", f"A record is not JSON: {error}.", self._at + used) from None
            rows += [Row(self._at + used, row) for row in _descend(record, self._table)]
            used = stop
        self._rest = data[used:]
        self._at += used
        if len(self._rest) > RECORD_BYTES_MAX:
            raise QueryError("ParseError", "A record is too long.", self._at)
        return rows

    def _skip(self, data: bytes, at: int) -> int:
        """Return where the next record begins: behind separators and the punctuation of an array of records."""
        while True:
            match = self._between.match(data, at)
            assert match is not None, "it matches nothing as well"
            at = match.end()
            mark = data[at : at + 1]
            if mark == b"[" and not self._is_in_array:
                self._is_in_array = True
            elif self._is_in_array and mark == b"]":
                self._is_in_array = False
            elif not (self._is_in_array and mark == b","):
                return at
            at += 1

    def _record_end(self, data: bytes, start: int) -> int | None:
        """Return where the object at `start` ends, None where it does not yet. Raises QueryError for anything else."""
        if data[start : start + 1] != b"{":
            found = chr(data[start])
            where = self._at + start
            text = f"Unexpected token '{found}' at [byte: {where}]. Expecting tokens '{{', or '['."
            raise QueryError("ParseError", text, where)
        depth = 0
        for match in _TOKEN.finditer(data, start):
            token = match[0]
            if token in {b"{", b"["}:
                depth += 1
            elif token in {b"}", b"]"}:
                depth -= 1
                if not depth:
                    return match.end()
            elif token == b'"':
                return None
        return None


def _descend(value: Any, steps: tuple[Name | int | Every, ...]) -> Iterator[Any]:
    """Yield what the table's path names of a record."""
    values = [value]
    for step in steps:
        if isinstance(step, Every):
            values = [item for one in values if isinstance(one, list) for item in one]
        else:
            values = [found for one in values if (found := json_step(one, step)) is not MISSING]
    return iter(values)


class JsonWriter:
    """See `formats.RowWriter`; what is missing from a row is missing from the object."""

    def __init__(self, form: JsonText) -> None:
        self._separator = form.record_separator.encode()
        self._encode = msgspec.json.Encoder().encode

    def write(self, results: Sequence[Result]) -> bytes:
        """See `RowWriter.write`."""
        pieces: list[bytes] = []
        for names, values in results:
            found = {
                name: timestamp_text(value) if isinstance(value, datetime) else value
                for name, value in zip(names, values, strict=False)
                if value is not MISSING
            }
            pieces.append(self._encode(found) + self._separator)
        return b"".join(pieces)

    def close(self) -> bytes:
        """See `RowWriter.close`."""
        return b""
