"""Whatever bytes come, each AMQP parser refuses them with its own error or reads what can be written and read again.

A wrong pointer in the connection kills its process, so that one is fuzzed in a process of its own.
"""

from __future__ import annotations

import os
import random  # noqa: TID251 - another seed each time, which a failure names
import subprocess
import sys
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from localzure_protocols.amqp.codec import (
    AmqpDecodeError,
    Array,
    Byte,
    Char,
    Decimal32,
    Decimal64,
    Decimal128,
    Described,
    Float32,
    Int,
    Short,
    Symbol,
    Timestamp,
    Ubyte,
    Uint,
    Ulong,
    Ushort,
    decode,
    encode,
    list_item,
    skip,
)
from localzure_protocols.amqp.message import (
    BATCH_FORMAT,
    PROPERTY_INDEX,
    Header,
    Properties,
    encode_application_properties,
    encode_data,
    encode_header,
    encode_message_annotations,
    encode_properties,
    encode_value,
    split,
)
from localzure_protocols.amqp.sasl import SASL_FRAME_SIZE_MAX, SaslError, SaslServer
from tests.protocols.test_amqp_handshake import sasl_frame
from tests.unit.protocols.amqp.test_amqp_codec import exact

# Bytes that are nearly right: an encoding with a few of its bytes changed, dropped or doubled.


def bent(encodings: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    def bend(raw: bytes, edits: list[tuple[int, int, int]]) -> bytes:
        data = bytearray(raw)
        for kind, where, byte in edits:
            if not data:
                break
            at = where % len(data)
            if kind == 0:
                data[at] = byte
            elif kind == 1:
                del data[at]
            elif kind == 2:
                data.insert(at, byte)
            else:
                del data[at:]
        return bytes(data)

    edit = st.tuples(st.integers(0, 3), st.integers(0, 500), st.integers(0, 255))
    return st.builds(bend, encodings, st.lists(edit, max_size=4))


SCALARS: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(0, 255).map(Ubyte),
    st.integers(0, 2**16 - 1).map(Ushort),
    st.integers(0, 2**32 - 1).map(Uint),
    st.integers(0, 2**64 - 1).map(Ulong),
    st.integers(-128, 127).map(Byte),
    st.integers(-(2**15), 2**15 - 1).map(Short),
    st.integers(-(2**31), 2**31 - 1).map(Int),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-(2**63), 2**63 - 1).map(Timestamp),
    st.floats(width=32).map(Float32),
    st.floats(),
    st.characters(exclude_categories=["Cs"]).map(Char),
    st.binary(min_size=4, max_size=4).map(Decimal32),
    st.binary(min_size=8, max_size=8).map(Decimal64),
    st.binary(min_size=16, max_size=16).map(Decimal128),
    st.uuids(),
    st.binary(max_size=300),
    st.text(max_size=300),
    st.text(st.characters(max_codepoint=127), max_size=30).map(Symbol),
)
ARRAYS = st.one_of(
    st.lists(st.integers(-5, 5), max_size=5).map(lambda values: Array(values, int)),
    st.lists(st.uuids(), max_size=3).map(lambda values: Array(values, UUID)),
    st.lists(st.text(max_size=5), max_size=3).map(lambda values: Array(values, str, Symbol("d"))),
    st.lists(st.none(), max_size=70).map(lambda values: Array(values, type(None))),
)
VALUES = st.recursive(
    st.one_of(SCALARS, ARRAYS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.dictionaries(SCALARS, inner, max_size=4),
        st.builds(Described, st.one_of(st.just(Ulong(7)), st.just(Symbol("s"))), inner),
    ),
    max_leaves=15,
)


def value_is_sound(raw: bytes, *, write: Callable[[Any], bytes] = encode) -> None:
    """Reading raises AmqpDecodeError, or gives a value that is written as it is read; skipping ends where it does."""
    try:
        value, after = decode(raw)
    except AmqpDecodeError:
        return
    assert after <= len(raw)
    assert skip(raw, 0) == after
    # Compared with types spelled out, because 1 is equal to Ubyte(1), and NaN not to itself.
    assert exact(decode(write(value))[0]) == exact(value)
    if isinstance(value, list) and not isinstance(value, Array) and raw[0] in {0x45, 0xC0, 0xD0}:
        for index in range(len(value)):
            assert exact(list_item(raw, 0, index)) == exact(value[index])


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.binary(max_size=60), bent(VALUES.map(encode))))
@example(b"\xf0\x00\x00\x00\x05\x7f\xff\xff\xff\x40")
@example(b"\x00" * 200)
def test_any_bytes_are_a_sound_value_or_refused(raw: bytes) -> None:
    value_is_sound(raw)


@settings(max_examples=200, deadline=None)
@given(VALUES)
def test_any_value_comes_back(value: Any) -> None:
    raw = encode(value)
    again, after = decode(raw)
    assert after == len(raw)
    assert encode(again) == raw
    value_is_sound(raw)


def test_a_codec_that_loses_a_type_is_noticed() -> None:
    with pytest.raises(AssertionError):
        value_is_sound(encode(Uint(9)), write=lambda value: encode(Ulong(value)))


