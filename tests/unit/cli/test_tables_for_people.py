"""Tables for people."""

from __future__ import annotations

from localzure.cli.tables import table

COLUMNS = {"NAME": "name", "COUNT": "count", "NOTE": "note"}


def test_columns_are_aligned_and_numbers_stand_at_the_right() -> None:
    rows = [{"name": "a", "count": 5, "note": "x"}, {"name": "longer", "count": 1000, "note": None}]
    assert table(COLUMNS, rows, "nothing") == "NAME    COUNT  NOTE\na           5  x\nlonger   1000"


def test_a_column_that_is_empty_is_left_out() -> None:
    assert table(COLUMNS, [{"name": "a", "count": None, "note": ""}], "nothing") == "NAME\na"
    assert table(COLUMNS, [], "nothing") == "nothing"


def test_nothing_in_a_cell_moves_the_cursor() -> None:
    assert table({"X": "x"}, [{"x": "a\nb\x1b[2J\t"}], "") == "X\na·b·[2J·"
