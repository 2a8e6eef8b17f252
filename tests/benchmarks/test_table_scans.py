"""The benchmark of queries over a large table, at toy size."""

from __future__ import annotations

import pytest

from benchmarks import table_scans


def test_what_queries_cost_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert table_scans.main(["--entities", "2000"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("filled 2,000 entities in ")
    assert len(lines) == 2 + len(table_scans.QUERIES)
    assert all(line.count(" ms") == 2 for line in lines[2:])


def test_what_finds_something_else_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = table_scans.Query("wrong", "PartitionKey eq 'p001'", 1)
    monkeypatch.setattr(table_scans, "QUERIES", (wrong,))
    with pytest.raises(RuntimeError, match="wrong: found 10 in Small instead of 1"):
        table_scans.main(["--entities", "100"])
