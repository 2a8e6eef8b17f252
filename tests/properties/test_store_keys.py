"""Sorting packed keys is sorting the tuples."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from localzure_storage.keys import Part, Subspace, pack, unpack

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | st.text("\x00\x01a\x7f\uffff", max_size=4)
_PARTS = {
    bytes: st.binary(max_size=6) | st.lists(st.sampled_from([0, 1, 255]), max_size=4).map(bytes),
    str: _TEXT,
    int: st.integers(-(2**63), 2**63 - 1),
    bool: st.booleans(),
    object: st.uuids(),
}


@st.composite
def _same_shape(draw: st.DrawFn) -> list[tuple[Part, ...]]:
    shape = draw(st.lists(st.sampled_from(list(_PARTS)), max_size=4))
    one = st.tuples(*(_PARTS[kind] for kind in shape)).flatmap(
        lambda parts: st.integers(0, len(parts)).map(lambda length: parts[:length])
    )
    return draw(st.lists(one, min_size=1, max_size=8))


@given(_same_shape())
def test_sorting_packed_keys_is_sorting_tuples(tuples: list[tuple[Part, ...]]) -> None:
    assert sorted(pack(*parts) for parts in tuples) == [pack(*parts) for parts in sorted(tuples)]
    for parts in tuples:
        assert unpack(pack(*parts)) == parts


@given(st.binary(max_size=4), _same_shape(), st.data())
def test_ranges_hold_exactly_the_extensions(prefix: bytes, tuples: list[tuple[Part, ...]], data: st.DataObject) -> None:
    space = Subspace(prefix)
    head = data.draw(st.sampled_from(tuples))
    start, stop = space.range(*head)
    for parts in tuples:
        extends = len(parts) > len(head) and parts[: len(head)] == head
        assert (start <= space.pack(*parts) < stop) is extends


@given(st.lists(_TEXT, min_size=1, max_size=8), _TEXT)
def test_prefix_ranges_hold_exactly_the_names_that_begin_so(names: list[str], prefix: str) -> None:
    space = Subspace(b"s")
    start, stop = space.prefix_range(prefix)
    for name in names:
        assert (start <= space.pack(name) < stop) is name.startswith(prefix)


@given(st.binary(max_size=24))
def test_foreign_bytes_are_refused_or_read_back_the_same(key: bytes) -> None:
    try:
        parts = unpack(key)
    except ValueError:
        return
    assert pack(*parts) == key
