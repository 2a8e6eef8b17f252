"""The sink of operations whose body is content, and what their heads promise of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure.services.blob import replies, requests
from localzure.services.blob.bodies import Upload
from localzure.services.blob.errors import BlobError

if TYPE_CHECKING:
    from collections.abc import Callable

    from localzure.services.blob.call import Call
    from localzure.services.interface import HttpReply


class Uploading:
    """The sink of an operation whose body is content."""

    __slots__ = ("_call", "_finish", "_promised", "_upload")

    def __init__(
        self,
        call: Call,
        promised: int,
        finish: Callable[[Upload], HttpReply],
        *,
        with_md5: bool,
    ) -> None:
        """`promised` is the length that the head gives; `finish` does the operation with the whole body."""
        self._call = call
        self._promised = promised
        self._finish = finish
        self._upload = Upload(call.parts.transactions, call.parts.extents, with_md5=with_md5)

    def write(self, data: bytes) -> None:
        """See `BodySink`."""
        self._upload.write(data)
        if self._upload.size > self._promised:
            raise requests.bad_header("Content-Length", str(self._promised))

    def finish(self) -> HttpReply:
        """See `BodySink`."""
        if self._upload.size != self._promised:
            raise requests.bad_header("Content-Length", str(self._promised))
        reply = self._finish(self._upload)
        self._upload.release_after_commit()
        return reply

    def abandon(self) -> None:
        """See `BodySink`."""
        self._upload.release()


def content_length(call: Call, length_max: int) -> int:
    """Read how long the body is, which the head must say. Raises BlobError, also for more than `length_max`."""
    text = call.request.headers.get("content-length")
    if text is None:
        raise BlobError("MissingContentLengthHeader")
    if not text.isdecimal() or len(text) > 18:
        raise requests.bad_header("Content-Length", text)
    length = int(text)
    if length > length_max:
        raise BlobError("RequestBodyTooLarge", MaxLimit=str(length_max))
    return length


def check_digest(expected: bytes | None, computed: bytes | None) -> None:
    """Raise BlobError `Md5Mismatch` where a body is not the one that its sender had."""
    if expected is not None and expected != computed:
        raise BlobError(
            "Md5Mismatch",
            UserSpecifiedMd5=replies.md5_text(expected),
            ServerCalculatedMd5=replies.md5_text(computed or b""),
        )
