"""Every scenario runs at toy size and gives right results; what fails shows, and ends with 1."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from benchmarks import report, run
from benchmarks.measurement import Digest, LoadError, Measurement, Timing
from benchmarks.scenarios import SCALES, SCENARIOS, LoadScenario, Row
from benchmarks.targets import SUBJECT, TARGETS, Running, Target

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_scenario_at_toy_size(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = tmp_path / "results.json"
    ours = f"{SUBJECT},floor-amqp,floor-http"
    assert run.main(["--scale", "toy", "--only", name, "--targets", ours, "--json", str(results)]) == 0
    written = json.loads(results.read_text())
    assert (written["scale"], written["machine"]["cores"] > 0) == ("toy", True)
    assert {row["target"] for row in written["results"]} <= TARGETS.keys()
    assert SUBJECT in {row["target"] for row in written["results"]}
    assert all(row["value"] > 0 and row["digest"] and not row["failure"] for row in written["results"])
    assert len({row["digest"] for row in written["results"]}) == 1
    assert SCENARIOS[name].title in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["--only", "sendd"], ["--targets", "floor"]])
def test_unknown_names_are_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run.main(arguments)
    assert "no such" in capsys.readouterr().err


def _start_nothing(_: Path) -> AbstractContextManager[Running]:
    raise LoadError("it does not start\nand says a lot")


def test_what_fails_is_a_row_and_the_others_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(TARGETS, "broken", Target("broken", frozenset({"blob"}), _start_nothing))
    assert run.main(["--scale", "toy", "--only", "put", "--targets", "broken,floor-http"]) == 1
    out = capsys.readouterr().out
    assert "broken      failed: LoadError: it does not start\n" in out
    assert "floor-http" in out


def test_a_wrong_result_is_a_failure(tmp_path: Path) -> None:
    def wrong(*_: object) -> Measurement:
        raise LoadError("wrong result")

    scenario = LoadScenario("x", "X", "blob", wrong)
    (row,) = scenario.rows([TARGETS["floor-http"]], SCALES["toy"], tmp_path)
    assert (row.value, row.failure) == (None, "LoadError: wrong result")


def test_the_table_compares_with_the_subject_and_marks_a_generator_at_its_limit() -> None:
    measurement = Measurement(Digest(1000, 1024, 7), Timing(seconds=0.5, cpu_seconds=0.45))
    detail = {
        "median_round": measurement.as_dict(),
        "half_load": measurement.as_dict(),
        "server_seconds_per_operation": 12.34e-6,
        "peak_bytes": 50_000_000,
    }
    rows = [
        Row("s", "Sending", SUBJECT, "/s", measurement.rate, digest=str(measurement.digest), detail=detail),
        Row("s", "Sending", "other", "/s", 8000.0, digest="d", detail=detail),
        Row("t", "Starting", SUBJECT, "ms", 200.0, False, "1 starts"),
    ]
    lines = report.table(rows).splitlines()
    assert lines[2] == "Sending"
    assert lines[3].split()[:2] == [SUBJECT, "2,000/s"]
    assert lines[3].endswith("12.3       50       90%!  1,000 · 1,024 B · Σ 7")
    assert lines[4].split()[:4] == ["other", "8,000/s", "0.25", "x"]
    assert lines[6:] == ["Starting", lines[7]]
    assert lines[7].split() == [SUBJECT, "200.0", "ms", "1", "starts"]


def test_what_is_not_installed_is_skipped_and_said_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    reason = "not installed: get it"
    monkeypatch.setitem(TARGETS, "rival", Target("rival", frozenset({"blob"}), _start_nothing, lambda: reason))
    results = tmp_path / "results.json"
    arguments = ["--scale", "toy", "--only", "put", "--targets", "rival,floor-http", "--json", str(results)]
    assert run.main(arguments) == 0
    assert f"rival skipped: {reason}" in capsys.readouterr().out
    written = json.loads(results.read_text())
    assert written["skipped"] == {"rival": reason}
    assert {row["target"] for row in written["results"]} == {"floor-http"}
