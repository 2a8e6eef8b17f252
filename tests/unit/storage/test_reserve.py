"""The room that is kept back."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from localzure_storage.reserve import RESERVE_BYTES, Reserve


def allocated(path: Path) -> int:
    return path.stat().st_blocks * 512


def test_it_takes_up_room_until_it_is_given_up(tmp_path: Path) -> None:
    path = tmp_path / "reserve"
    reserve = Reserve(path)
    assert allocated(path) >= RESERVE_BYTES
    reserve.give_up()
    assert allocated(path) == 0
    reserve.take()
    assert allocated(path) >= RESERVE_BYTES
    reserve.close()
    assert allocated(path) >= RESERVE_BYTES
    Reserve(path).close()
    assert path.stat().st_size == RESERVE_BYTES


def test_it_takes_what_room_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    allocate = os.posix_fallocate

    def scarce(descriptor: int, offset: int, size: int) -> None:
        if size > 300_000:
            raise OSError(errno.ENOSPC, "No space left on device")
        allocate(descriptor, offset, size)

    path = tmp_path / "reserve"
    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", scarce)
        reserve = Reserve(path)
        assert 150_000 < allocated(path) <= 300_000
        patch.setattr(os, "posix_fallocate", lambda descriptor, offset, _: scarce(descriptor, offset, RESERVE_BYTES))
        reserve.give_up()
        reserve.take()
        assert allocated(path) == 0
    reserve.take()
    assert allocated(path) >= RESERVE_BYTES
    reserve.close()
