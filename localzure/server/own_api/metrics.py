"""The call that Prometheus makes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from localzure.server.own_api.routes import Route
from localzure.services.interface import HttpReply

if TYPE_CHECKING:
    from localzure.observing.metrics import Metrics
    from localzure.server.own_api.routes import OwnCall

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Prometheus' text format (https://prometheus.io/docs/instrumenting/exposition_formats/)."""


class MetricsCalls:
    """The calls about metrics."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def routes(self) -> list[Route]:
        """The calls."""
        return [Route("GET", "metrics", self._read)]

    async def _read(self, _call: OwnCall) -> HttpReply:
        text = await asyncio.get_running_loop().run_in_executor(None, self._metrics.text, self._metrics.gather())
        return HttpReply(200, [("content-type", CONTENT_TYPE)], text)
