"""The tuple encoding: order, round trips, ranges and refusals."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from uuid import UUID

import pytest

from localzure_storage.keys import Part, Subspace, int_key, int_of, pack, prefix_stop, unpack


class Colour(StrEnum):
    RED = "red"


class Size(IntEnum):
    BIG = 7


@pytest.mark.parametrize(
    ("parts", "encoded"),
    [
        ((), b""),
        (("ab",), b"\x02ab\x00"),
        (("a\x00b",), b"\x02a\x00\xffb\x00"),
        ((b"\xff\x00",), b"\x01\xff\x00\xff\x00"),
        ((0,), b"\x15" + bytes(8)),
        ((-1,), b"\x14" + b"\xff" * 8),
        ((258,), b"\x15\x00\x00\x00\x00\x00\x00\x01\x02"),
        ((False, True), b"\x26\x27"),
        ((UUID(int=5),), b"\x30" + bytes(15) + b"\x05"),
        (("q", 1), b"\x02q\x00\x15" + bytes(7) + b"\x01"),
    ],
)
def test_encoding_is_fixed_and_reversible(parts: tuple[Part, ...], encoded: bytes) -> None:
    assert pack(*parts) == encoded
    assert unpack(encoded) == parts


def test_bool_is_told_from_int() -> None:
    yes = True
    assert unpack(pack(yes, 1)) == (True, 1)
    assert type(unpack(pack(yes))[0]) is bool


def test_enumerations_are_packed_as_their_values() -> None:
    assert pack(Colour.RED, Size.BIG) == pack("red", 7)


def test_int_key_is_the_packed_integer() -> None:
    space = Subspace(b"queue")
    for number in (0, 1, 2**63 - 1):
        assert int_key(space.prefix, number) == space.pack(number)
        assert int_of(int_key(space.prefix, number)) == number
    assert int_of(pack(-7)) == -7


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1])
def test_integers_beyond_64_bits_are_refused(number: int) -> None:
    with pytest.raises(ValueError, match="64 bits"):
        pack(number)


def test_lone_surrogates_are_refused() -> None:
    with pytest.raises(UnicodeEncodeError):
        pack("\ud800")


@pytest.mark.parametrize("part", [1.5, None, ("a",)])
def test_other_types_are_refused(part: object) -> None:
    with pytest.raises(TypeError, match="cannot hold"):
        pack(part)  # type: ignore[arg-type]  # what is refused


@pytest.mark.parametrize(
    "key",
    [b"\x02ab", b"\x02ab\x00\xff", b"\x01", b"\x15\x00", b"\x30abc", b"\x99", b"\x02\xff\x00", b"\x14" + bytes(8)],
)
def test_foreign_bytes_are_refused(key: bytes) -> None:
    with pytest.raises(ValueError, match=r"key|utf-8"):
        unpack(key)


def test_range_holds_what_extends_the_tuple_and_nothing_else() -> None:
    space = Subspace(b"p")
    start, stop = space.range("a")
    inside: list[tuple[Part, ...]] = [("a", ""), ("a", b""), ("a", 0), ("a", -1), ("a", True), ("a", "b", "c")]
    inside.append(("a", UUID(int=2**128 - 1)))
    outside = [("a",), ("",), ("a\x00",), ("a\x00", "x"), ("ab",), ("ab", 1), ("b",), ()]
    assert all(start <= space.pack(*parts) < stop for parts in inside)
    assert not any(start <= space.pack(*parts) < stop for parts in outside)


def test_range_without_parts_is_the_whole_space_but_its_prefix() -> None:
    space = Subspace(b"p").subspace("n")
    start, stop = space.range()
    assert start <= space.pack(-5) < stop
    assert not start <= space.prefix < stop
    assert (start, stop) == Subspace(b"p").range("n")


@pytest.mark.parametrize(
    ("prefix", "inside", "outside"),
    [
        ("", ["", "a", "\U0010ffff"], [b"", b"a"]),
        ("a/", ["a/", "a/b", "a/\U0010ffff"], ["a", "a0", "b", ""]),
        ("a\x00", ["a\x00", "a\x00b", "a\x00\x00"], ["a", "a\x01"]),
        (b"\xff\xff", [b"\xff\xff", b"\xff\xff\xff"], [b"\xff", b"\xff\xfe", "a"]),
    ],
)
def test_prefix_range_holds_the_parts_that_begin_so(prefix: Part, inside: list[Part], outside: list[Part]) -> None:
    space = Subspace(b"x")
    start, stop = space.prefix_range("c", prefix)
    for tail in ((), (1,), ("z",)):
        assert all(start <= space.pack("c", part, *tail) < stop for part in inside)
        assert not any(start <= space.pack("c", part, *tail) < stop for part in outside)
    assert not start <= space.pack("c") < stop
    assert not start <= space.pack("d", prefix) < stop


@pytest.mark.parametrize("parts", [(), ("a", 1)])
def test_prefix_range_wants_text_or_bytes(parts: tuple[Part, ...]) -> None:
    with pytest.raises(TypeError):
        Subspace(b"").prefix_range(*parts)


def test_unpack_of_another_spaces_key_is_refused() -> None:
    with pytest.raises(ValueError, match="does not begin"):
        Subspace(b"a").unpack(b"b")
    assert Subspace(b"a").unpack(Subspace(b"a").pack("x", 3)) == ("x", 3)


def test_prefix_stop_carries_over_ff() -> None:
    assert prefix_stop(b"a\xff\xff") == b"b"
    with pytest.raises(ValueError, match="no key comes after"):
        prefix_stop(b"\xff")


def test_repr_names_the_prefix() -> None:
    assert repr(Subspace(b"a")) == "Subspace(b'a')"
