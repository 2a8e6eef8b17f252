"""Logging: lines for people or for machines, a request's id in each of its lines, and no secret in any.

Everything goes through one handler at the root, whose formatter redacts message, arguments, extras and exception
text, so that no code has to remember to. What Python itself would print (uncaught exceptions, warnings, a log call
whose arguments do not fit) is led there too.

A line in JSON has `timestamp`, `level`, `logger`, `message`, `correlation_id` and `extras`, and `exception` where
there is one.
"""

from __future__ import annotations

import json
import logging
import logging.handlers
import sys
import threading
import traceback
from contextvars import ContextVar, Token
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TextIO

from localzure.server.redaction import Redactor
from localzure.server.startup import StartupError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path
    from types import TracebackType

    from localzure.config.settings import LogSettings

OWN_LOGGERS = ("localzure", "localzure_protocols", "localzure_storage")
"""The loggers that the level rules. Others tell warnings and worse, unless they are given a level by name."""

MESSAGE_CHARS_MAX = 64 * 1024
"""A longer message or exception text is cut, after redaction."""

correlation: ContextVar[str | None] = ContextVar("correlation", default=None)
"""The id of the request that is being worked on."""

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "correlation_id"}
_CONTROLS = {code: repr(chr(code))[1:-1] for code in (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)}

_undo: list[Callable[[], None]] = []


class correlated:  # noqa: N801 -- used as `with correlated(request_id):`, and a class costs half of a generator
    """Gives every line that is logged inside the block the id of a request."""

    __slots__ = ("_request_id", "_token")

    def __init__(self, request_id: str) -> None:
        self._request_id = request_id

    def __enter__(self) -> None:
        self._token: Token[str | None] = correlation.set(self._request_id)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        correlation.reset(self._token)


def configure(settings: LogSettings, secrets: Iterable[str] = (), stream: TextIO | None = None) -> None:
    """Set logging up for the whole process; replaces what an earlier call set up.

    `secrets` are the keys to redact by value; `stream` is where lines go when no file is set, stderr unless given.
    Raises StartupError when the log file cannot be opened.
    """
    reset()
    handler = _handler(settings, stream or sys.stderr)
    redactor = Redactor(secrets)
    handler.setFormatter(JsonFormatter(redactor) if settings.format == "json" else TextFormatter(redactor))
    root = logging.getLogger()
    root.handlers[:] = [handler]  # another one would write what this one redacts
    _undo.extend([handler.close, lambda: root.removeHandler(handler)])
    _set_level("", logging.WARNING)
    for name in OWN_LOGGERS:
        _set_level(name, logging.getLevelNamesMapping()[settings.level.upper()])
    for name, level in settings.levels.items():
        _set_level(name, logging.getLevelNamesMapping()[level.upper()])
    _lead_in_uncaught()


def reset() -> None:
    """Undo `configure`, but for the handlers that it found at the root."""
    while _undo:
        _undo.pop()()


