"""The AMQP codec: each type both ways, bytes of the standard, and everything that must be refused."""

import struct
from typing import Any
from uuid import UUID

import pytest

from localzure_protocols.amqp.codec import (
    DEPTH_MAX,
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
    MapPairs,
    Short,
    Symbol,
    Timestamp,
    Ubyte,
    Uint,
    Ulong,
    Ushort,
    decode,
    decode_all,
    encode,
    encode_pairs,
    list_item,
    map_of,
    skip,
)


def exact(value: Any) -> Any:
    """The value with its types spelled out, because Ubyte(1) == 1 == True in Python."""
    if isinstance(value, Array):
        return ("Array", value.element.__name__, exact(value.descriptor), [exact(item) for item in value])
    if isinstance(value, MapPairs):
        return ("MapPairs", [(exact(key), exact(item)) for key, item in value])
    if isinstance(value, list):
        return ("list", [exact(item) for item in value])
    if isinstance(value, dict):
        return ("dict", [(exact(key), exact(item)) for key, item in value.items()])
    if isinstance(value, Described):
        return ("Described", exact(value.descriptor), exact(value.value))
    return (type(value).__name__, repr(value))


VECTORS = [
    (None, "40"),
    (True, "41"),
    (False, "42"),
    (Ubyte(255), "50ff"),
    (Ushort(65535), "60ffff"),
    (Uint(0), "43"),
    (Uint(255), "52ff"),
    (Uint(256), "7000000100"),
    (Uint(2**32 - 1), "70ffffffff"),
    (Ulong(0), "44"),
    (Ulong(255), "53ff"),
    (Ulong(2**64 - 1), "80ffffffffffffffff"),
    (Byte(-128), "5180"),
    (Short(-2), "61fffe"),
    (Int(-128), "5480"),
    (Int(127), "547f"),
    (Int(128), "7100000080"),
    (-128, "5580"),
    (127, "557f"),
    (128, "810000000000000080"),
    (-(2**63), "818000000000000000"),
    (Float32(1.5), "723fc00000"),
    (1.5, "823ff8000000000000"),
    (Decimal32(b"\x01\x02\x03\x04"), "7401020304"),
    (Decimal64(b"12345678"), "843132333435363738"),
    (Decimal128(b"0123456789abcdef"), "9430313233343536373839616263646566"),
    (Char("€"), "73000020ac"),
    (Timestamp(1), "830000000000000001"),
    (Timestamp(-1), "83ffffffffffffffff"),
    (UUID("00112233-4455-6677-8899-aabbccddeeff"), "9800112233445566778899aabbccddeeff"),
    (b"", "a000"),
    (b"ab", "a0026162"),
    ("", "a100"),
    ("é", "a102c3a9"),
    (Symbol("sym"), "a30373796d"),
    ([], "45"),
    ([None, 1], "c0040240" + "5501"),
    ({}, "c10100"),
    ({"k": Symbol("v")}, "c10702a1016ba30176"),
    (Array([1, 2], int), "e01202" + "81" + "0000000000000001" + "0000000000000002"),
    (Array([], Symbol), "e00200b3"),
    (Array([Symbol("a")], Symbol), "e00701b30000000161"),
    (Array([True, False], bool), "e00402560100"),
    (Array([None, None], type(None)), "e0020240"),
    (Array([[1], []], list), "e01402d0" + "00000006000000015501" + "0000000400000000"),
    (Array([{"k": 1}], dict), "e00f01d1" + "0000000900000002a1016b5501"),
    (Array([Array([Uint(1)], Uint)], Array), "e00f01f0" + "000000090000000170" + "00000001"),
    (Array(["x"], str, Symbol("d")), "e00b0100a30164b10000000178"),
    (Described(Ulong(0x137000000C), "s"), "00800000" + "00137000000c" + "a10173"),
    (Described(Symbol("a:b"), [True]), "00a303613a62c0020141"),
]


@pytest.mark.parametrize(("value", "encoded"), VECTORS, ids=lambda case: repr(case)[:40])
def test_each_type_is_written_and_read_as_the_standard_says(value: object, encoded: str) -> None:
    raw = bytes.fromhex(encoded)
    assert encode(value).hex() == encoded
    assert exact(decode_all(raw)) == exact(value)
    assert skip(raw, 0) == len(raw)
    assert decode(b"\xff" + raw + b"\xff", 1)[1] == len(raw) + 1


LONG_FORMS = [
    ("700000000a", Uint(10)),
    ("80000000000000000a", Ulong(10)),
    ("710000000a", Int(10)),
    ("81000000000000000a", 10),
    ("5600", False),
    ("5601", True),
    ("b0000000026162", b"ab"),
    ("b1000000026162", "ab"),
    ("b3000000026162", Symbol("ab")),
    ("d00000000400000000", []),
    ("d000000006000000015501", [1]),
    ("d100000009000000" + "02a1016b5501", {"k": 1}),
    ("f00000000900000001" + "7000000001", Array([Uint(1)], Uint)),
    ("e0020341", Array([True, True, True], bool)),
    ("e00100", Array([], type(None))),
]


@pytest.mark.parametrize(("encoded", "value"), LONG_FORMS, ids=lambda case: repr(case)[:40])
def test_longer_and_rarer_forms_are_read(encoded: str, value: object) -> None:
    raw = bytes.fromhex(encoded)
    assert exact(decode_all(raw)) == exact(value)
    assert skip(raw, 0) == len(raw)


