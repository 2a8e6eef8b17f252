"""Extents: content, references, pins and sweeping, on both backends."""

from __future__ import annotations

import pytest

from localzure_storage.extents import CHUNK_BYTES, ExtentId, Extents
from localzure_storage.keys import Subspace
from localzure_storage.store import Store

SPACE = Subspace(b"").subspace("extents")
MEBIBYTE = 2**20


class BoomError(Exception):
    pass


@pytest.fixture
def extents() -> Extents:
    return Extents(SPACE)


def pattern(length: int, seed: int = 0) -> bytes:
    """Bytes of which every stretch of a few tells where it is from."""
    return b"".join(b"%08x" % (at + seed) for at in range(0, length, 8))[:length]


def make(store: Store, extents: Extents, *pieces: bytes, references: int = 1) -> ExtentId:
    txn = store.begin()
    extent = extents.create(txn)
    for piece in pieces:
        extents.append(txn, extent, piece)
    for _ in range(references):
        extents.retain(txn, extent)
    txn.commit()
    extents.unpin(extent)
    return extent


def read(store: Store, extents: Extents, extent: ExtentId, offset: int = 0, length: int = 2**62) -> bytes:
    with store.read() as reader:
        return extents.read(reader, extent, offset, length)


def sweep(store: Store, extents: Extents, budget: int = MEBIBYTE) -> int:
    """Sweep to the end; returns how many steps it took."""
    for steps in range(1, 10_000):
        txn = store.begin()
        more = extents.sweep(txn, budget)
        txn.commit()
        if not more:
            return steps
    raise AssertionError("the sweep finds no end")


def records(store: Store) -> int:
    with store.read() as reader:
        return sum(1 for _ in reader.scan(b"", b"\xff"))


@pytest.mark.parametrize(
    "lengths",
    [
        [],
        [0, 1],
        [1] * 50,
        [1000] * 20,
        [CHUNK_BYTES - 1, 1, 1],
        [CHUNK_BYTES, 10],
        [CHUNK_BYTES + 1, 4079, 4080, 4081],
        [65_536] * 5,
        [3 * MEBIBYTE],
    ],
)
def test_content_comes_back_whole_and_in_ranges(store: Store, extents: Extents, lengths: list[int]) -> None:
    whole = pattern(sum(lengths))
    pieces = [whole[sum(lengths[:at]) : sum(lengths[: at + 1])] for at in range(len(lengths))]
    extent = make(store, extents, *pieces)
    with store.read() as reader:
        assert extents.size(reader, extent) == len(whole)
    assert read(store, extents, extent) == whole
    edges = [0, 1, 999, 1000, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, len(whole) - 1, len(whole), len(whole) + 5]
    for offset in (edge for edge in edges if edge >= 0):
        for length in (0, 1, 5000, CHUNK_BYTES + 2):
            assert read(store, extents, extent, offset, length) == whole[offset : offset + length]


def test_small_appends_are_gathered_into_whole_pages(store: Store, extents: Extents) -> None:
    make(store, extents, *[b"x" * 100] * 400)
    assert records(store) < 15


def test_create_takes_the_first_content(store: Store, extents: Extents) -> None:
    txn = store.begin()
    extent = extents.create(txn, memoryview(b"first "))
    extents.append(txn, extent, memoryview(b"second"))
    assert extents.read(txn, extent, 0, 100) == b"first second"
    txn.commit()
    assert read(store, extents, extent) == b"first second"


def test_neighbours_do_not_touch_each_other(store: Store, extents: Extents) -> None:
    first, second = make(store, extents, b"a" * 100_000), make(store, extents, b"b" * 100_000)
    assert read(store, extents, first) == b"a" * 100_000
    txn = store.begin()
    extents.release(txn, first)
    txn.commit()
    sweep(store, extents)
    assert read(store, extents, second) == b"b" * 100_000


def test_a_retained_extent_cannot_be_appended_to(store: Store, extents: Extents) -> None:
    extent = make(store, extents, b"done")
    txn = store.begin()
    with pytest.raises(ValueError, match="complete"):
        extents.append(txn, extent, b"more")
    txn.abort()


def test_what_is_not_there_is_a_key_error(store: Store, extents: Extents) -> None:
    txn = store.begin()
    missing = ExtentId(77)
    with pytest.raises(KeyError):
        extents.append(txn, missing, b"x")
    with pytest.raises(KeyError):
        extents.retain(txn, missing)
    with pytest.raises(KeyError):
        extents.release(txn, missing)
    with pytest.raises(KeyError):
        extents.size(txn, missing)
    with pytest.raises(KeyError):
        extents.read(txn, missing, 0, 1)
    with pytest.raises(KeyError):
        extents.unpin(missing)
    txn.abort()