MESSAGES = st.lists(
    st.one_of(
        st.builds(encode_header, st.builds(Header, durable=st.booleans(), ttl=st.integers(0, 2**32 - 1))),
        st.builds(
            encode_properties, st.builds(Properties, message_id=st.text(max_size=5), group_id=st.text(max_size=3))
        ),
        st.dictionaries(st.text(st.characters(max_codepoint=127), max_size=5), SCALARS).map(encode_message_annotations),
        st.dictionaries(st.text(max_size=5), SCALARS, max_size=3).map(encode_application_properties),
        st.binary(max_size=300).map(encode_data),
        VALUES.map(encode_value),
        st.sampled_from([b"\x00\x53\x73\x45", b"\x00\x53\x70\x40", b"\x00\x53\x76\x45", b"\x00\x53\x78\xc1\x01\x00"]),
    ),
    max_size=5,
).map(b"".join)


def sections_are_sound(raw: bytes, *, dropped: int = 0) -> None:
    """Splitting raises AmqpDecodeError, or finds sections that lie side by side and split again to the same."""
    try:
        sections = split(raw)
    except AmqpDecodeError:
        return
    edges = [(start, end) for _, start, _, end in sections.ranges]
    assert [0, *(end for _, end in edges)] == [*(start for start, _ in edges), len(raw) - dropped]
    bare = split(sections.bare())
    assert bare.bare() == sections.bare()
    assert bare.body_code == sections.body_code
    for read in (
        sections.header,
        sections.properties,
        sections.delivery_annotations,
        sections.message_annotations,
        sections.application_properties,
        sections.footer,
        sections.value,
        sections.sequences,
        *(lambda name=name: sections.property(name) for name in PROPERTY_INDEX),
    ):
        try:
            read()
        except AmqpDecodeError:
            continue
    assert all(isinstance(content, bytes) for content in sections.data())


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.binary(max_size=60), bent(MESSAGES), MESSAGES))
def test_any_bytes_are_a_sound_message_or_refused(raw: bytes) -> None:
    sections_are_sound(raw)


def test_a_split_that_loses_a_section_is_noticed() -> None:
    assert BATCH_FORMAT == 0x80013700
    with pytest.raises(AssertionError):
        sections_are_sound(encode_data(b"one"), dropped=1)


SASL_FRAMES = st.one_of(
    st.builds(
        sasl_frame,
        st.sampled_from([0x41, 0x41, 0x43, 0x40, 0x44, 0x45]),
        st.one_of(st.sampled_from([Symbol("PLAIN"), Symbol("ANONYMOUS"), Symbol("x"), "PLAIN", b"r"]), VALUES),
        st.one_of(st.none(), st.binary(max_size=20), VALUES),
    ),
    st.binary(max_size=30),
)


def sasl_is_sound(data: bytes, cut: int, *, kept: int = SASL_FRAME_SIZE_MAX) -> None:
    """SASL raises nothing but SaslError, keeps at most one frame, and does not care how its bytes are cut."""

    def run(*parts: bytes) -> tuple[Any, ...]:
        server, out, rest = SaslServer(), b"", b""
        try:
            for part in parts:
                if server.is_done:
                    rest += part
                    continue
                sent, behind = server.receive(part)
                out, rest = out + sent, rest + behind
                assert len(server._buffer) <= kept
        except SaslError:
            return ("refused", server.mechanism)
        return out, rest, server.mechanism, server.response, server.is_done, server.has_failed

    assert run(data) == run(data[:cut], data[cut:])


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(SASL_FRAMES, bent(SASL_FRAMES)), max_size=4).map(b"".join), st.integers(0, 80))
def test_any_bytes_are_sound_sasl_or_refused(data: bytes, cut: int) -> None:
    sasl_is_sound(data, cut)


def test_sasl_that_keeps_too_much_is_noticed() -> None:
    with pytest.raises(AssertionError):
        sasl_is_sound(sasl_frame(0x41, Symbol("PLAIN"), b"x" * 50)[:-1], 3, kept=10)


# -- the connection


def harness(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the connection's harness; freed memory is overwritten, so that using it does not go unnoticed."""
    return subprocess.run(
        [sys.executable, "-X", "faulthandler", "-m", "tests.fuzz.amqp_connection_harness", *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, "MALLOC_PERTURB_": "165", "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def test_any_client_and_any_service_leave_the_process_alive() -> None:
    seed = os.environ.get("LOCALZURE_FUZZ_SEED") or str(random.randrange(10**9))
    rounds = os.environ.get("LOCALZURE_FUZZ_ROUNDS", "150")
    result = harness(seed, rounds)
    assert result.returncode == 0, f"seed {seed}: {result.stdout[-2000:]}{result.stderr[-4000:]}"


@pytest.mark.parametrize("canary", ["dead-pointer", "lost-frame", "double-close"])
def test_a_broken_connection_is_noticed(canary: str) -> None:
    result = harness("1", "150", canary)
    assert result.returncode != 0
    assert "nothing was noticed" not in result.stdout
