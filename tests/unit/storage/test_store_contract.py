"""What both backends promise: the rules of `localzure_storage.store`, one by one."""

from __future__ import annotations

import random  # noqa: TID251  # seeded: the same in every run

import pytest

from localzure_storage.lmdb import LmdbStore
from localzure_storage.lmdb_keys import SHORT_KEY_BYTES_MAX as SHORT
from localzure_storage.lmdb_values import PIECE_BYTES, POINTER_BYTES
from localzure_storage.store import KEY_BYTES_MAX, VALUE_BYTES_MAX, StorageError, Store

_LENGTHS = [0, 1, POINTER_BYTES - 1, POINTER_BYTES, POINTER_BYTES + 1, 2038, PIECE_BYTES - 1, PIECE_BYTES]
_LENGTHS += [PIECE_BYTES + 1, 2 * PIECE_BYTES, 2 * PIECE_BYTES + 1, 300_000, 5_000_000]


def put(store: Store, *pairs: tuple[bytes, bytes]) -> None:
    """Commit some pairs."""
    txn = store.begin()
    for key, value in pairs:
        txn.put(key, value)
    txn.commit()


def content(
    store: Store, start: bytes = b"", stop: bytes = b"\xff" * 600, *, reverse: bool = False, limit: int | None = None
) -> list[tuple[bytes, bytes]]:
    with store.read() as reader:
        return list(reader.scan(start, stop, reverse=reverse, limit=limit))


class BoomError(Exception):
    pass


def test_a_new_store_is_empty(store: Store) -> None:
    assert content(store) == []
    with store.read() as reader:
        assert reader.get(b"a") is None


def test_commit_makes_writes_visible_and_abort_undoes_them(store: Store) -> None:
    put(store, (b"a", b"1"), (b"b", b"2"))
    txn = store.begin()
    txn.put(b"a", b"changed")
    assert txn.delete(b"b")
    txn.put(b"c", b"new")
    assert [txn.get(key) for key in (b"a", b"b", b"c")] == [b"changed", None, b"new"]
    assert list(txn.scan(b"a", b"z")) == [(b"a", b"changed"), (b"c", b"new")]
    txn.abort()
    assert content(store) == [(b"a", b"1"), (b"b", b"2")]


def test_delete_tells_whether_the_key_was_there(store: Store) -> None:
    txn = store.begin()
    assert not txn.delete(b"a")
    txn.put(b"a", b"")
    assert txn.get(b"a") == b""
    assert txn.delete(b"a")
    assert not txn.delete(b"a")
    assert not txn.delete(b"x" * 3000)
    assert not txn.delete(b"")
    txn.commit()


def test_a_transaction_that_ended_cannot_be_used(store: Store) -> None:
    txn = store.begin()
    txn.put(b"a", b"1")
    txn.commit()
    with pytest.raises(StorageError):
        txn.put(b"a", b"2")
    with pytest.raises(StorageError):
        txn.get(b"a")
    assert content(store) == [(b"a", b"1")]


def test_there_is_one_write_transaction_at_a_time(store: Store) -> None:
    txn = store.begin()
    with pytest.raises(StorageError):
        store.begin()
    txn.abort()
    store.begin().abort()


def test_a_reader_beside_the_writer_sees_the_last_commit(store: Store) -> None:
    put(store, (b"a", b"1"), (b"b", b"2"))
    txn = store.begin()
    txn.put(b"a", b"changed")
    with txn.nested() as inner:
        inner.delete(b"b")
        inner.put(b"c", b"new")
        with store.read() as reader:
            assert [reader.get(key) for key in (b"a", b"b", b"c")] == [b"1", b"2", None]
            assert list(reader.scan(b"a", b"z")) == [(b"a", b"1"), (b"b", b"2")]
            assert list(reader.scan(b"a", b"z", reverse=True, limit=1)) == [(b"b", b"2")]
    txn.commit()
    assert content(store) == [(b"a", b"changed"), (b"c", b"new")]


