"""Tells which protocol a connection speaks from its first bytes.

Fixed prefaces are decided first, HTTP/1 by the shape of a method, and everything else is refused, so that junk is
dropped after a few bytes and never reaches a parser.
"""

from __future__ import annotations

from enum import Enum

HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""RFC 9113, section 3.4."""

METHOD_BYTES_MAX = 32
"""Longest HTTP method that is waited for. The longest registered one has 17 letters (UPDATEREDIRECTREF)."""

_METHOD_BYTES = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ-_")
_TLS_HANDSHAKE = 0x16
_TLS_MAJOR_VERSION = 0x03


class Wire(Enum):
    """What the first bytes of a connection say."""

    MORE = "more bytes are needed"
    UNKNOWN = "no protocol that is known here"
    AMQP = "AMQP 1.0, with or without SASL"
    TLS = "TLS"
    HTTP1 = "HTTP/1.x"
    HTTP2 = "HTTP/2 by prior knowledge"


def sniff(data: bytes | bytearray) -> Wire:
    """Decide from the bytes received so far."""
    if not data:
        return Wire.MORE
    if data[0] == _TLS_HANDSHAKE:
        return Wire.MORE if len(data) == 1 else Wire.TLS if data[1] == _TLS_MAJOR_VERSION else Wire.UNKNOWN
    if data[:4] == b"AMQP":
        return Wire.AMQP
    if data[: len(HTTP2_PREFACE)] == HTTP2_PREFACE[: len(data)]:
        return Wire.HTTP2 if len(data) >= len(HTTP2_PREFACE) else Wire.MORE
    return _sniff_http1(data)


def _sniff_http1(data: bytes | bytearray) -> Wire:
    for index, byte in enumerate(data[: METHOD_BYTES_MAX + 1]):
        if byte == 0x20:
            return Wire.HTTP1 if index else Wire.UNKNOWN
        if byte not in _METHOD_BYTES:
            return Wire.UNKNOWN
    return Wire.MORE if len(data) <= METHOD_BYTES_MAX else Wire.UNKNOWN
