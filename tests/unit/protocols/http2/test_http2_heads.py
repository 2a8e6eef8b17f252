"""Header lists become neutral heads, and neutral heads header lists."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localzure_protocols.events import Headers, Request
from localzure_protocols.http2.heads import (
    MalformedError,
    check_trailers,
    content_length,
    list_bytes,
    request_head,
    response_fields,
)

LINE: Headers = [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"a.example"), (b":path", b"/x%20y?z")]


def test_a_request_is_read() -> None:
    head = request_head(7, [*LINE, (b"x-ms-meta-a", b"1"), (b"te", b"Trailers"), (b"x-ms-meta-a", b"2")])
    assert head == Request(
        7,
        b"GET",
        b"/x%20y?z",
        [(b"host", b"a.example"), (b"x-ms-meta-a", b"1"), (b"te", b"Trailers"), (b"x-ms-meta-a", b"2")],
        b"2",
    )
    assert head.sent_names == ()


def test_pseudo_fields_come_in_any_order() -> None:
    assert request_head(1, LINE[::-1]) == request_head(1, LINE)


def test_a_value_may_hold_what_is_neither_text_nor_a_line() -> None:
    head = request_head(1, [*LINE, (b"x", b"a\tb \xff\x7f c")])
    assert head.headers[-1] == (b"x", b"a\tb \xff\x7f c")


@pytest.mark.parametrize("value", [b" a", b"a ", b"\ta", b"a\t", b" ", b"a\nb", b"a\rb", b"a\0b", b"\n"])
def test_a_value_may_not_be_padded_or_hold_a_line_break(value: bytes) -> None:
    with pytest.raises(MalformedError):
        request_head(1, [*LINE, (b"x", value)])
    with pytest.raises(MalformedError):
        check_trailers([(b"x", value)])
    assert response_fields(200, [(b"x", value)]) is None


@pytest.mark.parametrize(
    "name", [b"", b"A", b"a b", b"a:b", b"a\n", b"\xe4", b":", b":status", b"connection", b"upgrade"]
)
def test_a_name_must_be_a_name(name: bytes) -> None:
    with pytest.raises(MalformedError):
        request_head(1, [*LINE, (name, b"x")])
    with pytest.raises(MalformedError):
        check_trailers([(name, b"x")])


@pytest.mark.parametrize(
    "line",
    [
        [(b":method", b"G T"), *LINE[1:]],
        [(b":method", b""), *LINE[1:]],
        [LINE[0], (b":scheme", b""), *LINE[2:]],
        [*LINE[:2], (b":authority", b""), LINE[3]],
        [*LINE[:2], (b":authority", b"a b"), LINE[3]],
        [*LINE[:3], (b":path", b"*")],
        [*LINE[:3], (b":path", b"http://a/")],
        [*LINE[:3], (b":path", b"/\xff")],
        [(b":method", b"CONNECT"), *LINE[1:3]],
        [(b":method", b"CONNECT")],
        [*LINE, (b"host", b"a.example"), (b"host", b"a.example")],
    ],
)
def test_a_request_line_must_be_one(line: Headers) -> None:
    with pytest.raises(MalformedError):
        request_head(1, line)


def test_a_response_is_written_in_lower_case_without_the_fields_of_http1() -> None:
    headers = [(b"Content-Length", b"12"), (b"Connection", b"close"), (b"Keep-Alive", b"5"), (b"x-Ms-Meta-A", b"B")]
    fields = response_fields(206, headers)
    assert fields == [(b":status", b"206"), (b"content-length", b"12"), (b"x-ms-meta-a", b"B")]
    assert content_length(fields) == 12
    assert content_length([(b":status", b"200")]) is None


@pytest.mark.parametrize(
    "header", [(b"a b", b""), (b":x", b""), (b"", b""), (b"content-length", b"-1"), (b"content-length", b"")]
)
def test_a_response_that_cannot_be_sent_is_told_apart(header: tuple[bytes, bytes]) -> None:
    assert response_fields(200, [header]) is None


def test_the_size_of_a_list_counts_each_field() -> None:
    assert list_bytes([(b"name", b"value"), (b"", b"")]) == 9 + 2 * 32


FIELDS = st.lists(
    st.tuples(
        st.sampled_from([name for name, _ in LINE] + [b"host", b"x", b"te", b"cookie", b"X", b":status", b"upgrade"]),
        st.sampled_from([b"GET", b"/", b"a.example", b"trailers", b"CONNECT", b"https", b"", b" ", b"a\n"]),
    ),
    max_size=6,
)


@given(FIELDS)
def test_whatever_is_read_is_whole(fields: Headers) -> None:
    """A list is either refused, or gives a method, a target, exactly one host, and nothing of the connection's."""
    try:
        head = request_head(1, fields)
    except MalformedError:
        return
    names = [name for name, _ in head.headers]
    assert head.method
    assert head.target
    assert names.count(b"host") == 1
    assert b"upgrade" not in names
    assert not any(name.startswith(b":") or name != name.lower() for name in names)
