"""The Python programs of README and docs/ run as they are printed, and print what the pages say."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from localzure.testing import LocalZure
from tests.documents import Block, pointed_at, programs

PROGRAMS = programs("python")


@pytest.fixture(scope="module")
def azure() -> Iterator[LocalZure]:
    with LocalZure() as server:
        yield server


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda block: block.place)
def test_the_program_runs_as_printed(program: Block, azure: LocalZure, tmp_path: Path) -> None:
    azure.reset()
    (tmp_path / program.title).write_text(pointed_at(program.text, azure))
    done = subprocess.run(
        [sys.executable, "-P", str(tmp_path / program.title)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONWARNINGS": "error"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == program.prints
