"""The recovery file's slots."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from localzure_storage.data_file import META_BYTES
from localzure_storage.recovery_file import RecoveryFile
from localzure_storage.store import StoreUnusableError

METAS = (b"\x01" * META_BYTES, b"\x02" * META_BYTES)
SLOT = 4096


def test_the_last_write_is_read_back(tmp_path: Path) -> None:
    file = RecoveryFile(tmp_path / "recovery", create=True)
    for number in range(1, 6):
        file.write(f"boot{number}", number * 1000, METAS)
        found = file.read()
        assert (found.sequence, found.boot, found.data_bytes, found.metas) == (
            number,
            f"boot{number}",
            number * 1000,
            METAS,
        )
    file.close()
    again = RecoveryFile(tmp_path / "recovery")
    assert again.read().sequence == 5
    again.write("", 7, METAS)
    assert (again.read().sequence, again.read().boot) == (6, "")
    again.close()


def test_writing_needs_no_room(tmp_path: Path) -> None:
    file = RecoveryFile(tmp_path / "recovery", create=True)
    sizes = set()
    for _ in range(4):
        file.write("boot", 1, METAS)
        sizes.add((tmp_path / "recovery").stat().st_size)
    file.close()
    assert sizes == {2 * SLOT}


def test_a_torn_write_leaves_the_one_before_it(tmp_path: Path) -> None:
    path = tmp_path / "recovery"
    file = RecoveryFile(path, create=True)
    file.write("before", 1, METAS)
    before = path.read_bytes()
    file.write("after", 2, METAS)
    after = path.read_bytes()
    file.close()
    for cut in range(1, len(after)):
        if after[cut:] == before[cut:]:
            break
        if cut % 7 and cut > 64:
            continue
        path.write_bytes(after[:cut] + before[cut:])
        torn = RecoveryFile(path)
        assert torn.read().boot == "before", cut
        torn.write("next", 3, METAS)
        assert torn.read().boot == "next"
        torn.close()


def test_making_it_does_not_replace_one(tmp_path: Path) -> None:
    RecoveryFile(tmp_path / "recovery", create=True).close()
    with pytest.raises(FileExistsError):
        RecoveryFile(tmp_path / "recovery", create=True)


def test_an_empty_one_is_refused(tmp_path: Path) -> None:
    file = RecoveryFile(tmp_path / "recovery", create=True)
    with pytest.raises(StoreUnusableError, match="damaged or foreign"):
        file.read()
    file.close()


def test_a_write_that_is_cut_short_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = RecoveryFile(tmp_path / "recovery", create=True)
    file.write("before", 1, METAS)
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", lambda *_: 100)
        with pytest.raises(OSError, match="cut short"):
            file.write("after", 2, METAS)
    assert file.read().boot == "before"
    file.close()
