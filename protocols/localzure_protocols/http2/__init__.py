"""HTTP/2, server side, without IO: h2 behind the neutral events, many exchanges at a time, in bounded memory."""

from localzure_protocols.http2.connection import Http2Connection

__all__ = ["Http2Connection"]
