"""HTTP/2 header lists and the neutral heads: what a request's list must look like, and what a response's may not say.

RFC 9113, sections 8.2 and 8.3. A list that breaks them is malformed, which ends its stream alone.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from localzure_protocols.events import Request

if TYPE_CHECKING:
    from collections.abc import Iterable

    from localzure_protocols.events import Headers

FIELD_OVERHEAD_BYTES = 32
"""What each field counts beyond its name and value towards the size of a list (RFC 9113, section 6.5.2)."""

_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9a-z-]+")
_VALUE = re.compile(rb"(?:[^\x00\r\n\t ](?:[^\x00\r\n]*[^\x00\r\n\t ])?)?")
_METHOD = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TARGET = re.compile(rb"/[\x21-\x7e]*|\*")
_AUTHORITY = re.compile(rb"[\x21-\x7e]+")
_PSEUDO = frozenset({b":method", b":scheme", b":authority", b":path"})
_OF_THE_CONNECTION = frozenset({b"connection", b"proxy-connection", b"keep-alive", b"transfer-encoding", b"upgrade"})


class MalformedError(Exception):
    """The header list is malformed: its stream ends with PROTOCOL_ERROR."""


def list_bytes(fields: Iterable[tuple[bytes, bytes]]) -> int:
    """The size of a header list, as its limit counts it."""
    return sum(len(name) + len(value) + FIELD_OVERHEAD_BYTES for name, value in fields)


def request_head(stream_id: int, fields: Iterable[tuple[bytes, bytes]]) -> Request:
    """Read a request's header list; `:authority` becomes the `host` header. Raises MalformedError."""
    pseudo: dict[bytes, bytes] = {}
    headers: Headers = []
    cookies: list[bytes] = []
    for name, value in fields:
        if not _VALUE.fullmatch(value):
            raise MalformedError("a field value with forbidden characters")
        if name[:1] == b":":
            if headers or cookies or name in pseudo or name not in _PSEUDO:
                raise MalformedError("a pseudo-header field that is unknown, repeated or late")
            pseudo[name] = value
        elif name == b"cookie":
            cookies.append(value)
        else:
            _check_field(name, value)
            headers.append((name, value))
    if cookies:
        headers.append((b"cookie", b"; ".join(cookies)))
    method, target, authority = _request_line(pseudo)
    return Request(stream_id, method, target, _with_host(headers, authority), http_version=b"2")


def check_trailers(fields: Iterable[tuple[bytes, bytes]]) -> None:
    """Trailers are dropped, but must be well-formed: no pseudo-header fields. Raises MalformedError."""
    for name, value in fields:
        if not _VALUE.fullmatch(value):
            raise MalformedError("a field value with forbidden characters")
        _check_field(name, value)


def response_fields(status: int, headers: Headers) -> Headers | None:
    """The header list of a response, without what is HTTP/1.1's; None where a field could not be sent as it is."""
    fields = [(b":status", b"%d" % status)]
    for given, value in headers:
        name = given.lower()
        if name in _OF_THE_CONNECTION:
            continue
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            return None
        if name == b"content-length" and not value.isdigit():
            return None
        fields.append((name, value))
    return fields


def content_length(fields: Headers) -> int | None:
    """What a header list that `response_fields` made says about the body's length."""
    return next((int(value) for name, value in fields if name == b"content-length"), None)


def _check_field(name: bytes, value: bytes) -> None:
    if not _NAME.fullmatch(name):
        raise MalformedError("a field name with forbidden characters")
    if name in _OF_THE_CONNECTION:
        raise MalformedError(f"the connection-specific field {name.decode()}")
    if name == b"te" and value.lower() != b"trailers":
        raise MalformedError("a te field that says anything but trailers")


def _request_line(pseudo: dict[bytes, bytes]) -> tuple[bytes, bytes, bytes | None]:
    """Method, target and authority from the pseudo-header fields (RFC 9113, sections 8.3.1 and 8.5)."""
    method, authority = pseudo.get(b":method", b""), pseudo.get(b":authority")
    if not _METHOD.fullmatch(method):
        raise MalformedError("no :method")
    if authority is not None and not _AUTHORITY.fullmatch(authority):
        raise MalformedError("an :authority that is none")
    if method == b"CONNECT":
        if authority is None or b":scheme" in pseudo or b":path" in pseudo:
            raise MalformedError("CONNECT has an :authority, and neither :scheme nor :path")
        return method, authority, authority
    path = pseudo.get(b":path", b"")
    if not pseudo.get(b":scheme"):
        raise MalformedError("no :scheme")
    if not _TARGET.fullmatch(path) or (path == b"*" and method != b"OPTIONS"):
        raise MalformedError("no :path that starts with a slash")
    return method, path, authority


def _with_host(headers: Headers, authority: bytes | None) -> Headers:
    """The headers with exactly one `host`; `:authority` and `host` may not differ (RFC 9113, section 8.3.1)."""
    hosts = [value for name, value in headers if name == b"host"]
    if len(hosts) > 1 or (authority is None and not hosts):
        raise MalformedError("no :authority, or more than one host")
    if hosts and authority is not None and hosts[0].lower() != authority.lower():
        raise MalformedError("a host that differs from :authority")
    if hosts:
        return headers
    assert authority is not None, "checked above"
    return [(b"host", authority), *headers]
