"""Frames as bytes: the quick reader of transfers agrees with the general one, padding adds nulls and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localzure_protocols.amqp.codec import AmqpDecodeError, Described, Symbol, Uint, Ulong, encode
from localzure_protocols.amqp.frames import (
    DISPOSITION,
    END,
    FIELD_COUNTS,
    FLOW,
    OPEN,
    TRANSFER,
    FrameBuffer,
    pad_frame,
    read_performative,
    read_transfer,
    write_frame,
)
from tests.protocols.amqp_peers import frame, read_frames, transfer_frame

HANDLES = st.one_of(st.integers(0, 300), st.integers(0, 2**32 - 1)).map(Uint)
BOOLEANS = st.sampled_from([None, True, False])
FIELDS = st.tuples(
    HANDLES,
    st.one_of(st.none(), HANDLES),
    st.one_of(st.none(), st.binary(max_size=40)),
    st.one_of(st.none(), st.sampled_from([Uint(0), Uint(7), Uint(0x80013700)])),
    BOOLEANS,
    BOOLEANS,
    st.one_of(st.none(), st.just(Uint(1))),
    st.one_of(st.none(), st.just(Described(Ulong(0x24), [])), st.just(True)),
    BOOLEANS,
    BOOLEANS,
    BOOLEANS,
)


@given(FIELDS, st.integers(0, 11), st.binary(max_size=20))
def test_the_quick_reader_agrees_with_the_general_one(fields: tuple[Any, ...], count: int, payload: bytes) -> None:
    raw = b"before" + frame(1, TRANSFER, *fields[:count], payload=payload)
    quick = read_transfer(raw, 6, len(raw))
    _, general, payload_start = read_performative(raw, 14, len(raw))
    if quick is None:
        return
    handle, tag, message_format, settled, more, start = quick
    assert (handle, tag, start) == (general[0], general[2], payload_start)
    assert (message_format or None, settled or None, more or None) == tuple(field or None for field in general[3:6])
    assert not any(general[6:])


USUAL = [
    transfer_frame(0, 1, b"payload", b"tag", Uint(0)),
    transfer_frame(200, 2**20, b"payload", b"t" * 32, Uint(0x80013700), False),
    transfer_frame(1, None, b"payload", b"", None, True, True),
    transfer_frame(1, 5, b"", b"tag", Uint(0), False, False, None, None, None, False, False),
]


@pytest.mark.parametrize("raw", USUAL, ids=len)
def test_usual_transfers_are_read_quickly(raw: bytes) -> None:
    assert read_transfer(raw, 0, len(raw)) is not None


UNUSUAL = {
    "a large handle": transfer_frame(300, 1, b"x", b"tag", Uint(0)),
    "no tag": transfer_frame(0, 1, b"x", None, Uint(0)),
    "three fields": transfer_frame(0, 1, b"x", b"tag"),
    "a small format": transfer_frame(0, 1, b"x", b"tag", Uint(9)),
    "a format that is text": transfer_frame(0, 1, b"x", b"tag", "0"),
    "a state": transfer_frame(0, 1, b"x", b"tag", Uint(0), None, None, None, Described(Ulong(0x24), [])),
    "an abort": transfer_frame(0, 1, b"x", b"tag", Uint(0), None, None, None, None, None, True),
    "a settle mode": transfer_frame(0, 1, b"x", b"tag", Uint(0), None, None, Uint(1)),
    "an id that is text": transfer_frame(0, None, b"x", "id", b"tag", Uint(0)),
    "cut inside the header": transfer_frame(0, 1, b"x", b"tag", Uint(0))[:13],
    "cut inside the list": transfer_frame(0, 1, b"", b"tag", Uint(0))[:-2],
    "cut inside the format": transfer_frame(0, 1, b"", b"tag", Uint(0x80013700))[:-2],
    "a list longer than its frame": b"\x00\x00\x00\x11\x02\x00\x00\x00\x00\x53\x14\xc0\xff\x04\x43\x43\xa0",
}


@pytest.mark.parametrize("raw", UNUSUAL.values(), ids=UNUSUAL.keys())
def test_unusual_transfers_are_left_to_the_general_reader(raw: bytes) -> None:
    assert read_transfer(raw, 0, len(raw)) is None


PADDED: list[tuple[int, tuple[Any, ...], bytes]] = [
    (TRANSFER, (Uint(0), Uint(1), b"tag", Uint(0)), b"payload"),
    (TRANSFER, (Uint(0), Uint(1), b"t" * 230, Uint(0)), b""),
    (TRANSFER, (Uint(0), Uint(1), b"t" * 240, Uint(0), True), b"payload" * 1000),
    (TRANSFER, (Uint(0), Uint(1), b"t" * 250, Uint(0), True), b"payload"),
    (TRANSFER, (Uint(0), Uint(1), b"t", Uint(0), *[None] * 7), b"payload"),
    (FLOW, (Uint(0), Uint(1), Uint(2), Uint(3)), b""),
    (DISPOSITION, (True, Uint(1)), b""),
]


@pytest.mark.parametrize(("code", "fields", "payload"), PADDED, ids=lambda case: repr(case)[:30])
def test_padding_adds_nulls_and_nothing_else(code: int, fields: tuple[Any, ...], payload: bytes) -> None:
    raw = b"before" + frame(9, code, *fields, payload=payload) + b"after"
    padded = b"".join(pad_frame(raw, 6, len(raw) - 5, code))
    (found,) = read_frames(padded)
    assert found.channel == 9
    assert found.fields == [*fields, *[None] * (FIELD_COUNTS[code] - len(fields))]
    assert found.payload == payload


def test_performatives_are_written_in_full() -> None:
    (found,) = read_frames(write_frame(3, OPEN, ["container"]))
    assert found.fields == ["container", *[None] * 9]
    assert write_frame(3, END, [None]) == bytes.fromhex("0000000f" + "02000003" + "005317c0020140")


@pytest.mark.parametrize(
    "performative",
    [
        b"",
        b"\x40",
        encode(Described(Ulong(0x40), [])),
        encode(Described(0x10, [])),
        encode(Described(Symbol("amqp:header:list"), [])),
        encode(Described([], [])),
        encode(Described(Ulong(0x17), {})),
        encode(Described(Ulong(0x17), [None, None])),
        encode(Described(Ulong(0x17), [None]))[:-1],
    ],
    ids=repr,
)
def test_what_is_no_performative_is_refused(performative: bytes) -> None:
    with pytest.raises(AmqpDecodeError):
        read_performative(performative, 0, len(performative))


def test_a_performative_must_end_with_its_frame() -> None:
    raw = encode(Described(Ulong(0x17), [None]))
    assert read_performative(raw + b"rest", 0, len(raw) + 4) == (END, [None], len(raw))
    with pytest.raises(AmqpDecodeError, match="beyond its frame"):
        read_performative(raw, 0, len(raw) - 1)


def test_pieces_of_frames_are_joined_once_they_are_whole() -> None:
    buffer = FrameBuffer()
    assert buffer.take(b"\x00\x00\x00\x0a") == b"\x00\x00\x00\x0a"
    buffer.keep(b"\x00\x00\x00\x0a")
    assert buffer.take(b"\x01\x02\x03\x04\x05") == b""
    assert buffer.take(b"\x06next") == b"\x00\x00\x00\x0a\x01\x02\x03\x04\x05\x06next"
    assert buffer.take(b"fresh") == b"fresh"
    buffer.keep(b"\x00\x00")
    assert buffer.take(b"\x00") == b""
    assert buffer.take(b"\x09") == b"\x00\x00\x00\x09"
