"""Servers for the load generators: each test gets a fresh one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks.targets import TARGETS, Running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def floor_amqp(tmp_path: Path) -> Iterator[Running]:
    with TARGETS["floor-amqp"].start(tmp_path) as running:
        yield running


@pytest.fixture
def floor_http(tmp_path: Path) -> Iterator[Running]:
    with TARGETS["floor-http"].start(tmp_path) as running:
        yield running


@pytest.fixture
def localzure(tmp_path: Path) -> Iterator[Running]:
    with TARGETS["localzure"].start(tmp_path) as running:
        yield running