def test_a_reader_sees_one_commit_to_its_end(store: Store) -> None:
    put(store, (b"a", b"1"), (b"b", b"2"))
    with store.read() as reader:
        put(store, (b"a", b"3"), (b"c", b"4"))
        txn = store.begin()
        txn.delete(b"b")
        txn.put(b"c", b"5")
        txn.commit()
        assert [reader.get(key) for key in (b"a", b"b", b"c")] == [b"1", b"2", None]
        assert list(reader.scan(b"a", b"z")) == [(b"a", b"1"), (b"b", b"2")]
    assert content(store) == [(b"a", b"3"), (b"c", b"5")]


def test_nested_is_kept_when_its_block_ends(store: Store) -> None:
    txn = store.begin()
    txn.put(b"a", b"1")
    with txn.nested() as outer:
        outer.put(b"a", b"2")
        with outer.nested() as inner:
            assert inner.get(b"a") == b"2"
            inner.put(b"b", b"3")
        assert outer.get(b"b") == b"3"
    assert list(txn.scan(b"a", b"z")) == [(b"a", b"2"), (b"b", b"3")]
    txn.commit()
    assert content(store) == [(b"a", b"2"), (b"b", b"3")]


def test_nested_that_raises_is_undone_alone(store: Store) -> None:
    put(store, (b"a", b"1"), (b"b", b"1"))
    txn = store.begin()
    txn.put(b"c", b"before")
    with pytest.raises(BoomError), txn.nested() as inner:
        inner.put(b"a", b"2")
        inner.delete(b"b")
        inner.put(b"c", b"x" * 9000)
        inner.put(b"k" * 2000, b"long")
        raise BoomError
    txn.put(b"d", b"after")
    with txn.nested() as inner:
        inner.put(b"e", b"kept")
    txn.commit()
    assert content(store) == [(b"a", b"1"), (b"b", b"1"), (b"c", b"before"), (b"d", b"after"), (b"e", b"kept")]


def test_an_outer_nested_takes_its_inner_ones_along(store: Store) -> None:
    put(store, (b"a", b"1"))
    txn = store.begin()
    with pytest.raises(BoomError), txn.nested() as outer:
        with outer.nested() as inner:
            inner.put(b"a", b"2")
            inner.put(b"b", b"3")
        raise BoomError
    assert list(txn.scan(b"a", b"z")) == [(b"a", b"1")]
    txn.commit()


def test_an_inner_nested_that_raises_leaves_the_outer(store: Store) -> None:
    txn = store.begin()
    with txn.nested() as outer:
        outer.put(b"a", b"1")
        with pytest.raises(BoomError), outer.nested() as inner:
            inner.put(b"a", b"2")
            raise BoomError
        outer.put(b"b", b"1")
    txn.commit()
    assert content(store) == [(b"a", b"1"), (b"b", b"1")]


def test_a_transaction_is_not_used_while_a_nested_one_is_open(store: Store) -> None:
    txn = store.begin()
    with txn.nested(), pytest.raises(StorageError):
        txn.get(b"a")
    txn.abort()


def test_abort_takes_kept_nested_transactions_along(store: Store) -> None:
    txn = store.begin()
    with txn.nested() as inner:
        inner.put(b"a", b"1")
    txn.abort()
    assert content(store) == []


@pytest.mark.parametrize("length", _LENGTHS)
def test_values_of_all_sizes_come_back_whole(store: Store, length: int) -> None:
    value = random.Random(length).randbytes(length)
    put(store, (b"v", value), (b"w", b"neighbour"))
    with store.read() as reader:
        found = reader.get(b"v")
        assert found == value
        assert type(found) is bytes
    assert content(store) == [(b"v", value), (b"w", b"neighbour")]


def test_values_replace_each_other_at_all_sizes(store: Store) -> None:
    values = [bytes([at]) * length for at, length in enumerate(_LENGTHS)]
    for before in values:
        for after in values[:-2]:
            put(store, (b"v", before))
            put(store, (b"v", after))
            assert content(store) == [(b"v", after)]


def test_values_that_look_like_pointers_are_only_values(store: Store) -> None:
    put(store, (b"long", b"x" * 10_000))
    raw = _record_of(store, b"long")
    lookalikes = [raw, raw[:16] + b"\xff" * 16, raw[:16] + bytes(16)]
    for at, value in enumerate(lookalikes):
        put(store, (b"v%d" % at, value))
    assert [value for _, value in content(store, b"v", b"w")] == lookalikes
    txn = store.begin()
    for at in range(3):
        txn.put(b"v%d" % at, b"gone")
        assert txn.delete(b"v%d" % at)
    txn.commit()
    assert content(store) == [(b"long", b"x" * 10_000)]


