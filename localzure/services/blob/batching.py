"""Blob Batch: up to 256 deletes or tier changes in one request, each authorised and done by itself.

"Blob Batch": the body is multipart/mixed, each part an HTTP request whose path is one of the account's; so is the
reply, with a response for each in the same order.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from localzure.services.blob.errors import BlobError
from localzure.services.interface import Address, HttpReply, HttpRequest
from localzure.services.storage_rest.headers import reply_headers
from localzure.services.storage_rest.sinks import Collecting

if TYPE_CHECKING:
    from localzure.services.blob.call import Call
    from localzure.services.interface import BodySink

REQUESTS_MAX = 256
"""Requests in a batch."""

BATCH_BYTES_MAX = 4 * 1024 * 1024
"""Longest body of a batch."""

OPERATIONS = frozenset({"Blob_Delete", "Blob_SetTier"})
"""What a batch may hold."""

_BOUNDARY = re.compile(r'multipart/mixed\s*;\s*boundary="?([^"\s;]{1,200})"?', re.IGNORECASE)
_REQUEST_LINE = re.compile(r"([A-Z]+) (\S+) HTTP/1\.1", re.ASCII)
_LINE_END = re.compile(r"\r?\n")
_BLANK_LINE = re.compile(r"\r?\n\r?\n")


def submit(call: Call) -> BodySink:
    """Blob Batch, of an account or a container."""
    match = _BOUNDARY.match(call.request.headers.get("content-type", ""))
    if match is None:
        raise BlobError("InvalidHeaderValue", HeaderName="Content-Type")
    boundary = match[1]

    def finish(body: bytes) -> HttpReply:
        answers = [(part, _answer(call, part)) for part in _requests(body.decode("latin-1"), boundary)]
        return _reply(call, answers)

    return Collecting(call.request, BATCH_BYTES_MAX, finish)


class _Part:
    """One request of a batch."""

    def __init__(self, text: str) -> None:
        """Raises BlobError for what is no HTTP request in a part."""
        outer, *rest = _BLANK_LINE.split(text, maxsplit=1)
        self.content_id = _headers(outer).get("content-id")
        line, _, head = (rest[0] if rest else "").lstrip("\r\n").partition("\n")
        match = _REQUEST_LINE.fullmatch(line.rstrip("\r"))
        if match is None:
            raise BlobError("InvalidInput")
        self.method, self.uri = match.groups()
        self.headers = _headers(_BLANK_LINE.split(f"{head}\n\n", maxsplit=1)[0])


def _headers(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in _LINE_END.split(text):
        name, colon, value = line.partition(":")
        if colon:
            found[name.strip().lower()] = value.strip()
    return found


def _requests(text: str, boundary: str) -> list[_Part]:
    """Take a body apart. Raises BlobError."""
    pieces = re.split(rf"(?:\A|\r?\n)--{re.escape(boundary)}(?=--|\r?\n)", text)
    if len(pieces) < 3 or not pieces[-1].startswith("--"):
        raise BlobError("InvalidInput")
    if len(pieces) - 2 > REQUESTS_MAX:
        raise BlobError("ExceedsMaxBatchRequestCount")
    return [_Part(piece.lstrip("\r\n")) for piece in pieces[1:-1]]


def _answer(call: Call, part: _Part) -> HttpReply:
    """Do one request of the batch, in a transaction of its own."""
    base = urlsplit(call.address.base_url)
    url = urlsplit(part.uri)
    request = HttpRequest(
        method=part.method,
        raw_path=url.path,
        raw_query=url.query,
        headers=part.headers,
        scheme=call.request.scheme,
        host=call.request.host,
        peer=call.request.peer,
        request_id=call.request.request_id,
    )
    path = url.path
    if not path.startswith(f"{base.path}/") or (call.container and not _is_inside(call, path, base.path)):
        return call.parts.refuse(request, BlobError("InvalidInput"))
    inner = Address(
        call.address.account, secondary=False, path=path[len(base.path) + 1 :], base_url=call.address.base_url
    )
    return call.parts.serve(request, inner, OPERATIONS, call.request.headers.get("x-ms-version"))


def _is_inside(call: Call, path: str, prefix: str) -> bool:
    return path.startswith(f"{prefix}/{call.container}/")


def _reply(call: Call, answers: list[tuple[_Part, HttpReply]]) -> HttpReply:
    boundary = f"batchresponse_{call.parts.entropy.uuid()}"
    pieces: list[bytes] = []
    for part, reply in answers:
        lines = [f"--{boundary}", "Content-Type: application/http"]
        if part.content_id is not None:
            lines.append(f"Content-ID: {part.content_id}")
        lines += ["", f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in reply.headers]
        lines += [f"x-ms-request-id: {call.request.request_id}"]
        body = reply.body if isinstance(reply.body, bytes) else b""
        if body:
            lines.append(f"content-length: {len(body)}")
        pieces.append("\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + body + b"\r\n")
    pieces.append(f"--{boundary}--\r\n".encode())
    headers = reply_headers(call.request)
    headers.append(("content-type", f"multipart/mixed; boundary={boundary}"))
    return HttpReply(202, headers, b"".join(pieces))
