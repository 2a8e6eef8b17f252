"""The order of services by what they depend on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localzure.plugins.ordering import DependencyError, dependents, needed, start_order

NEEDS: dict[str, tuple[str, ...]] = {
    "blob": (),
    "queue": (),
    "notes": ("blob",),
    "search": ("notes", "queue"),
    "mail": (),
}


def test_each_is_after_what_it_needs_and_the_others_keep_their_order() -> None:
    assert start_order(NEEDS) == ["blob", "queue", "mail", "notes", "search"]


def test_what_is_missing_and_what_is_circular_is_named() -> None:
    with pytest.raises(DependencyError, match="the service notes needs blob, which is not installed or switched off"):
        start_order({"notes": ("blob",)})
    with pytest.raises(DependencyError) as found:
        start_order({"a": ("b",), "b": ("c",), "c": ("a",)})
    circle = str(found.value).rpartition(": ")[2]
    assert circle in ("a -> b -> c -> a", "b -> c -> a -> b", "c -> a -> b -> c")
    with pytest.raises(DependencyError, match="circle: a -> a"):
        start_order({"a": ("a",)})


def test_who_needs_whom_also_by_others() -> None:
    assert dependents(NEEDS, "blob") == {"notes", "search"}
    assert dependents(NEEDS, "mail") == set()
    assert needed(NEEDS, "search") == {"notes", "queue", "blob"}
    assert needed(NEEDS, "blob") == set()


@given(st.lists(st.sets(st.integers(0, 20)), max_size=21))
def test_any_graph_without_circles_is_ordered(raw: list[set[int]]) -> None:
    needs = {str(place): tuple(str(each) for each in sorted(given) if each < place) for place, given in enumerate(raw)}
    order = start_order(needs)
    assert sorted(order) == sorted(needs)
    for name, before in needs.items():
        assert all(order.index(each) < order.index(name) for each in before)
        assert needed(needs, name) == {each for each in needs if name in dependents(needs, each)}
