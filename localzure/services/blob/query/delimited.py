"""Delimited text: reading records as the bytes arrive, and writing them.

A record that ends with a carriage return before its newline ends before both. Quoted fields may hold separators; a
quote inside is written twice or, where there is an escape character, behind one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from localzure.services.blob.query.formats import RECORD_BYTES_MAX, Row
from localzure.services.blob.query.syntax import QueryError
from localzure.services.blob.query.values import to_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from localzure.services.blob.query.formats import Delimited, Result


class DelimitedReader:
    """See `formats.RowReader`; a row is a list of texts."""

    def __init__(self, form: Delimited) -> None:
        self.columns: list[str] | None = None
        self._wants_header = form.has_headers
        self._column = form.column_separator.encode()
        self._record = form.record_separator.encode()
        self._quote = form.quote.encode()
        self._escape = form.escape.encode()
        self._field = _field_pattern(self._column, self._record, self._quote, self._escape)
        mark = re.escape(self._quote)
        escaped = re.escape(self._escape) + b".|" if self._escape else b""
        self._closed = re.compile(rb"%b(?:%b(?!%b).|%b%b)*+%b" % (mark, escaped, mark, mark, mark, mark), re.DOTALL)
        self._rest = b""
        self._at = 0

    def feed(self, data: bytes, *, is_last: bool) -> list[Row]:
        """See `RowReader.feed`."""
        data = self._rest + data
        special = (self._quote and self._quote in data) or (self._escape and self._escape in data)
        rows, used = (self._parse if special else self._split)(data, is_last=is_last)
        self._rest = data[used:]
        self._at += used
        if len(self._rest) > RECORD_BYTES_MAX:
            raise QueryError("ParseError", "A record is too long.", self._at)
        if self._wants_header and rows:
            self._wants_header = False
            self.columns = rows.pop(0).value
        return rows

    def _split(self, data: bytes, *, is_last: bool) -> tuple[list[Row], int]:
        """Take records apart that have neither quotes nor escapes."""
        rows: list[Row] = []
        records = data.split(self._record)
        tail = records.pop()
        if is_last and tail:
            records.append(tail)
        at = self._at
        is_line = self._record == b"\n"
        for record in records:
            text = record[:-1] if is_line and record.endswith(b"\r") else record
            if text:
                rows.append(Row(at, [_decode(field) for field in text.split(self._column)]))
            at += len(record) + len(self._record)
        return rows, len(data) if is_last else len(data) - len(tail)

    def _parse(self, data: bytes, *, is_last: bool) -> tuple[list[Row], int]:
        """Take records apart field by field."""
        rows: list[Row] = []
        fields: list[str] = []
        start = at = 0
        size = len(data)
        while at < size or fields:
            match = self._field.match(data, at)
            if match is None:
                if is_last or self._is_ill_quoted(data, at):
                    raise QueryError("ParseError", "A quoted field does not end as it must.", self._at + start)
                break
            is_open_ended = match.end() == size and not match[3]
            if is_open_ended and not is_last:
                break
            fields.append(self._text(match))
            at = match.end()
            if match[3] != self._column:
                if fields != [""]:
                    rows.append(Row(self._at + start, fields))
                fields, start = [], at
                if is_open_ended:
                    break
        return rows, size if is_last else start

    def _is_ill_quoted(self, data: bytes, at: int) -> bool:
        """Whether a quoted field ends, and is followed by neither a separator nor the end of what has arrived."""
        match = self._closed.match(data, at) if self._quote else None
        return match is not None and len(data) - match.end() > max(len(self._column), len(self._record) + 1)

    def _text(self, match: re.Match[bytes]) -> str:
        quoted = match[1]
        if quoted is not None:
            text = quoted.replace(self._quote * 2, self._quote)
        else:
            text = match[2]
            if match[3] != self._column and self._record == b"\n" and text.endswith(b"\r"):
                text = text[:-1]
        if self._escape and self._escape in text:
            text = re.sub(re.escape(self._escape) + b"(.)", rb"\1", text, flags=re.DOTALL)
        return _decode(text)


def _field_pattern(column: bytes, record: bytes, quote: bytes, escape: bytes) -> re.Pattern[bytes]:
    """A field: 1 inside its quotes, or 2 without any, and 3 what ends it; empty at the end of the data."""
    stop = rb"\r?\n" if record == b"\n" else re.escape(record)
    escaped = re.escape(escape) + rb".|" if escape else b""
    plain = rb"((?:%b(?!%b|%b).)*+)" % (escaped, re.escape(column), re.escape(record))
    inside = b""
    if quote:
        mark = re.escape(quote)
        inside = rb"%b((?:%b(?!%b).|%b%b)*+)%b|" % (mark, escaped, mark, mark, mark, mark)
        plain = rb"(?!%b)%b" % (mark, plain)
    else:
        inside = rb"((?!))|"
    return re.compile(rb"(?:%b%b)(%b|%b|\Z)" % (inside, plain, re.escape(column), stop), re.DOTALL)


def _decode(text: bytes) -> str:
    return text.decode("utf-8", "replace")


class DelimitedWriter:
    """See `formats.RowWriter`."""

    def __init__(self, form: Delimited) -> None:
        self._form = form
        self._needs_header = form.has_headers
        # Part of a long separator will do: with the next one behind it, it would be taken for a whole one.
        special = [*form.column_separator, *form.record_separator, form.quote, form.escape, "\r", "\n"]
        self._special = re.compile("|".join(re.escape(mark) for mark in special if mark))

    def write(self, results: Sequence[Result]) -> bytes:
        """See `RowWriter.write`."""
        out: list[str] = []
        if self._needs_header and results:
            self._needs_header = False
            out.append(self._line(results[0].names))
        out += [self._line([to_text(value) for value in result.values]) for result in results]
        return "".join(out).encode("utf-8", "replace")

    def close(self) -> bytes:
        """See `RowWriter.close`."""
        return b""

    def _line(self, texts: Sequence[str]) -> str:
        form = self._form
        search = self._special.search
        fields = [self._quoted(text) if form.quote and search(text) else text for text in texts]
        return form.column_separator.join(fields) + form.record_separator

    def _quoted(self, text: str) -> str:
        form = self._form
        if form.escape:
            text = text.replace(form.escape, form.escape * 2).replace(form.quote, form.escape + form.quote)
        else:
            text = text.replace(form.quote, form.quote * 2)
        return f"{form.quote}{text}{form.quote}"
