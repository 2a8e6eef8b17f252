"""The upgrade from HTTP/1.1 to HTTP/2 by `Upgrade: h2c` and `HTTP2-Settings` (RFC 7540, section 3.2).

RFC 9113 gave it up, but clients without prior knowledge (curl --http2, older Java and .NET) still offer it. A server
may always decline by answering in HTTP/1.1; here it does so for requests with a body.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING

from localzure_protocols.events import Request
from localzure_protocols.http2.frames import known_settings

if TYPE_CHECKING:
    from localzure_protocols.events import Headers

SWITCHING_PROTOCOLS = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
"""What the client is told before the first frame."""

_SETTING_BYTES = 6
_OF_HTTP1 = frozenset({b"connection", b"upgrade", b"http2-settings", b"keep-alive", b"proxy-connection"})


def offered_settings(request: Request) -> bytes | None:
    """The settings of a client that offers the upgrade, in base64; None where it does not, or not as it should.

    Not for requests that came over TLS, where only ALPN chooses HTTP/2.
    """
    headers = request.headers
    connection = [token.lower() for token in _tokens(headers, b"connection")]
    settings = [value for name, value in headers if name == b"http2-settings"]
    if b"h2c" not in _tokens(headers, b"upgrade") or not {b"upgrade", b"http2-settings"} <= set(connection):
        return None
    if len(settings) != 1 or _has_body(headers):
        return None
    try:
        payload = urlsafe_b64decode(settings[0] + b"=" * (-len(settings[0]) % 4))
    except binascii.Error:
        return None
    return None if len(payload) % _SETTING_BYTES else urlsafe_b64encode(known_settings(payload))


def upgraded_request(request: Request) -> Request:
    """The request as it stands on stream 1 of the HTTP/2 connection."""
    headers = [(name, value) for name, value in request.headers if name not in _OF_HTTP1]
    return Request(1, request.method, request.target, headers, http_version=b"2")


def _has_body(headers: Headers) -> bool:
    return any(name == b"transfer-encoding" or (name == b"content-length" and value != b"0") for name, value in headers)


def _tokens(headers: Headers, name: bytes) -> list[bytes]:
    return [token.strip() for given, value in headers if given == name for token in value.split(b",")]
