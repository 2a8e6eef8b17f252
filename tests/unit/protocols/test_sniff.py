"""The first bytes of a connection tell its protocol, however they are split."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localzure_protocols.sniff import HTTP2_PREFACE, METHOD_BYTES_MAX, Wire, sniff

OPENINGS = [
    (b"AMQP\x03\x01\x00\x00", Wire.AMQP),
    (b"AMQP\x00\x01\x00\x00", Wire.AMQP),
    (b"\x16\x03\x01\x02\x00\x01\x00", Wire.TLS),
    (HTTP2_PREFACE, Wire.HTTP2),
    (b"GET / HTTP/1.1\r\n", Wire.HTTP1),
    (b"PROPFIND /a HTTP/1.1\r\n", Wire.HTTP1),
    (b"PUT /a HTTP/1.1\r\n", Wire.HTTP1),
    (b"P /a HTTP/1.1\r\n", Wire.HTTP1),
    (b"A /a HTTP/1.1\r\n", Wire.HTTP1),
    (b"\x16\x02", Wire.UNKNOWN),
    (b"get / HTTP/1.1\r\n", Wire.UNKNOWN),
    (b" GET / HTTP/1.1\r\n", Wire.UNKNOWN),
    (b"\x00\x00\x00\x00", Wire.UNKNOWN),
    (b"A" * (METHOD_BYTES_MAX + 1), Wire.UNKNOWN),
]


@pytest.mark.parametrize(("opening", "wire"), OPENINGS)
def test_decides_and_never_changes_its_mind(opening: bytes, wire: Wire) -> None:
    verdicts = [sniff(opening[:length]) for length in range(len(opening) + 1)]
    assert verdicts[-1] is wire
    decided = [verdict for verdict in verdicts if verdict is not Wire.MORE]
    assert set(decided) == {wire}
    assert verdicts[0] is Wire.MORE


@given(st.binary(max_size=64))
def test_any_bytes_are_decided_soon(data: bytes) -> None:
    verdict = sniff(data)
    if len(data) > METHOD_BYTES_MAX:
        assert verdict is not Wire.MORE
