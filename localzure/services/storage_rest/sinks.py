"""The sinks of operations without a body, and with one that is read as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure.services.storage_rest.errors import StorageRestError

if TYPE_CHECKING:
    from collections.abc import Callable

    from localzure.services.interface import HttpReply, HttpRequest


class Bodiless:
    """The sink of an operation without a body; one that comes nevertheless is dropped."""

    __slots__ = ("finish",)

    def __init__(self, finish: Callable[[], HttpReply]) -> None:
        self.finish = finish
        """See `BodySink`."""

    def write(self, data: bytes) -> None:
        """See `BodySink`."""

    def abandon(self) -> None:
        """See `BodySink`."""


class Collecting:
    """The sink of an operation whose body is a document: it is gathered, up to a limit, and read at the end."""

    __slots__ = ("_finish", "_left", "_pieces", "_told_limit")

    def __init__(
        self, request: HttpRequest, limit: int, finish: Callable[[bytes], HttpReply], told_limit: int | None = None
    ) -> None:
        """`limit` is in bytes; `told_limit` is what clients are told of it, where they know one of another measure.

        Raises StorageRestError `RequestBodyTooLarge` where the head tells it.
        """
        length = request.headers.get("content-length", "")
        self._left = limit
        self._told_limit = limit if told_limit is None else told_limit
        if length.isdecimal() and (len(length) > 18 or int(length) > limit):
            raise self._too_large()
        self._finish = finish
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> None:
        """See `BodySink`."""
        self._left -= len(data)
        if self._left < 0:
            raise self._too_large()
        self._pieces.append(data)

    def finish(self) -> HttpReply:
        """See `BodySink`."""
        return self._finish(b"".join(self._pieces))

    def abandon(self) -> None:
        """See `BodySink`."""

    def _too_large(self) -> StorageRestError:
        return StorageRestError("RequestBodyTooLarge", MaxLimit=str(self._told_limit))
