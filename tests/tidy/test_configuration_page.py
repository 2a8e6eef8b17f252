"""The page of settings is what the table of settings says."""

from __future__ import annotations

from tests.tidy.configuration_page import PAGE, page


def test_the_committed_page_is_current() -> None:
    assert PAGE.read_text("utf-8") == page(), "run `make docs` and commit docs/configuration.md"
