"""The README's example runs as it is printed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from localzure.testing import LocalZure

README = Path(__file__).parent.parent.parent / "README.md"


def test_the_example_runs_as_printed(tmp_path: Path) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    (tmp_path / "example.py").write_text(example)
    server = LocalZure(extra_args=["--amqp-port=5672"])
    try:
        server.start()
    except RuntimeError as error:
        assert "in use" in str(error), error
        pytest.skip("the port that the example connects to, 5672, is in use on this machine")
    try:
        done = subprocess.run(
            [sys.executable, str(tmp_path / "example.py")],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**os.environ, "PYTHONWARNINGS": "default"},
        )
    finally:
        server.close()
    assert done.returncode == 0, done.stderr
    assert done.stdout == "hello\n"
