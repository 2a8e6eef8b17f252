"""What all tests against a real server share."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture
def abandoned_sockets() -> Iterator[None]:
    """For tests that cut connections: the client libraries drop those without closing their sockets.

    They are collected here, where the warnings about them are expected.
    """
    yield
    gc.collect()
