"""TLS, server side, without IO: `ssl.SSLObject` between two memory buffers.

Ciphertext goes in and plaintext pieces come out, and the other way round. Data is fed and drained a record at a
time, so that neither buffer ever grows (and stays) beyond one record, whatever a socket read or a reply brings.
Nothing that a client sends raises: a handshake that fails queues its alert, finishes, and says why in `failure`.
"""

from __future__ import annotations

import ssl
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

RECORD_BYTES = 16 * 1024
"""Most plaintext that one record carries (RFC 8446, section 5.1)."""

ALPN_PROTOCOLS = ("h2", "http/1.1")
"""What is offered, best first. A client that offers neither, or nothing, is served by what its bytes say."""

_DISTRUST = frozenset({"UNKNOWN_CA", "CERTIFICATE_UNKNOWN", "BAD_CERTIFICATE", "CERTIFICATE_EXPIRED"})
"""Alerts by which clients turn a certificate down (RFC 8446, section 6.2)."""


class _ServerObject(ssl.SSLObject):
    """Remembers what the certificate is chosen by."""

    local_address: str | None = None
    server_name: str | None = None


def server_context() -> ssl.SSLContext:
    """A context for `TlsConnection`: TLS 1.2 and later, ALPN, no renegotiation. It still needs a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_alpn_protocols(list(ALPN_PROTOCOLS))
    context.sslobject_class = _ServerObject
    return context


def choose_by_name(context: ssl.SSLContext, choose: Callable[[str | None, str | None], ssl.SSLContext]) -> None:
    """Let `choose(server_name, local_address)` pick the context, and so the certificate, of each handshake.

    The name is the one in the client's SNI, None where it sent none; the address is the one it connected to.
    """

    def callback(ssl_object: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: ssl.SSLContext) -> None:
        assert isinstance(ssl_object, _ServerObject), "TlsConnection wraps contexts made by server_context"
        ssl_object.server_name = name
        ssl_object.context = choose(name, ssl_object.local_address)

    context.sni_callback = callback


class TlsConnection:
    """Ciphertext in, plaintext out; plaintext in, ciphertext out."""

    __slots__ = ("_established", "_failure", "_finished", "_incoming", "_object", "_outgoing", "_output", "_peer_ended")

    def __init__(self, context: ssl.SSLContext, local_address: str | None = None) -> None:
        """`context` comes from `server_context`; `local_address` is the address that the client connected to."""
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        wrapped = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        assert isinstance(wrapped, _ServerObject), "the context comes from server_context"
        wrapped.local_address = local_address
        self._object = wrapped
        self._output: list[bytes] = []
        self._established = False
        self._peer_ended = False
        self._finished = False
        self._failure: str | None = None

    @property
    def is_established(self) -> bool:
        """The handshake is complete: `alpn` is known and `send` may be called."""
        return self._established

    @property
    def is_finished(self) -> bool:
        """Nothing more will come or go: close once `data_to_send` has been written."""
        return self._finished

    @property
    def is_peer_ended(self) -> bool:
        """The client has said that it will send no more; it may still read."""
        return self._peer_ended

    @property
    def failure(self) -> str | None:
        """Why the connection ended before its time, in one line for the log."""
        return self._failure

    @property
    def alpn(self) -> str | None:
        """The protocol that ALPN chose, or None."""
        return self._object.selected_alpn_protocol() if self._established else None

    @property
    def server_name(self) -> str | None:
        """The host name that the client asked for (SNI); known once the handshake is established."""
        return self._object.server_name

    @property
    def version(self) -> str | None:
        """`TLSv1.2` or `TLSv1.3`, or None before the handshake."""
        return self._object.version()

    def receive(self, data: bytes) -> list[bytes]:
        """Take ciphertext; returns the plaintext it held, in pieces of at most a record."""
        pieces: list[bytes] = []
        view = memoryview(data)
        for start in range(0, len(view), RECORD_BYTES):
            if self._finished or self._peer_ended:
                break
            self._incoming.write(view[start : start + RECORD_BYTES])
            self._advance(pieces)
        return pieces

    def receive_eof(self) -> list[bytes]:
        """The client's side of the transport has ended, with or without a close_notify before."""
        self._peer_ended = True
        if not self._established and not self._finished:
            self._failure = "the client went away during the handshake"
            self._finished = True
        return []

    def send(self, pieces: Iterable[bytes]) -> None:
        """Encrypt plaintext. Nothing happens once the connection has finished."""
        if self._finished:
            return
        assert self._established, "nothing can be sent before the handshake is complete"
        view = memoryview(b"".join(pieces))
        for start in range(0, len(view), RECORD_BYTES):
            self._object.write(view[start : start + RECORD_BYTES])
            self._drain()

    def data_to_send(self) -> list[bytes]:
        """Take the ciphertext that waits for the client."""
        output, self._output = self._output, []
        return output

    def close(self) -> None:
        """Say that nothing more will be sent (close_notify), and finish without waiting for the client's answer."""
        if self._established and not self._finished:
            # It wants the client's close_notify, which need not be waited for (RFC 8446, section 6.1).
            with suppress(ssl.SSLError):
                self._object.unwrap()
            self._drain()
        self._finished = True

    def _advance(self, pieces: list[bytes]) -> None:
        """Go as far as the bytes received allow."""
        try:
            if not self._established:
                self._object.do_handshake()
                self._established = True
            while piece := self._object.read(RECORD_BYTES):
                pieces.append(piece)
            self._peer_ended = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            self._failure = _describe(error)
            self._finished = True
        self._drain()

    def _drain(self) -> None:
        if self._outgoing.pending:
            self._output.append(self._outgoing.read())


def _describe(error: ssl.SSLError) -> str:
    """One line that says what went wrong, in OpenSSL's words."""
    reason = error.reason or "unknown error"
    words = reason.replace("_", " ").lower()
    if any(alert in reason for alert in _DISTRUST):
        return f"the client does not trust the certificate ({words})"
    return words
