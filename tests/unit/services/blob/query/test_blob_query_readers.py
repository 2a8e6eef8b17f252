"""Records come out the same however the bytes arrive."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localzure.services.blob.query.delimited import DelimitedReader, DelimitedWriter
from localzure.services.blob.query.formats import RECORD_BYTES_MAX, Delimited, JsonText, Result, RowReader
from localzure.services.blob.query.json_text import JsonReader
from localzure.services.blob.query.syntax import QueryError

PLAIN = Delimited()
ODD = Delimited(";;", "'", "|", "\\")


def rows(reader: RowReader, data: bytes, *cuts: int) -> list[object]:
    places = [0, *sorted(cuts), len(data)]
    pieces = [data[start:stop] for start, stop in itertools.pairwise(places)]
    found: list[object] = []
    for number, piece in enumerate(pieces, start=1):
        found += [row.value for row in reader.feed(piece, is_last=number == len(pieces))]
    return found


@pytest.mark.parametrize(
    ("form", "data", "expected"),
    [
        (PLAIN, b"a,b\r\nc\n\nd,\n", [["a", "b"], ["c"], ["d", ""]]),
        (PLAIN, b'"a,""b""\n",c\r\n"d"', [['a,"b"\n', "c"], ["d"]]),
        (PLAIN, b'a"b,c\n"",\n', [['a"b', "c"], ["", ""]]),
        (PLAIN, "é,ü\n".encode(), [["é", "ü"]]),
        (ODD, rb"a;;'b|;;c'|d\;;;e\|f|", [["a", "b|;;c"], ["d;", "e|f"]]),
        (Delimited(quote=""), b'"a,b"\n', [['"a', 'b"']]),
        (PLAIN, b"", []),
    ],
)
def test_delimited_text_at_every_cut(form: Delimited, data: bytes, expected: list[list[str]]) -> None:
    assert rows(DelimitedReader(form), data) == expected
    for cut in range(len(data)):
        assert rows(DelimitedReader(form), data, cut) == expected, cut
    assert rows(DelimitedReader(form), data, *range(len(data))) == expected


def test_json_at_every_cut() -> None:
    data = b'[{"a": "}\\"{"},{"b": [1, {"c": 2}]}]{"d": 3}\n\n {"e": "\xc3\xa9"}'
    expected = [{"a": '}"{'}, {"b": [1, {"c": 2}]}, {"d": 3}, {"e": "é"}]
    for cut in range(len(data)):
        assert rows(JsonReader(JsonText(), ()), data, cut) == expected, cut


@pytest.mark.parametrize("data", [b"{", b"{]", b'{"a": 1}x', b'{"a": "', b"{name: owner}", b"1", b'{"a": 1}}'])
def test_what_is_not_json(data: bytes) -> None:
    with pytest.raises(QueryError):
        rows(JsonReader(JsonText(), ()), data)


def test_what_is_behind_a_quoted_field_is_refused_at_once() -> None:
    with pytest.raises(QueryError):
        DelimitedReader(PLAIN).feed(b'a,"b"c,d', is_last=False)


def test_a_quoted_field_must_end() -> None:
    with pytest.raises(QueryError):
        rows(DelimitedReader(PLAIN), b'a,"b')


@pytest.mark.parametrize("reader", [DelimitedReader(PLAIN), JsonReader(JsonText(), ())])
def test_a_record_is_not_endless(reader: RowReader) -> None:
    reader.feed(b'{"a": "', is_last=False)
    with pytest.raises(QueryError):
        for _ in range(64):
            reader.feed(b"x" * (RECORD_BYTES_MAX // 32), is_last=False)


texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)


@given(st.lists(st.lists(texts, min_size=2, max_size=4), max_size=5), st.data(), st.sampled_from([PLAIN, ODD]))
def test_what_is_written_is_read(table: list[list[str]], data: st.DataObject, form: Delimited) -> None:
    names = ["a", "b", "c", "d"]
    written = DelimitedWriter(form).write([Result(names, row) for row in table])
    cuts = data.draw(st.lists(st.integers(0, len(written)), max_size=4))
    assert rows(DelimitedReader(form), written, *cuts) == table
