"""What a process costs is read from the system, and a server that does not start is told."""

from __future__ import annotations

import os
import sys
import time

import pytest

from benchmarks.process import PeakMemory, ServerProcess, anonymous_bytes, cpu_seconds

READY = "import signal; print('ready http://127.0.0.1:1', flush=True); signal.pause()"


def test_memory_of_its_own_is_counted() -> None:
    before = anonymous_bytes(os.getpid())
    kept = bytearray(b"x") * (64 << 20)
    assert anonymous_bytes(os.getpid()) - before > 60 << 20
    assert len(kept) == 64 << 20


def test_the_peak_outlives_what_made_it() -> None:
    before = anonymous_bytes(os.getpid())
    with PeakMemory(os.getpid()) as memory:
        kept = bytearray(b"x") * (64 << 20)
        deadline = time.perf_counter() + 5
        while memory.peak_bytes < before + (60 << 20) and time.perf_counter() < deadline:
            pass
        del kept
    assert memory.peak_bytes > before + (60 << 20)


def test_processor_time_passes_while_computing() -> None:
    before, own = cpu_seconds(os.getpid()), time.process_time()
    while time.process_time() < own + 0.05:
        pass
    assert cpu_seconds(os.getpid()) - before == pytest.approx(0.05, abs=0.03)


def test_a_server_says_where_it_is_and_how_long_it_took() -> None:
    with ServerProcess([sys.executable, "-c", READY]) as server:
        assert server.url == "http://127.0.0.1:1"
        assert 0 < server.seconds_to_ready < 30
        assert anonymous_bytes(server.pid) > 1 << 20
        pid = server.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_server_that_does_not_start_is_told() -> None:
    with pytest.raises(RuntimeError, match="did not start"), ServerProcess([sys.executable, "-c", "print('no')"]):
        pass