def _record_of(store: Store, key: bytes) -> bytes:
    """The bytes that the backend keeps for `key`: on disk a pointer, for a long value."""
    if not isinstance(store, LmdbStore):
        return b"\x7f" * POINTER_BYTES
    txn = store._engine.environment.begin(store._engine.trees.top.tree)
    try:
        return txn.get(key) or b""
    finally:
        txn.abort()


@pytest.mark.parametrize(
    "length", [1, SHORT - 1, SHORT, SHORT + 1, SHORT + 2, 1011, 1012, 1013, 1014, 2000, 4096, 8192]
)
def test_keys_of_all_lengths_are_found(store: Store, length: int) -> None:
    key = random.Random(length).randbytes(length - 1) + b"\x01"
    put(store, (key, b"here"))
    with store.read() as reader:
        assert reader.get(key) == b"here"
        assert reader.get(key[:-1] + b"\x02") is None
        assert reader.get(key + b"\x00") is None
        assert reader.get(key[:-1]) is None
    assert content(store) == [(key, b"here")]
    txn = store.begin()
    txn.put(key, b"again")
    assert txn.delete(key)
    assert not txn.delete(key)
    txn.commit()
    assert content(store) == []


def test_long_and_short_keys_keep_their_order(store: Store) -> None:
    rng = random.Random(7)
    heads = [b"a" * SHORT, b"a" * (SHORT - 1) + b"b", b"a" * 502, b"b" * 1012, b"\x00" * 700, b"\xff" * 1100]
    keys = {head[: rng.randrange(1, len(head) + 1)] for head in heads for _ in range(20)}
    keys |= {head + rng.randbytes(rng.randrange(800)) for head in heads for _ in range(20)}
    keys |= {head + tail for head in heads for tail in (b"", b"\x00", b"\x00\x00", b"\xff", b"\xff" * 600)}
    pairs = [(key, b"%d" % at) for at, key in enumerate(sorted(keys))]
    put(store, *rng.sample(pairs, len(pairs)))
    assert content(store, b"", b"\xff" * 2000) == pairs
    assert content(store, b"", b"\xff" * 2000, reverse=True) == pairs[::-1]
    for _ in range(300):
        start, stop = (_near(rng, keys) for _ in range(2))
        limit = rng.choice([None, 0, 1, 3])
        within = [pair for pair in pairs if start <= pair[0] < stop]
        assert content(store, start, stop, limit=limit) == within[:limit]
        assert content(store, start, stop, limit=limit, reverse=True) == within[::-1][:limit]


def _near(rng: random.Random, keys: set[bytes]) -> bytes:
    """A bound at, just before or just after one of the keys, or somewhere inside it."""
    key = rng.choice(sorted(keys))
    return rng.choice([key, key + b"\x00", key[:-1], key[: rng.randrange(len(key))] + b"\x7f", key + b"\x00" * 600])


def test_deleting_long_keys_leaves_nothing_behind(store: Store) -> None:
    rng = random.Random(3)
    keys = [b"n" * 505 + rng.randbytes(rng.randrange(1, 1800)) for _ in range(60)]
    put(store, *((key, b"v" * 5000) for key in keys))
    for key in rng.sample(keys, len(keys)):
        txn = store.begin()
        assert txn.delete(key)
        txn.commit()
    assert content(store) == []
    assert _entries(store) == 0


def _entries(store: Store) -> int:
    """Records of every kind in the trees of the disk store."""
    if not isinstance(store, LmdbStore):
        return 0
    txn = store._engine.environment.begin(store._engine.trees.top.tree)
    try:
        trees = store._engine.trees
        return sum(txn.stat(tree)["entries"] for tree in (trees.top.tree, trees.branches, trees.pieces))
    finally:
        txn.abort()


