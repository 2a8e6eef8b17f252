"""Numbers that are given once."""

from __future__ import annotations

from localzure_storage.counter import Counter
from localzure_storage.store import Store


def test_numbers_go_up_from_one_and_each_key_has_its_own(store: Store) -> None:
    writer = store.begin()
    one, other = Counter(b"one"), Counter(b"other")
    assert [one(writer), one(writer), other(writer), one(writer)] == [1, 2, 1, 3]
    writer.abort()


def test_what_was_given_is_remembered_by_the_store(store: Store) -> None:
    writer = store.begin()
    assert Counter(b"one")(writer) == 1
    writer.commit()
    writer = store.begin()
    assert Counter(b"one")(writer) == 2
    writer.abort()
