"""`localzure logs`: the end of a log file, what comes after it, also when it is rotated."""

from __future__ import annotations

from pathlib import Path

import pytest

from localzure.cli.logs import BLOCK_BYTES, following, last_lines
from localzure.cli.main import main


@pytest.fixture
def log(tmp_path: Path) -> Path:
    (path := tmp_path / "server.log").write_bytes(b"".join(b"line %d\n" % number for number in range(20_000)))
    return path


@pytest.mark.parametrize("count", [0, 1, 2, 19_999, 20_000, 30_000])
def test_the_last_lines_are_found_however_long_the_file_is(log: Path, count: int) -> None:
    assert log.stat().st_size > 2 * BLOCK_BYTES
    text, end = last_lines(log, count)
    assert text.count(b"\n") == min(count, 20_000)
    assert end == log.stat().st_size
    assert log.read_bytes().endswith(text)


def test_lines_that_are_empty_or_have_no_end_count(log: Path) -> None:
    log.write_bytes(b"a\n\n\nb")
    assert last_lines(log, 1)[0] == b"b"
    assert last_lines(log, 3)[0] == b"\n\nb"
    log.write_bytes(b"a\n\n\n")
    assert last_lines(log, 2)[0] == b"\n\n"
    log.write_bytes(b"")
    assert last_lines(log, 2) == (b"", 0)


def test_what_is_written_later_follows_also_after_a_rotation(log: Path) -> None:
    more = following(log, last_lines(log, 0)[1])
    with log.open("ab") as file:
        file.write(b"later\n")
    assert next(more) == b"later\n"
    with log.open("ab") as file:
        file.write(b"last of the old\n")
    log.rename(log.with_suffix(".1"))
    assert next(more) == b"last of the old\n"
    log.write_bytes(b"first of the new\n")
    assert next(more) == b"first of the new\n"
    more.close()  # type: ignore[attr-defined]


def test_the_file_is_named_or_configured(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("LOCALZURE_LOG_FILE", raising=False)
    assert main(["logs", "--log-file", str(log), "-n", "2"]) == 0
    assert capsys.readouterr().out == "line 19998\nline 19999\n"
    (config := tmp_path / "x.yaml").write_text("log: {file: server.log}\n")
    assert main(["logs", "--config", str(config), "-n", "1"]) == 0
    assert capsys.readouterr().out == "line 19999\n"
    assert main(["logs"]) == 2
    assert "no log file is configured" in capsys.readouterr().err
    monkeypatch.setenv("LOCALZURE_LOG_FILE", str(tmp_path / "none.log"))
    assert main(["logs"]) == 2
    assert "cannot be read: No such file" in capsys.readouterr().err
