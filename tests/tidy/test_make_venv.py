"""What `make` says where a tool is missing: one line with what to install, and nothing is made."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / ".ci" / "make-venv"


def refused(folder: Path, python: str, **environment: str) -> str:
    done = subprocess.run(
        ["/bin/sh", SCRIPT, folder / "venv", python],
        env={"PATH": os.defpath, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert not (folder / "venv").exists()
    (line,) = done.stderr.splitlines()
    return line


def interpreter(folder: Path, failing_on: str) -> str:
    """An interpreter like ours, on a machine where a program that names `failing_on` fails."""
    path = folder / "python"
    path.write_text(f'#!/bin/sh\ncase "$2" in *{failing_on}*) exit 1;; esac\nexec "{sys.executable}" "$@"\n')
    path.chmod(0o755)
    return str(path)


def test_no_python_at_all(tmp_path: Path) -> None:
    assert refused(tmp_path, "", PATH=str(tmp_path)).startswith("make: Python 3.11 or newer is missing: install it (")


@pytest.mark.parametrize(
    ("failing_on", "said"),
    [
        ("version_info", "is no Python 3.11 or newer: name another with PYTHON=, or install one ("),
        ("ensurepip", "make: Python's venv module is missing: install it ("),
        ("Python.h", "make: Python's header files are missing: install them ("),
    ],
)
def test_a_python_that_lacks_something(failing_on: str, said: str, tmp_path: Path) -> None:
    assert said in refused(tmp_path, interpreter(tmp_path, failing_on))


def test_no_compiler(tmp_path: Path) -> None:
    line = refused(tmp_path, interpreter(tmp_path, "nothing"), CC=str(tmp_path / "cc"))
    assert line.startswith("make: a C compiler is missing: install one (")
