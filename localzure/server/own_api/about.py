"""What the server tells about itself: where it listens, and the certificate to trust."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from localzure.server.own_api.routes import OwnApiError, Route
from localzure.services.interface import HttpReply

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localzure.server.own_api.routes import OwnCall
    from localzure.server.trust import Trust


class About:
    """The answers, once the server serves."""

    def __init__(self, trust: Trust) -> None:
        self._trust = trust
        self._told: dict[str, object] = {}

    def serve(self, endpoints: Mapping[str, str], strings: Mapping[str, str]) -> None:
        """Every listener serves from now on, at these endpoints."""
        self._told = {"pid": os.getpid(), "endpoints": dict(endpoints), "connection_strings": dict(strings)}

    def routes(self) -> list[Route]:
        """The calls."""
        return [
            Route("GET", "endpoints", self._endpoints),
            Route("GET", "ca.pem", self._certificate, is_public=True),
            Route("GET", "ca.p12", self._truststore, is_public=True),
        ]

    def _endpoints(self, _call: OwnCall) -> dict[str, object]:
        """What the ready-file holds."""
        if not self._told:
            raise OwnApiError(503, "Starting", "Not every listener serves yet.")
        return self._told

    def _certificate(self, _call: OwnCall) -> HttpReply:
        return HttpReply(200, [("content-type", "application/x-pem-file")], self._trust.authority().pem)

    def _truststore(self, _call: OwnCall) -> HttpReply:
        return HttpReply(200, [("content-type", "application/x-pkcs12")], self._trust.authority().truststore())
