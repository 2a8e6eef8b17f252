"""The example on the page about plugins is the one that a test installs and uses."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["pyproject.toml", "localzure_notes.py"])
def test_the_page_shows_the_example_that_is_tested(name: str) -> None:
    source = (ROOT / "tests" / "live" / "example_plugin" / name).read_text("utf-8")
    page = (ROOT / "docs" / "plugins.md").read_text("utf-8")
    assert f"# {name}\n{source}```" in page
