"""A server under test in a process of its own, and what it costs the machine.

Memory is RssAnon: what the process holds for itself. The pages of a mapped store belong to the system, which takes
them back when it needs them. Figures come from Linux's /proc ("proc(5)").
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Sequence

STOP_SECONDS_MAX = 10.0
SAMPLE_SECONDS = 0.02

_READY = b"ready "
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class ServerProcess:
    """A server that prints `ready URL` on a line of its standard output when it serves."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = list(command)
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""
        self.seconds_to_ready = 0.0
        """From the start of the process to the line that says it serves."""

    def __enter__(self) -> Self:
        started = time.perf_counter()
        process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self._process = process
        assert process.stdout is not None
        line = process.stdout.readline()
        self.seconds_to_ready = time.perf_counter() - started
        if not line.startswith(_READY):
            self.__exit__()
            raise RuntimeError(f"{' '.join(self._command)} did not start: {line!r}")
        self.url = line.removeprefix(_READY).decode().strip()
        return self

    def __exit__(self, *exception: object) -> None:
        process = self._process
        if process is None:
            return
        process.terminate()
        try:
            process.communicate(timeout=STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()

    @property
    def pid(self) -> int:
        """The server's process id."""
        assert self._process is not None
        return self._process.pid


def anonymous_bytes(pid: int) -> int:
    """Memory that the process holds for itself (RssAnon)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise ValueError(f"process {pid} has no memory of its own")


def cpu_seconds(pid: int) -> float:
    """Processor time of the process so far, its own and the system's for it, to 10 ms."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND


class PeakMemory:
    """The most memory of its own that a process was seen with during a block."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.peak_bytes = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            try:
                self.peak_bytes = max(self.peak_bytes, anonymous_bytes(self._pid))
            except (OSError, ValueError):
                return
            if self._over.wait(SAMPLE_SECONDS):
                return
