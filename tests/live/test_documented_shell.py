"""The lines of docs/ that look into a running server, or arm it, do so."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from localzure.testing import LocalZure
from tests.documents import Block, blocks, pointed_at

PAGES = ("docs/index.md", "docs/faults.md")


def is_for_a_running_server(block: Block) -> bool:
    """Whether each line of a block is for a server that runs, and waits for nobody to type."""
    return all(re.match(r"localzure (?!start|run)", line) for line in block.text.splitlines())


LINES = [block for block in blocks("sh") if block.place.startswith(PAGES) and is_for_a_running_server(block)]


def test_there_are_lines_to_try() -> None:
    assert len(LINES) >= len(PAGES)


@pytest.mark.parametrize("block", LINES, ids=lambda block: block.place)
def test_the_lines_do_something(block: Block, tmp_path: Path) -> None:
    with LocalZure() as azure:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, "LOCALZURE_ENDPOINT": azure.endpoints["gateway"]}
        command = ["bash", "-euc", pointed_at(block.text, azure)]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout
