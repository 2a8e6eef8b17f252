"""The page of features is what the tables of operations say."""

from __future__ import annotations

from localzure.services.servicebus.admin.operations import OPERATIONS as ADMINISTRATION
from tests.tidy.feature_matrix import MISSING, PAGE, page


def test_the_committed_page_is_current() -> None:
    assert PAGE.read_text("utf-8") == page(), "run `make docs` and commit docs/features.md"


def test_nothing_that_is_built_is_excused() -> None:
    missing = {row.name for row in ADMINISTRATION if row.handler is None and row.message_handler is None}
    assert set(MISSING) <= missing
