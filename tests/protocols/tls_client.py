"""A TLS client in memory, and a certificate authority for it to trust."""

from __future__ import annotations

import ssl
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING

from localzure.server.certificates import CertificateAuthority, make_authority
from tests.twins import ManualClock, SeededEntropy

if TYPE_CHECKING:
    from collections.abc import Iterable

    from localzure_protocols.tls import TlsConnection

_NO_CHECK_TIME = ssl.VerifyFlags(0x200000)
"""X509_V_FLAG_NO_CHECK_TIME, which `ssl` does not name: the twins' certificates are dated by a clock that stands."""


@cache
def authority() -> CertificateAuthority:
    """One authority for all tests of a process."""
    clock, entropy = ManualClock(), SeededEntropy(1)
    return CertificateAuthority(make_authority(clock.wall(), entropy), clock, entropy)


def client_context(*alpn: str, trusted: bytes = b"") -> ssl.SSLContext:
    """A client's context that trusts `trusted`, by default `authority`; strict, as Python 3.13's own is."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_flags |= ssl.VERIFY_X509_STRICT | _NO_CHECK_TIME
    context.load_verify_locations(cadata=(trusted or authority().pem).decode())
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


class TlsClient:
    """`ssl.SSLObject` as a client, whose bytes the test carries."""

    def __init__(self, context: ssl.SSLContext | None = None, server_name: str | None = "localhost") -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = (context or client_context()).wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)
        self._established = False
        self.received = b""
        self.ended = False

    def step(self, data: Iterable[bytes] = ()) -> bytes:
        """Take the server's bytes and return the client's; raises what its verification raises."""
        for piece in data:
            self._incoming.write(piece)
        try:
            if not self._established:
                self.tls.do_handshake()
                self._established = True
            while piece := self.tls.read(65536):
                self.received += piece
            self.ended = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.ended = True
        return self._outgoing.read()

    def write(self, data: bytes) -> bytes:
        """Encrypt; returns the bytes for the server."""
        self.tls.write(data)
        return self._outgoing.read()

    def alert(self) -> bytes:
        """What a failed step has left for the server."""
        return self._outgoing.read()

    def close(self) -> bytes:
        """Say close_notify; returns the bytes for the server."""
        with suppress(ssl.SSLWantReadError):
            self.tls.unwrap()
        return self._outgoing.read()


def shake_hands(client: TlsClient, server: TlsConnection) -> None:
    """Carry bytes both ways until neither side has any."""
    data = client.step()
    while data:
        server.receive(data)
        data = client.step(server.data_to_send())