def test_replaced_and_deleted_long_values_leave_nothing_behind(store: Store) -> None:
    for value in (b"a" * 50_000, b"b" * 10_000, b"short", b"c" * 70_000):
        put(store, (b"k", value))
        put(store, (b"k" * 3000, value))
    txn = store.begin()
    with pytest.raises(BoomError), txn.nested() as inner:
        inner.put(b"k", b"d" * 90_000)
        raise BoomError
    assert txn.delete(b"k")
    assert txn.delete(b"k" * 3000)
    txn.commit()
    assert _entries(store) == 0


@pytest.mark.parametrize("reverse", [False, True])
def test_scan_bounds_and_limits(store: Store, reverse: bool) -> None:
    pairs = [(b"%03d" % at, b"v%d" % at) for at in range(0, 100, 2)]
    put(store, *pairs)
    for start, stop in [(b"", b"z"), (b"010", b"020"), (b"011", b"021"), (b"020", b"010"), (b"5", b"6"), (b"", b"")]:
        within = [pair for pair in pairs if start <= pair[0] < stop]
        if reverse:
            within.reverse()
        for limit in (None, 0, 1, 5, 1000):
            assert content(store, start, stop, reverse=reverse, limit=limit) == within[:limit]


def test_a_scan_may_be_dropped_and_the_transaction_written_to(store: Store) -> None:
    put(store, *((b"%d" % at, b"x" * 6000) for at in range(9)))
    txn = store.begin()
    for key, _ in txn.scan(b"0", b"9"):
        if key == b"3":
            break
    txn.put(b"4", b"changed")
    assert next(txn.scan(b"4", b"5")) == (b"4", b"changed")
    txn.commit()


def test_a_scan_that_is_left_open_does_not_hold_the_store(store: Store) -> None:
    put(store, (b"a", b"1"), (b"b", b"2"))
    with store.read() as reader:
        scan = reader.scan(b"a", b"z")
        assert next(scan) == (b"a", b"1")
    txn = store.begin()
    left = txn.scan(b"a", b"z")
    assert next(left) == (b"a", b"1")
    txn.commit()
    put(store, (b"c", b"3"))
    assert len(content(store)) == 3
    del scan, left


@pytest.mark.parametrize("key", [b"", b"k" * (KEY_BYTES_MAX + 1)])
def test_keys_beyond_the_limits_are_refused_and_change_nothing(store: Store, key: bytes) -> None:
    txn = store.begin()
    with txn.nested() as inner:
        inner.put(b"a", b"1")
        with pytest.raises(ValueError, match="beyond what a store takes"):
            inner.put(key, b"v")
    txn.commit()
    assert content(store) == [(b"a", b"1")]


def test_values_beyond_the_limit_are_refused(store: Store) -> None:
    txn = store.begin()
    with pytest.raises(ValueError, match="beyond what a store takes"):
        txn.put(b"a", bytes(VALUE_BYTES_MAX + 1))
    txn.abort()


def test_values_are_copied_in(store: Store) -> None:
    value = bytearray(b"first")
    put(store, (b"a", value))  # type: ignore[arg-type]  # what a careless caller may do
    value[:] = b"other"
    assert content(store) == [(b"a", b"first")]


def test_dirty_bytes_grow_with_what_is_written(store: Store) -> None:
    txn = store.begin()
    assert txn.dirty_bytes == 0
    txn.put(b"ab", b"c" * 10)
    assert txn.dirty_bytes == 12
    with txn.nested() as inner:
        inner.put(b"d" * 2000, b"e" * 9000)
    assert txn.dirty_bytes == 11_012
    txn.delete(b"ab")
    assert txn.dirty_bytes > 11_012
    txn.abort()


def test_aborting_what_has_ended_and_closing_twice_do_nothing(store: Store) -> None:
    txn = store.begin()
    txn.put(b"a", b"1")
    txn.commit()
    txn.abort()
    assert content(store) == [(b"a", b"1")]
    txn = store.begin()
    txn.abort()
    txn.abort()
    store.close()
    store.close()


def test_a_transaction_that_failed_inside_one_that_ended_is_only_an_error(store: Store) -> None:
    txn = store.begin()
    txn.abort()
    with pytest.raises(StorageError), txn.nested():
        pass
    store.begin().abort()
