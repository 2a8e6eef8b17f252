"""Which certificate TLS shows: the user's own, or leaves of the local authority.

The authority is read, or made, when it is first needed, or behind the start: importing `cryptography` alone takes a
quarter of the time in which the server is ready.
"""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl

    from localzure.config.settings import Settings
    from localzure.server.certificates import CertificateAuthority
    from localzure.services.interface import Clock, Entropy


class Trust:
    """The certificates of one server."""

    def __init__(self, settings: Settings, clock: Clock, entropy: Entropy) -> None:
        """The data directory's lock must be held while this is used. Raises StartupError for a wrong certificate."""
        self._settings = settings
        self._clock = clock
        self._entropy = entropy
        self._making = threading.Lock()
        self._authority: CertificateAuthority | None = None
        self._context: ssl.SSLContext | None = None
        if settings.tls_certificate is not None:
            from localzure.server.certificate_files import own_context

            self._context = own_context(settings.tls_certificate, settings.tls_key, settings.tls_password)

    def context(self) -> ssl.SSLContext:
        """What `TlsConnection` takes."""
        if self._context is None:
            self._context = self.authority().context
        return self._context

    def authority(self) -> CertificateAuthority:
        """The local authority. Raises StartupError where its files cannot be used. May be called in any thread."""
        if self._authority is None:
            with self._making:
                return self._make_authority()
        return self._authority

    def _make_authority(self) -> CertificateAuthority:
        if self._authority is None:
            from localzure.server.certificate_files import AUTHORITY_FOLDER, open_authority
            from localzure.server.certificates import CertificateAuthority, make_authority

            folder = self._settings.data_dir
            if folder is None:
                identity = make_authority(self._clock.wall(), self._entropy)
            else:
                identity = open_authority(folder / AUTHORITY_FOLDER, self._clock, self._entropy)
            names = [socket.gethostname()]
            self._authority = CertificateAuthority(identity, self._clock, self._entropy, own_names=names)
        return self._authority
