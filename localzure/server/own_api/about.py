"""What the server tells about itself: where it listens, and the certificate to trust."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from localzure.server.own_api.routes import OwnApiError, Route
from localzure.services.interface import HttpReply

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from localzure.server.health import Health
    from localzure.server.own_api.routes import OwnCall
    from localzure.server.trust import Trust


class About:
    """The answers, once the server serves."""

    def __init__(self, trust: Trust, health: Health, stop: Callable[[], None]) -> None:
        """`stop` has the server stop in order."""
        self._trust = trust
        self._health = health
        self._stop = stop
        self._told: dict[str, object] = {}

    def serve(self, endpoints: Mapping[str, str], strings: Mapping[str, str]) -> None:
        """Every listener serves from now on, at these endpoints."""
        self._told = {"pid": os.getpid(), "endpoints": dict(endpoints), "connection_strings": dict(strings)}

    def routes(self) -> list[Route]:
        """The calls."""
        return [
            Route("GET", "endpoints", self._endpoints),
            Route("GET", "status", self._status),
            Route("POST", "stop", self._stop_server),
            Route("GET", "ca.pem", self._certificate, is_public=True),
            Route("GET", "ca.p12", self._truststore, is_public=True),
        ]

    def _endpoints(self, _call: OwnCall) -> dict[str, object]:
        """What the ready-file holds."""
        if not self._told:
            raise OwnApiError(503, "Starting", "Not every listener serves yet.")
        return self._told

    def _status(self, _call: OwnCall) -> dict[str, object]:
        """What `/health` says, and where the server listens."""
        told = self._health.describe()
        return told | {"pid": os.getpid(), "endpoints": self._told.get("endpoints", {})}

    def _stop_server(self, _call: OwnCall) -> None:
        """The answer leaves first: it is in flight, and what is in flight finishes."""
        self._stop()

    def _certificate(self, _call: OwnCall) -> HttpReply:
        return HttpReply(200, [("content-type", "application/x-pem-file")], self._trust.authority().pem)

    def _truststore(self, _call: OwnCall) -> HttpReply:
        return HttpReply(200, [("content-type", "application/x-pkcs12")], self._trust.authority().truststore())
