"""Structured bodies: what one side writes the other reads, however it is cut, and anything else is refused."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localzure.services.blob.structured import StructuredReader, StructuredSource, StructureError


def message_of(data: bytes) -> bytes:
    source = StructuredSource(data)
    return b"".join(iter(lambda: source.read(1000), b""))


def read(message: bytes, cuts: list[int]) -> bytes:
    reader = StructuredReader(len(message))
    content: list[bytes] = []
    start = 0
    for cut in [*sorted(cuts), len(message)]:
        content += reader.receive(message[start:cut])
        start = max(start, min(cut, len(message)))
    reader.close()
    return b"".join(content)


@given(data=st.binary(max_size=3000), cuts=st.lists(st.integers(0, 3100), max_size=10))
def test_what_is_written_is_read(data: bytes, cuts: list[int]) -> None:
    assert read(message_of(data), cuts) == data


@settings(max_examples=200)
@given(data=st.binary(max_size=300), at=st.integers(0), flip=st.integers(1, 255))
def test_no_damage_goes_unseen(data: bytes, at: int, flip: int) -> None:
    message = bytearray(message_of(data))
    message[at % len(message)] ^= flip
    with pytest.raises(StructureError):
        read(bytes(message), [])


@given(message=st.binary(max_size=200), cuts=st.lists(st.integers(0, 200), max_size=5))
def test_anything_else_is_refused(message: bytes, cuts: list[int]) -> None:
    with contextlib.suppress(StructureError):
        read(message, cuts)
