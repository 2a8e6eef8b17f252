"""Raising the limit of open files, each time in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import resource
from localzure.server.limits import raise_descriptor_limit
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
print(raise_descriptor_limit())
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


@pytest.mark.parametrize(
    ("soft", "hard", "raised", "told"), [(256, 8192, 8192, False), (256, 1024, 1024, True), (5000, 5000, 5000, False)]
)
def test_the_soft_limit_is_raised_to_the_hard_one_and_a_low_one_is_told(
    soft: int, hard: int, raised: int, told: bool
) -> None:
    script = SCRIPT.format(soft=soft, hard=hard)
    line, limit = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert int(limit) == raised
    assert line.startswith(f"only {raised} files may be open at once") == told
    assert told or line == "None"


def test_the_limit_is_not_raised_beyond_what_is_wanted() -> None:
    script = "from localzure.server import limits; limits.DESCRIPTORS_WANTED = 5000\n" + SCRIPT.format(
        soft=256, hard=8192
    )
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert output.splitlines() == ["None", "5000"]