def _set_level(name: str, level: int) -> None:
    """Set a logger's level until `reset`."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(level)
    _undo.append(lambda: logger.setLevel(before))


def _handler(settings: LogSettings, stream: TextIO) -> logging.Handler:
    """Where lines go. The file is opened here, so that a wrong path shows at start."""
    if settings.file is None:
        return _StreamHandler(stream)
    try:
        return _FileHandler(settings.file, settings.file_bytes, settings.file_count)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise StartupError(
            f"the log file {settings.file} cannot be opened ({reason}): choose another with --log-file"
        ) from None


def _lead_in_uncaught() -> None:
    """Let what Python would print by itself go through the log."""
    log = logging.getLogger("localzure")
    before = (sys.excepthook, threading.excepthook, sys.unraisablehook)

    def uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            before[0](kind, error, trace)
        else:
            log.critical("uncaught exception", exc_info=(kind, error, trace))

    def uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
        log.critical("uncaught exception in a thread", exc_info=args.exc_value)

    def unraisable(args: sys.UnraisableHookArgs) -> None:
        log.error("exception that could not be raised, in %r", args.object, exc_info=args.exc_value)

    def restore() -> None:
        sys.excepthook, threading.excepthook, sys.unraisablehook = before
        logging.captureWarnings(False)

    sys.excepthook, threading.excepthook, sys.unraisablehook = uncaught, uncaught_in_thread, unraisable
    logging.captureWarnings(True)
    _undo.append(restore)


class _RedactingFormatter(logging.Formatter):
    """Takes a record apart into redacted parts."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def message(self, record: logging.LogRecord) -> str:
        """The message with its arguments. Arguments that do not fit are shown beside it: no line is lost."""
        args = record.args
        if isinstance(args, tuple):
            args = tuple(self._argument(arg) for arg in args)
        elif args:
            args = {name: self._argument(arg, name) for name, arg in args.items()}
        try:
            text = str(record.msg) % args if args else str(record.msg)
        except Exception:  # noqa: BLE001 -- whatever a message or an argument raises when it is shown
            text = f"{self._redactor.value(record.msg)} {self._redactor.value(args)}"
        return self._cut(self._redactor.text(text))

    def _argument(self, arg: object, name: str = "") -> object:
        """An argument without secrets: texts and containers are redacted now, numbers stay what they are."""
        redacted = self._redactor.field(name, arg)
        return redacted if isinstance(arg, str | dict | list | tuple) or redacted == "***" else arg

    def exception(self, record: logging.LogRecord) -> str:
        """The traceback or stack, as text; empty where there is none."""
        parts = []
        if record.exc_info and record.exc_info[1] is not None:
            parts.append("".join(traceback.format_exception(record.exc_info[1])).rstrip())
        if record.stack_info:
            parts.append(record.stack_info)
        return self._cut(self._redactor.text("\n".join(parts)))

    def extras(self, record: logging.LogRecord) -> dict[str, object]:
        """What was given as `extra`."""
        return {
            self._redactor.text(name): self._redactor.field(name, value)
            for name, value in vars(record).items()
            if name not in _STANDARD
        }

    def correlation_id(self, record: logging.LogRecord) -> str | None:
        """The id given with the record, else that of the request that is being worked on."""
        own = getattr(record, "correlation_id", None) or correlation.get()
        return None if own is None else self._redactor.text(str(own))

    @staticmethod
    def _cut(text: str) -> str:
        """`text`, no longer than allowed: the start of a message says what, the end of a traceback why."""
        if len(text) <= MESSAGE_CHARS_MAX:
            return text
        half = MESSAGE_CHARS_MAX // 2
        return f"{text[:half]} […] {text[-half:]}"


class JsonFormatter(_RedactingFormatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Render a record."""
        line: dict[str, object] = {
            "timestamp": _timestamp(record),
            "level": record.levelname,
            "logger": self._redactor.text(record.name),
            "message": self.message(record),
            "correlation_id": self.correlation_id(record),
            "extras": self.extras(record),
        }
        exception = self.exception(record)
        if exception:
            line["exception"] = exception
        return json.dumps(line)


class TextFormatter(_RedactingFormatter):
    """One line for people, with a traceback below where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """Render a record. Control characters are shown as escapes, so that no client can forge a line."""
        parts = [
            f"{_timestamp(record)} {record.levelname:<8} {self._redactor.text(record.name)}: {self.message(record)}"
        ]
        own = self.correlation_id(record)
        if own:
            parts.append(f"[{own}]")
        parts.extend(f"{name}={value}" for name, value in self.extras(record).items())
        line = " ".join(parts).translate(_CONTROLS)
        exception = self.exception(record)
        return f"{line}\n{exception}" if exception else line


def _timestamp(record: logging.LogRecord) -> str:
    """The record's time in UTC, to the millisecond, as RFC 3339 has it."""
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class _Quiet(logging.Handler):
    """A handler that tells a failure to write once, and not with the record, which is not redacted there."""

    told = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 -- the signature is logging's
        """Tell on stderr that a line was lost."""
        error = sys.exc_info()[0]
        if not self.told and sys.stderr is not None:
            self.told = True
            name = error.__name__ if error else "unknown error"
            sys.stderr.write(f"localzure: a log line could not be written ({name}); further ones are not told\n")


class _StreamHandler(_Quiet, logging.StreamHandler[TextIO]):
    """Writes lines to a stream."""


class _FileHandler(_Quiet, logging.handlers.RotatingFileHandler):
    """Writes lines to a file that is rotated by size."""

    def __init__(self, path: Path, file_bytes: int, file_count: int) -> None:
        super().__init__(path, maxBytes=file_bytes, backupCount=file_count, encoding="utf-8", errors="backslashreplace")
