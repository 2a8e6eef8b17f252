"""The sink of operations whose body is content, and what their heads promise of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from localzure.services.blob import checksums, requests
from localzure.services.blob.bodies import Upload
from localzure.services.blob.errors import BlobError
from localzure.services.blob.structured import STRUCTURED_BODY, SegmentError, StructuredReader, StructureError

if TYPE_CHECKING:
    from collections.abc import Callable

    from localzure.services.blob.call import Call
    from localzure.services.blob.checksums import Promise, Sums
    from localzure.services.interface import HttpReply


class UploadHead(NamedTuple):
    """What the head of an upload says of its body."""

    length: int
    """Of the content: shorter than the body where that is structured."""
    promise: Promise
    is_structured: bool


class Uploading:
    """The sink of an operation whose body is content."""

    __slots__ = ("_call", "_finish", "_head", "_structure", "_upload")

    def __init__(
        self,
        call: Call,
        head: UploadHead,
        finish: Callable[[Upload, Sums], HttpReply],
        *,
        with_md5: bool = False,
    ) -> None:
        """`finish` does the operation with the whole body; an MD5 is computed where the head promises one, too."""
        self._call = call
        self._head = head
        self._finish = finish
        with_md5 = with_md5 or head.promise.md5 is not None
        self._upload = Upload(call.parts.transactions, call.parts.extents, with_md5=with_md5)
        self._structure = StructuredReader(content_length(call)) if head.is_structured else None

    def write(self, data: bytes) -> None:
        """See `BodySink`."""
        if self._structure is None:
            self._upload.write(data)
        else:
            try:
                for piece in self._structure.receive(data):
                    self._upload.write(piece)
            except StructureError as error:
                raise _unstructured(error) from error
        if self._upload.size > self._head.length:
            raise self._bad_length()

    def finish(self) -> HttpReply:
        """See `BodySink`."""
        if self._structure is not None:
            try:
                self._structure.close()
            except StructureError as error:
                raise _unstructured(error) from error
        if self._upload.size != self._head.length:
            raise self._bad_length()
        sums = self._upload.sums()
        self._head.promise.check(sums)
        reply = self._finish(self._upload, sums)
        if self._head.is_structured:
            reply.headers.append(("x-ms-structured-body", STRUCTURED_BODY))
        self._upload.release_after_commit()
        return reply

    def abandon(self) -> None:
        """See `BodySink`."""
        self._upload.release()

    def _bad_length(self) -> BlobError:
        name = "x-ms-structured-content-length" if self._head.is_structured else "Content-Length"
        return requests.bad_header(name, str(self._head.length))


def _unstructured(error: StructureError) -> BlobError:
    """Return what is answered to a body that is not structured as its head says."""
    return BlobError("Crc64Mismatch" if isinstance(error, SegmentError) else "InvalidInput", Reason=str(error))


def upload_head(call: Call, length_max: int) -> UploadHead:
    """Read what a head says of the content that follows. Raises BlobError, also for more than `length_max`."""
    length = content_length(call)
    is_structured = "x-ms-structured-body" in call.request.headers
    if is_structured:
        asks_structured(call)
        content = requests.natural(call, "x-ms-structured-content-length")
        if content is None:
            raise BlobError("MissingRequiredHeader", HeaderName="x-ms-structured-content-length")
        length = content
    if length > length_max:
        raise BlobError("RequestBodyTooLarge", MaxLimit=str(length_max))
    return UploadHead(length, checksums.promise(call), is_structured)


def asks_structured(call: Call) -> bool:
    """Whether a request has a structured body, or wants one. Raises BlobError for a kind that there is not."""
    text = call.request.headers.get("x-ms-structured-body")
    if text is None:
        return False
    if "".join(text.split()).lower() != "".join(STRUCTURED_BODY.split()).lower():
        raise requests.bad_header("x-ms-structured-body", text)
    return True


def content_length(call: Call) -> int:
    """Read how long the body is, which the head must say. Raises BlobError."""
    text = call.request.headers.get("content-length")
    if text is None:
        raise BlobError("MissingContentLengthHeader")
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        raise requests.bad_header("Content-Length", text)
    return int(text)
