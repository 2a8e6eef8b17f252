"""The multipart bodies of batches: reading the parts of one, and the HTTP requests within, and writing replies.

RFC 2046, section 5.1; RFC 9110 for what `application/http` holds. Lines may end with a line feed alone.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PARTS_MAX = 256
"""Parts that are looked at, more than twice what any body may have."""

_BLANK_LINE = re.compile(rb"\r?\n\r?\n")
_LINE_END = re.compile(rb"\r?\n")
_REQUEST_LINE = re.compile(r"([A-Z]+) +(\S+) +HTTP/1\.[01] *", re.ASCII)
_BOUNDARY_CHARS_MAX = 200
_LINE_FEED = 0x0A


class MultipartError(Exception):
    """The body is not of its form."""


class Part(NamedTuple):
    """One part of a body."""

    headers: dict[str, str]
    """Lower-case names; the values of repeated headers joined by a comma."""
    body: bytes


class InnerRequest(NamedTuple):
    """An HTTP request within a part."""

    method: str
    uri: str
    """As sent: a whole URI, or a path."""
    headers: dict[str, str]
    body: bytes


def boundary_of(content_type: str) -> str | None:
    """Return the boundary of `multipart/mixed`; None for any other type and where it has none."""
    media_type, *parameters = content_type.split(";")
    if media_type.strip().lower() != "multipart/mixed":
        return None
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "boundary":
            boundary = value.strip().strip('"')
            return boundary if 0 < len(boundary) <= _BOUNDARY_CHARS_MAX else None
    return None


def split(body: bytes, boundary: str) -> list[Part]:
    """Return the parts of a body. Raises MultipartError where it does not end as it must, or has too many."""
    mark = b"--" + boundary.encode("latin-1")
    parts: list[Part] = []
    start: int | None = None
    at = body.find(mark)
    while at >= 0:
        behind = at + len(mark)
        if at == 0 or body[at - 1] == _LINE_FEED:
            line_end = body.find(b"\n", behind)
            line = (body[behind:] if line_end < 0 else body[behind:line_end]).rstrip(b" \t\r")
            if line in {b"", b"--"}:
                if start is not None:
                    parts.append(_part(body[start : max(start, at - 1)].removesuffix(b"\r")))
                if line:
                    return parts
                if line_end < 0 or len(parts) > PARTS_MAX:
                    break
                start = line_end + 1
        at = body.find(mark, behind)
    raise MultipartError("the body has no closing boundary, or too many parts")


def read_request(body: bytes) -> InnerRequest:
    """Read the request in a part of the type `application/http`. Raises MultipartError."""
    (line, *fields), rest = _take_head(body.lstrip(b"\r\n"))
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        raise MultipartError("a part has no request line")
    return InnerRequest(match[1], match[2], _headers(fields), rest)


def _part(text: bytes) -> Part:
    if text.startswith((b"\r\n", b"\n")):
        return Part({}, text)
    lines, body = _take_head(text)
    return Part(_headers(lines), body)


def _take_head(text: bytes) -> tuple[list[str], bytes]:
    """Return the lines before the first blank one, and what follows it."""
    match = _BLANK_LINE.search(text)
    head, rest = (text, b"") if match is None else (text[: match.start()], text[match.end() :])
    return [line.decode("latin-1") for line in _LINE_END.split(head)], rest


def _headers(lines: Iterable[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not line.strip():
            continue
        if not colon:
            raise MultipartError("a header has no colon")
        name = name.strip().lower()
        value = value.strip()
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return headers


# --- writing ------------------------------------------------------------------------------------------------------


def join(boundary: str, parts: Iterable[bytes]) -> bytes:
    """Return a body of these parts, each with its headers."""
    delimiter = f"--{boundary}\r\n".encode()
    return b"".join((*(b"%b%b\r\n" % (delimiter, part) for part in parts), f"--{boundary}--\r\n".encode()))


def write_part(content_type: str, body: bytes) -> bytes:
    """Return a part."""
    return f"Content-Type: {content_type}\r\n\r\n".encode() + body


def write_reply(status: int, headers: Mapping[str, str], body: bytes) -> bytes:
    """Return a part with an HTTP reply."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return (
        "Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n{lines}\r\n"
    ).encode() + body