def test_content_lives_until_its_last_reference_is_released(store: Store, extents: Extents) -> None:
    extent = make(store, extents, b"x" * 200_000, references=3)
    for _ in range(3):
        assert sweep(store, extents) == 1
        assert read(store, extents, extent, 0, 5) == b"xxxxx"
        txn = store.begin()
        extents.release(txn, extent)
        txn.commit()
    txn = store.begin()
    with pytest.raises(ValueError, match="no reference"):
        extents.release(txn, extent)
    txn.abort()
    sweep(store, extents)
    assert records(store) == 0
    with pytest.raises(KeyError):
        read(store, extents, extent)


def test_reference_counts_are_part_of_the_transaction(store: Store, extents: Extents) -> None:
    extent = make(store, extents, b"x")
    txn = store.begin()
    with pytest.raises(BoomError), txn.nested() as inner:
        extents.release(inner, extent)
        raise BoomError
    txn.commit()
    sweep(store, extents)
    assert read(store, extents, extent) == b"x"
    txn = store.begin()
    extents.release(txn, extent)
    with pytest.raises(BoomError), txn.nested() as inner:
        extents.retain(inner, extent)
        raise BoomError
    txn.commit()
    sweep(store, extents)
    assert records(store) == 0


def test_a_pinned_extent_is_read_to_its_end(store: Store, extents: Extents) -> None:
    extent = make(store, extents, b"x" * 100_000)
    extents.pin(extent)
    extents.pin(extent)
    txn = store.begin()
    extents.release(txn, extent)
    txn.commit()
    sweep(store, extents)
    extents.unpin(extent)
    sweep(store, extents)
    assert read(store, extents, extent) == b"x" * 100_000
    extents.unpin(extent)
    sweep(store, extents)
    assert records(store) == 0


def test_an_upload_in_progress_is_not_swept_and_a_dead_one_is(store: Store, extents: Extents) -> None:
    txn = store.begin()
    alive, dead = extents.create(txn, b"a" * 70_000), extents.create(txn, b"b" * 70_000)
    txn.commit()
    extents.unpin(dead)
    sweep(store, extents)
    txn = store.begin()
    extents.append(txn, alive, b"a")
    extents.retain(txn, alive)
    txn.commit()
    extents.unpin(alive)
    sweep(store, extents)
    assert read(store, extents, alive) == b"a" * 70_001
    with pytest.raises(KeyError):
        read(store, extents, dead)


def test_an_upload_whose_last_transaction_is_undone_is_swept(store: Store, extents: Extents) -> None:
    txn = store.begin()
    extent = extents.create(txn, b"x" * 70_000)
    with pytest.raises(BoomError), txn.nested() as inner:
        extents.retain(inner, extent)
        raise BoomError
    txn.commit()
    extents.unpin(extent)
    sweep(store, extents)
    assert records(store) == 0


def test_ids_are_not_given_again_after_an_undone_create(store: Store, extents: Extents) -> None:
    txn = store.begin()
    undone = extents.create(txn, b"x")
    txn.abort()
    extents.unpin(undone)
    assert make(store, extents, b"y") != undone


def test_after_a_restart_unfinished_uploads_are_orphans_and_ids_go_on(store: Store) -> None:
    before = Extents(SPACE)
    txn = store.begin()
    kept = before.create(txn, b"kept")
    before.retain(txn, kept)
    unfinished = before.create(txn, b"unfinished" * 10_000)
    txn.commit()
    after = Extents(SPACE)
    new = make(store, after, b"new")
    assert new not in {kept, unfinished}
    sweep(store, after)
    assert read(store, after, kept) == b"kept"
    assert read(store, after, new) == b"new"
    with pytest.raises(KeyError):
        read(store, after, unfinished)


def test_sweeping_is_bounded_and_goes_on_after_a_restart(store: Store) -> None:
    extents = Extents(SPACE)
    extent = make(store, extents, *[b"x" * CHUNK_BYTES] * 40)
    small = [make(store, extents, b"y") for _ in range(30)]
    txn = store.begin()
    for each in (extent, *small):
        extents.release(txn, each)
    txn.commit()
    before = records(store)
    txn = store.begin()
    assert extents.sweep(txn, 5 * CHUNK_BYTES)
    txn.commit()
    assert before - 8 <= records(store) < before
    with pytest.raises(KeyError):
        read(store, extents, extent, 0, 1)
    after = Extents(SPACE)
    assert sweep(store, after, 8 * 4096) > 8
    assert records(store) == 0


def test_a_sweep_with_nothing_to_do_writes_nothing(store: Store, extents: Extents) -> None:
    make(store, extents, b"x")
    txn = store.begin()
    assert not extents.sweep(txn, MEBIBYTE)
    assert txn.dirty_bytes == 0
    txn.abort()
