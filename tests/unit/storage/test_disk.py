"""Files, written at a place and through to the disk."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from localzure_storage.disk import allocate, has_room, open_file, read_at, sync_names, sync_to_disk, write_at


def test_reading_and_writing_at_a_place(tmp_path: Path) -> None:
    descriptor = open_file(tmp_path / "f", create=True)
    write_at(descriptor, b"world", 6)
    write_at(descriptor, b"hello ", 0)
    assert read_at(descriptor, 100, 3) == b"lo world"
    assert read_at(descriptor, 3, 3) == b"lo "
    assert read_at(descriptor, 3, 30) == b""
    sync_to_disk(descriptor)
    os.close(descriptor)
    sync_names(tmp_path)


def test_opening_does_not_make_or_replace_unless_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_file(tmp_path / "f")
    os.close(open_file(tmp_path / "f", create=True))
    with pytest.raises(FileExistsError):
        open_file(tmp_path / "f", create=True, exclusive=True)


def test_a_write_that_is_cut_short_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    descriptor = open_file(tmp_path / "f", create=True)
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", lambda *_: 1)
        with pytest.raises(OSError, match="cut short"):
            write_at(descriptor, b"two", 0)
    os.close(descriptor)


def test_allocating_lengthens_and_never_shortens(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"content")
    descriptor = open_file(path)
    allocate(descriptor, 100_000)
    assert path.stat().st_size == 100_000
    assert path.stat().st_blocks * 512 >= 100_000
    assert path.read_bytes()[:8] == b"content\0"
    allocate(descriptor, 10)
    assert path.stat().st_size == 100_000
    os.close(descriptor)


def test_room_is_found_by_trying_and_the_trial_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert has_room(tmp_path, 2**20)
    assert not has_room(tmp_path / "missing", 1)

    def refuse(*_: int) -> None:
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", refuse)
        assert not has_room(tmp_path, 1)
    assert list(tmp_path.iterdir()) == []
