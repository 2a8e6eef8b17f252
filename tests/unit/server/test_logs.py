"""Log lines: their shape, their levels, the request they belong to, the file they go to."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
import warnings
from typing import TYPE_CHECKING, Any

import pytest

from localzure.config.settings import LogSettings
from localzure.server import logs
from localzure.server.startup import StartupError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

log = logging.getLogger("localzure.test")


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    yield
    logs.reset()


def configured(**settings: Any) -> io.StringIO:
    stream = io.StringIO()
    logs.configure(LogSettings(**settings), ["planted-key"], stream)
    return stream


def parsed(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_json_line_has_the_documented_fields() -> None:
    stream = configured(format="json")
    with logs.correlated("request-1"):
        log.info("%s of %d\n", "one", 2, extra={"account": "a", "sizes": (1, 2.5)})
    (line,) = parsed(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "level": "INFO",
        "logger": "localzure.test",
        "message": "one of 2\n",
        "correlation_id": "request-1",
        "extras": {"account": "a", "sizes": [1, 2.5]},
    }


def test_a_text_line_is_one_line_whatever_a_client_sends() -> None:
    stream = configured()
    with logs.correlated("r"):
        log.warning("path %s", "/a\n2026 INFO forged\x1b[31m\u2028", extra={"name_": "b\r"})
    (line,) = stream.getvalue().splitlines()
    assert line.endswith(r"WARNING  localzure.test: path /a\n2026 INFO forged\x1b[31m\u2028 [r] name_=b\r")


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_traceback_goes_with_its_line(form: str) -> None:
    stream = configured(format=form)
    try:
        raise ValueError("sig=planted")
    except ValueError:
        log.exception("failed", stack_info=True)
    text = stream.getvalue()
    assert "ValueError: sig=***" in text
    assert "Stack (most recent call last)" in text
    if form == "json":
        (line,) = parsed(stream)
        assert line["message"] == "failed"
        assert line["exception"].startswith("Traceback")


def test_correlation_nests_and_ends_with_its_block() -> None:
    stream = configured(format="json")
    log.info("")
    with logs.correlated("outer"):
        with logs.correlated("inner"):
            log.info("")
        log.info("")
        log.info("", extra={"correlation_id": "own"})
    log.info("")
    assert [line["correlation_id"] for line in parsed(stream)] == [None, "inner", "outer", "own", None]


def test_levels_are_global_and_by_logger_and_foreign_loggers_only_warn() -> None:
    stream = configured(format="json", level="warning", levels={"localzure.test": "debug", "h2": "info"})
    log.debug("1")
    logging.getLogger("localzure.test.below").debug("2")
    logging.getLogger("localzure.other").info("no")
    logging.getLogger("localzure_storage.lmdb").warning("3")
    logging.getLogger("asyncio").info("no")
    logging.getLogger("asyncio").warning("4")
    logging.getLogger("h2").info("5")
    assert [line["message"] for line in parsed(stream)] == ["1", "2", "3", "4", "5"]


def test_a_second_configuration_replaces_the_first_and_reset_takes_it_back() -> None:
    root = logging.getLogger()
    before = (root.level, log.level, sys.excepthook, threading.excepthook)
    first = configured(levels={"localzure.test": "debug"})
    second = configured()
    log.debug("no")
    log.info("once")
    assert first.getvalue() == ""
    assert second.getvalue().count("once") == 1
    logs.reset()
    assert (root.level, log.level, sys.excepthook, threading.excepthook) == before
    assert root.handlers == []


def test_the_file_is_rotated_by_size_and_only_so_many_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "localzure.log"
    stream = configured(format="json", file=path, file_bytes=500, file_count=2)
    for number in range(20):
        log.info("line %d %s", number, "\udc80")
    logs.reset()
    assert stream.getvalue() == ""
    files = sorted(entry.name for entry in tmp_path.iterdir())
    assert files == ["localzure.log", "localzure.log.1", "localzure.log.2"]
    assert all(0 < (tmp_path / name).stat().st_size <= 500 for name in files)
    assert json.loads(path.read_text().splitlines()[-1])["message"] == "line 19 \udc80"


def test_a_file_that_cannot_be_opened_is_told_at_start(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match=r"x/y\.log cannot be opened \(no such file or directory\): .*--log-file$"):
        configured(file=tmp_path / "x" / "y.log")


class Broken:
    def __str__(self) -> str:
        raise RuntimeError("planted")


@pytest.mark.parametrize(
    ("message", "args"),
    [
        ("%d sig=planted", ("password=planted",)),
        ("%s %s", ("sig=planted",)),
        ("none sig=planted", (1,)),
        ("%(missing)s", ({"password": "planted"},)),
        ("%s", (Broken(),)),
        (Broken(), ()),
    ],
)
def test_a_call_whose_arguments_do_not_fit_still_logs_and_tells_no_secret(
    message: Any, args: tuple[Any, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    stream = configured(format="json")
    log.info(message, *args)
    assert len(parsed(stream)) == 1
    assert "planted" not in stream.getvalue()
    assert capsys.readouterr() == ("", "")


def test_a_stream_that_fails_is_told_once_and_without_the_line(capsys: pytest.CaptureFixture[str]) -> None:
    stream = configured()
    stream.close()
    log.info("planted")
    log.info("planted")
    assert capsys.readouterr().err == (
        "localzure: a log line could not be written (ValueError); further ones are not told\n"
    )


def test_a_long_message_is_cut_after_redaction() -> None:
    stream = configured(format="json")
    log.info("%s sig=%s", "a" * 10 * logs.MESSAGE_CHARS_MAX, "planted" * logs.MESSAGE_CHARS_MAX)
    (line,) = parsed(stream)
    assert len(line["message"]) < logs.MESSAGE_CHARS_MAX + 10
    assert "planted" not in line["message"]


def test_what_python_would_print_goes_through_the_log() -> None:
    stream = configured(format="json")
    error = ValueError("sig=planted")
    sys.excepthook(ValueError, error, None)
    thread = threading.Thread(target=lambda: int("sig=planted"), name="planted-key")
    thread.start()
    thread.join()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn("password=planted", UserWarning, stacklevel=1)

    class Unclosable:
        def __del__(self) -> None:
            raise ValueError("sig=planted")

    Unclosable()
    lines = parsed(stream)
    assert [(line["level"], line["logger"]) for line in lines] == [
        ("CRITICAL", "localzure"),
        ("CRITICAL", "localzure"),
        ("WARNING", "py.warnings"),
        ("ERROR", "localzure"),
    ]
    assert "planted" not in stream.getvalue()


def test_an_interrupt_is_no_uncaught_exception(capsys: pytest.CaptureFixture[str]) -> None:
    stream = configured()
    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert stream.getvalue() == ""
    assert "KeyboardInterrupt" in capsys.readouterr().err
