"""What is opened, what is made, and what is refused with one clear line and left as it was."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from localzure_storage.lmdb import LmdbStore
from localzure_storage.recovery_file import FORMAT
from localzure_storage.store import StoreUnusableError

PAGE = 4096


def fill(directory: Path, *, closed: bool = True) -> Path:
    """Make a store with some content; returns its folder. Not closed, it is as a killed process leaves it."""
    store = LmdbStore(directory, boot="one")
    txn = store.begin()
    for number in range(200):
        txn.put(b"%d" % number, b"v" * 3000)
    txn.commit()
    folder = directory / "store"
    if closed:
        store.close()
        return folder
    left = {name: (folder / name).read_bytes() for name in ("data.mdb", "recovery")}
    store.close()
    for name, content in left.items():
        (folder / name).write_bytes(content)
    return folder


def refusal(directory: Path) -> str:
    with pytest.raises(StoreUnusableError) as refused:
        LmdbStore(directory, boot="one")
    text = str(refused.value)
    assert "\n" not in text
    assert str(directory) in text
    return text


def count(directory: Path) -> int:
    store = LmdbStore(directory, boot="one")
    with store.read() as reader:
        found = sum(1 for _ in reader.scan(b"", b"\xff"))
    store.close()
    return found


def test_a_store_is_made_with_its_directories_and_found_again(tmp_path: Path) -> None:
    directory = tmp_path / "a" / "b"
    fill(directory)
    assert sorted(path.name for path in directory.iterdir()) == ["store", "store.lock"]
    names = sorted(path.name for path in (directory / "store").iterdir())
    assert names == ["data.mdb", "lock.mdb", "recovery", "reserve"]
    assert count(directory) == 200


def test_files_beside_the_store_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "__azurite_db_blob__.json").write_text("{}")
    (tmp_path / "data.mdb").write_text("somebody's")
    fill(tmp_path)
    assert (tmp_path / "__azurite_db_blob__.json").read_text() == "{}"
    assert (tmp_path / "data.mdb").read_text() == "somebody's"


def test_what_a_crash_left_of_a_store_in_the_making_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "store.new").mkdir()
    (tmp_path / "store.new" / "data.mdb").write_bytes(b"half")
    fill(tmp_path)
    assert count(tmp_path) == 200
    assert not (tmp_path / "store.new").exists()


def test_an_empty_folder_becomes_a_store(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    assert count(tmp_path) == 0


def test_a_second_opening_is_refused_and_names_the_process(tmp_path: Path) -> None:
    store = LmdbStore(tmp_path)
    assert f"in use by process {os.getpid()}" in refusal(tmp_path)
    other = "import sys, pathlib, localzure_storage.lmdb as m; m.LmdbStore(pathlib.Path(sys.argv[1]))"
    ended = subprocess.run([sys.executable, "-c", other, tmp_path], capture_output=True, text=True, check=False)
    assert f"in use by process {os.getpid()} on {platform.node()}: stop that one" in ended.stderr
    store.close()
    LmdbStore(tmp_path).close()


def test_a_lock_without_a_readable_owner_is_a_lock_all_the_same(tmp_path: Path) -> None:
    store = LmdbStore(tmp_path)
    (tmp_path / "store.lock").write_bytes(b"\xff\xfe")
    assert "in use by another process" in refusal(tmp_path)
    store.close()


def test_a_refused_store_is_not_locked(tmp_path: Path) -> None:
    folder = fill(tmp_path)
    data = (folder / "data.mdb").read_bytes()
    (folder / "data.mdb").write_bytes(b"")
    refusal(tmp_path)
    (folder / "data.mdb").write_bytes(data)
    assert count(tmp_path) == 200


@pytest.mark.parametrize("closed", [True, False])
@pytest.mark.parametrize("part", [0, 1, 511, PAGE, 2 * PAGE - 1, 2 * PAGE, 3 * PAGE, 0.3, 0.9, -PAGE, -1])
def test_a_file_that_was_cut_is_refused_and_left_as_it_is(tmp_path: Path, closed: bool, part: float) -> None:
    folder = fill(tmp_path, closed=closed)
    data = (folder / "data.mdb").read_bytes()
    size = int(len(data) * part) if 0 < part < 1 else int(part) % len(data)
    (folder / "data.mdb").write_bytes(data[:size])
    assert "cut short" in refusal(tmp_path) or "ends inside" in refusal(tmp_path)
    assert (folder / "data.mdb").read_bytes() == data[:size]


def _overwrite(path: Path, at: int, content: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(content)


@pytest.mark.parametrize(
    ("at", "content", "reason"),
    [
        (16, b"nonsense", "not a store's file"),
        (10, b"\0\0", "not a store's file"),
        (PAGE + 16, b"nonsense", "not a store's file"),
        (20, b"\x03\0\0\0", "another engine"),
        (40, b"\x07\x10\0\0", "another engine"),
    ],
)
def test_a_foreign_data_file_is_refused(tmp_path: Path, at: int, content: bytes, reason: str) -> None:
    folder = fill(tmp_path)
    _overwrite(folder / "data.mdb", at, content)
    assert reason in refusal(tmp_path)


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    folder = fill(tmp_path)
    (folder / "recovery").unlink()
    assert "not made by this program" in refusal(tmp_path)
    (folder / "data.mdb").unlink()
    assert "not made by this program" in refusal(tmp_path)


def test_a_missing_data_file_is_not_silently_made_anew(tmp_path: Path) -> None:
    folder = fill(tmp_path)
    (folder / "data.mdb").unlink()
    assert "data file is missing" in refusal(tmp_path)
    assert not (folder / "data.mdb").exists()


def test_a_store_of_a_newer_format_is_refused(tmp_path: Path) -> None:
    folder = fill(tmp_path)
    for slot in (0, PAGE):
        _overwrite(folder / "recovery", slot + 8, (FORMAT + 1).to_bytes(4, "little"))
    assert f"a newer version of this program wrote it (format {FORMAT + 1})" in refusal(tmp_path)


def test_a_damaged_recovery_file_is_refused(tmp_path: Path) -> None:
    folder = fill(tmp_path)
    (folder / "recovery").write_bytes(bytes(2 * PAGE))
    assert "recovery file is damaged" in refusal(tmp_path)
    (folder / "recovery").write_bytes(b"")
    assert "recovery file is damaged" in refusal(tmp_path)


def test_a_data_directory_that_is_a_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("")
    assert "cannot be opened" in refusal(path)


def test_a_store_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("")
    assert "cannot be opened" in refusal(tmp_path)
