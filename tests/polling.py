"""Waiting for what another process does: asked again and again, until it is so or takes too long."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

POLL_SECONDS = 0.01


def wait_until(holds: Callable[[], bool], otherwise: Callable[[], str], seconds_max: float = 30.0) -> None:
    """Return once `holds` does. Raises AssertionError with what `otherwise` says when it takes too long."""
    pause = threading.Event()
    end = time.monotonic() + seconds_max
    while not holds():
        assert time.monotonic() < end, f"not so after {seconds_max} s: {otherwise()}"
        pause.wait(POLL_SECONDS)