def test_long_values_take_the_wide_forms() -> None:
    for value in ("x" * 300, b"x" * 300, Symbol("x" * 300), [1] * 300, dict.fromkeys(range(300))):
        assert exact(decode_all(encode(value))) == exact(value)
    numbers = Array(range(1000), int)
    assert encode(numbers)[0] == 0xF0
    assert exact(decode_all(encode(numbers))) == exact(numbers)


def test_maps_that_a_dict_cannot_hold_stay_whole() -> None:
    pairs = MapPairs([([1], "list"), ({}, "map"), (1, "long"), (Uint(1), "uint"), (True, "true")])
    assert exact(decode_all(encode(pairs))) == exact(pairs)
    nested = Array([pairs], dict)
    assert exact(decode_all(encode(nested))) == exact(nested)


def test_subclasses_and_buffers_are_written_as_what_they_resemble() -> None:
    class Name(str):
        __slots__ = ()

    assert encode(Name("a")) == encode("a")
    assert encode(bytearray(b"a")) == encode(memoryview(b"a")) == encode(b"a")
    assert encode((1, 2)) == encode([1, 2])


def test_pairs_can_be_joined_into_one_map() -> None:
    first, second = encode_pairs([("a", 1)]), encode_pairs([("b", 2), ("c", 3)])
    assert decode_all(map_of(first[0] + second[0], first[1] + second[1])) == {"a": 1, "b": 2, "c": 3}


@pytest.mark.parametrize("value", [object(), {1, 2}, Array([], object)])
def test_a_value_without_encoding_is_a_type_error(value: object) -> None:
    with pytest.raises(TypeError):
        encode(value)


@pytest.mark.parametrize(
    "value",
    [2**63, Uint(-1), Uint(2**32), Ubyte(256), Int(2**31), Char("ab"), Symbol("é"), Decimal32(b"1"), [Ulong(2**64)]],
    ids=repr,
)
def test_a_value_out_of_range_is_a_value_error(value: object) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        encode(value)


MALFORMED = {
    "nothing": "",
    "unknown constructor": "46",
    "boolean of 2": "5602",
    "char beyond Unicode": "7300110000",
    "char that is a surrogate": "730000d800",
    "string cut off": "a10361",
    "string that is not UTF-8": "a101ff",
    "symbol that is not ASCII": "a301ff",
    "long size cut off": "b10000",
    "list smaller than its size byte": "c000",
    "list longer than the buffer": "c0ff01",
    "list with more items than bytes": "c00203" + "40",
    "list with bytes left": "c0030140" + "40",
    "list whose item reaches beyond it": "c00401a102" + "7878",
    "list item beyond the list, inside the buffer": "c0020171" + "00000001",
    "map with an odd count": "c1020140",
    "array cut off": "e0",
    "array of described descriptors only": "e00301" + "00a3",
    "array of unknown type": "e0020146",
    "array with bytes left": "e0040156" + "0100",
    "array with more elements than bytes": "e0030956" + "01",
    "array of many nulls": "f000000005" + "7fffffff" + "40",
    "uuid cut off": "98" + "00" * 15,
    "decimal cut off": "7400",
    "descriptor without value": "00a30161",
    "wide list cut off": "d000000004",
    "wide list with a size that wraps": "d0ffffffff00000001",
    "described nothing": "00",
}


@pytest.mark.parametrize("encoded", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_values_are_refused(encoded: str) -> None:
    with pytest.raises(AmqpDecodeError):
        decode(bytes.fromhex(encoded))


def test_bytes_behind_the_only_value_are_refused() -> None:
    with pytest.raises(AmqpDecodeError, match="1 bytes behind"):
        decode_all(b"\x40\x40")


@pytest.mark.parametrize("encoded", ["", "46", "a1", "a103", "b100", "c0", "d00000", "98", "0053", "00"])
def test_skip_refuses_what_is_cut_off_or_unknown(encoded: str) -> None:
    with pytest.raises(AmqpDecodeError):
        skip(bytes.fromhex(encoded), 0)


def nested_list(depth: int) -> bytes:
    value = b"\x45"
    for _ in range(depth - 1):
        value = b"\xd0" + struct.pack(">II", len(value) + 4, 1) + value
    return value


def test_nesting_ends_at_the_limit() -> None:
    assert decode_all(nested_list(DEPTH_MAX))
    for too_deep in (nested_list(DEPTH_MAX + 2), b"\x00" * 5000 + b"\x40", b"\x00\x40" * 5000 + b"\x40"):
        with pytest.raises(AmqpDecodeError):
            decode_all(too_deep)
    for too_deep in (b"\x00" * 5000 + b"\x40", b"\x00\x40" * 5000 + b"\x40"):
        with pytest.raises(AmqpDecodeError):
            skip(too_deep, 0)
    array = b"\x40"
    for _ in range(DEPTH_MAX + 2):
        array = b"\xf0" + struct.pack(">II", len(array) + 4, 1) + array
    with pytest.raises(AmqpDecodeError):
        decode_all(array)


@pytest.mark.parametrize("items", [[], [1, "two", None], [b"x" * 300, Symbol("s"), {"k": [1]}]])
def test_one_item_of_a_list_is_read_without_the_others(items: list[Any]) -> None:
    raw = encode(items)
    assert [list_item(raw, 0, index) for index in range(4)] == [*items, None, None, None, None][:4]


@pytest.mark.parametrize(
    ("encoded", "index"), [("", 0), ("40", 0), ("c0", 0), ("d0000000", 0), ("c0020155" + "01", 0), ("c00402a10161", 1)]
)
def test_reading_one_item_refuses_what_is_no_list(encoded: str, index: int) -> None:
    with pytest.raises(AmqpDecodeError):
        list_item(bytes.fromhex(encoded), 0, index)
