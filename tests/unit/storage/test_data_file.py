"""Judging a data file by its bytes alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import lmdb
import pytest

from localzure_storage.data_file import META_BYTES, count_free_pages, newest_meta, parse_meta, require_whole
from localzure_storage.store import StoreUnusableError

PAGE = 4096
VALUE = b"v" * 4000


@pytest.fixture
def env(tmp_path: Path) -> Iterator[lmdb.Environment]:
    with lmdb.open(str(tmp_path), map_size=2**30, lib_version=0, sync=False, metasync=False) as opened:
        yield opened


def _descriptor(tmp_path: Path) -> int:
    return os.open(tmp_path / "data.mdb", os.O_RDWR)


def _leave_unwritten_pages(env: lmdb.Environment) -> None:
    """Give back pages at the file's end in the transaction that took them, so that they are never written."""
    _write(env, range(50))
    _write(env, delete=range(40))
    for _ in range(2):  # from here on the list of free pages fits on pages that are free
        _write(env, range(40, 42))
    _write(env, range(100, 180), range(100, 180))


def _write(env: lmdb.Environment, put: range = range(0), delete: range = range(0)) -> None:
    with env.begin(write=True) as txn:
        for number in put:
            txn.put(b"%06d" % number, VALUE)
        for number in delete:
            txn.delete(b"%06d" % number)


def test_the_newer_meta_page_counts(env: lmdb.Environment, tmp_path: Path) -> None:
    descriptor = _descriptor(tmp_path)
    for transaction in range(1, 6):
        _write(env, range(transaction))
        meta = newest_meta(descriptor)
        assert meta.transaction == transaction
        assert meta.page_bytes == env.stat()["psize"]
        assert meta.last_page == env.info()["last_pgno"]
        require_whole(descriptor)
    os.close(descriptor)


@pytest.mark.parametrize("length", [0, 10, META_BYTES - 1])
def test_a_meta_page_that_ends_early_is_refused(length: int) -> None:
    with pytest.raises(StoreUnusableError, match="ends inside"):
        parse_meta(bytes(length))


def _cut_as_far_as_accepted(path: Path) -> int:
    """Cut the file, page by page, to just before it is refused; returns its size then."""
    whole = path.read_bytes()
    size = len(whole)
    while _accepted(path, size - PAGE):
        size -= PAGE
    path.write_bytes(whole[:size])
    return size


def _accepted(path: Path, size: int) -> bool:
    os.truncate(path, size)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        require_whole(descriptor)
    except StoreUnusableError:
        return False
    finally:
        os.close(descriptor)
    return True


def _read_and_write_all(directory: Path) -> int:
    """Use every page of the file, in a process that a missing one would kill; returns the number of records."""
    script = """
import lmdb, sys
env = lmdb.open(sys.argv[1], map_size=2**30, lib_version=0)
with env.begin(write=True) as txn:
    found = {key: bytes(value) for key, value in txn.cursor()}
    for key, value in found.items():
        txn.delete(key)
        txn.put(key, value * 2)
print(len(found))
"""
    ended = subprocess.run([sys.executable, "-c", script, directory], capture_output=True, text=True, check=True)
    return int(ended.stdout)


def test_pages_that_were_given_back_unwritten_are_not_missed(env: lmdb.Environment, tmp_path: Path) -> None:
    _leave_unwritten_pages(env)
    descriptor = _descriptor(tmp_path)
    assert os.fstat(descriptor).st_size <= newest_meta(descriptor).last_page * PAGE
    require_whole(descriptor)
    os.ftruncate(descriptor, 20 * PAGE)
    with pytest.raises(StoreUnusableError, match="cut short: 81920 bytes where"):
        require_whole(descriptor)
    os.close(descriptor)


def test_a_file_that_lacks_only_free_pages_is_safe_to_use(env: lmdb.Environment, tmp_path: Path) -> None:
    _leave_unwritten_pages(env)
    copy = tmp_path / "copy"
    copy.mkdir()
    shutil.copy(tmp_path / "data.mdb", copy)
    assert _cut_as_far_as_accepted(copy / "data.mdb") > 10 * PAGE
    assert _read_and_write_all(copy) == 10


def test_the_free_list_is_read_through_branches_and_runs_of_pages(env: lmdb.Environment, tmp_path: Path) -> None:
    """Thousands of free pages in one record, and hundreds of records: every way in which LMDB keeps the list."""
    _write(env, range(5000))
    with env.begin():  # a reader keeps LMDB from using up the list
        for number in range(300):
            _write(env, range(number, number + 1))
        _write(env, delete=range(1000, 5000))
        copy = tmp_path / "copy"
        copy.mkdir()
        shutil.copy(tmp_path / "data.mdb", copy)
    for _ in range(2):
        _write(env, range(1))
    _write(env, range(5000, 20_000), range(5000, 20_000))
    descriptor = _descriptor(tmp_path)
    assert os.fstat(descriptor).st_size // PAGE <= newest_meta(descriptor).last_page
    require_whole(descriptor)
    os.close(descriptor)
    assert _cut_as_far_as_accepted(copy / "data.mdb") > 1000 * PAGE
    assert _read_and_write_all(copy) == 1000


def test_a_damaged_free_list_is_refused_not_followed(env: lmdb.Environment, tmp_path: Path) -> None:
    _leave_unwritten_pages(env)
    descriptor = _descriptor(tmp_path)
    root = newest_meta(descriptor).free_root
    assert root is not None
    good = os.pread(descriptor, PAGE, root * PAGE)
    # A branch page whose only child is itself; a node outside the page; a leaf that begins behind the end.
    itself = root.to_bytes(6, "little")
    circle = good[:10] + b"\x01\0" + (18).to_bytes(2, "little") + good[14:16] + (100).to_bytes(2, "little")
    circle = circle.ljust(100, b"\0") + itself[:4] + itself[4:6] + b"\0\0"
    outside = good[:10] + b"\x02\0" + (18).to_bytes(2, "little") + good[14:16] + (4095).to_bytes(2, "little")
    for page, reason in ((circle, "circle"), (outside, "damaged")):
        os.pwrite(descriptor, page.ljust(PAGE, b"\0"), root * PAGE)
        with pytest.raises(StoreUnusableError, match=reason):
            require_whole(descriptor)
    os.pwrite(descriptor, good, root * PAGE)
    require_whole(descriptor)
    os.close(descriptor)


def test_free_pages_are_counted_up_to_what_is_enough(env: lmdb.Environment, tmp_path: Path) -> None:
    descriptor = _descriptor(tmp_path)
    assert count_free_pages(descriptor, 1000) == 0
    _write(env, range(300))
    before = count_free_pages(descriptor, 1000)
    _write(env, delete=range(200))
    assert count_free_pages(descriptor, 1000) <= before + 10  # not yet: they serve the transaction after the next
    _write(env, range(299, 300))
    assert 200 <= count_free_pages(descriptor, 1000) <= before + 220
    assert count_free_pages(descriptor, 50) == 50
    size = os.fstat(descriptor).st_size
    _write(env, range(400, 590))
    assert os.fstat(descriptor).st_size == size
    os.close(descriptor)
