"""Scenarios: functions over a client of whatever version of azure-servicebus is imported, each with a queue of its own.

A module of them runs as a program too, for a version that cannot be imported beside another:

    PYTHONPATH=WHERE_IT_IS python -m tests.live.servicebus_scenarios CONNECTION_STRING VERSION
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from azure.servicebus import ServiceBusClient, ServiceBusReceivedMessage, ServiceBusReceiver, __version__

if TYPE_CHECKING:
    from localzure.testing import LocalZure

OLD_SDK = Path(sys.prefix) / "sdk-servicebus-7.14"
"""Where the Makefile installs the version before today's, which indexes performatives."""

OLD_VERSION = "7.14.3"

WAIT = 10
"""Seconds to wait for a message that is there, or about to be."""

Scenario = Callable[[ServiceBusClient, str], None]


class Scenarios:
    """The scenarios of one module."""

    def __init__(self, **properties: object) -> None:
        """`properties` are those of every queue."""
        self.queues: dict[str, dict[str, object]] = {}
        """The queue of each scenario, and its properties."""
        self._properties = properties
        self._runs: dict[str, Callable[[str], None]] = {}

    def scenario(self, **properties: object) -> Callable[[Scenario], Scenario]:
        """Register a function; `properties` are those of its queue."""

        def register(function: Scenario) -> Scenario:
            name = function.__name__
            self._runs[name] = partial(_run, function)
            self.queues[name] = {**self._properties, **properties}
            return function

        return register

    def without_client(self, function: Callable[[str], None]) -> Callable[[str], None]:
        """Register a function that takes the connection string."""
        self._runs[function.__name__] = function
        return function

    def run_all(self, connection_string: str) -> None:
        """Run all scenarios at once, each with a client of its own. Raises what failed, together."""
        with ThreadPoolExecutor(len(self._runs)) as pool:
            running = {name: pool.submit(run, connection_string) for name, run in self._runs.items()}
        failures = []
        for name, future in running.items():
            error = future.exception()
            if error is not None:
                error.add_note(f"in the scenario {name}")
                failures.append(error)
        if failures:
            raise BaseExceptionGroup("scenarios failed", failures)

    def run_as_program(self) -> None:
        """Run all scenarios as the command line says."""
        _, connection_string, version = sys.argv
        assert __version__ == version, __version__
        self.run_all(connection_string)


def run_with_old_sdk(module: str, azure: LocalZure) -> None:
    """Run a module of scenarios in a process that imports the old version."""
    done = subprocess.run(
        [sys.executable, "-m", module, azure.servicebus_connection_string, OLD_VERSION],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": str(OLD_SDK)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"{done.stderr}\n{azure.logs}"


def receive(receiver: ServiceBusReceiver, count: int) -> list[ServiceBusReceivedMessage]:
    """Exactly `count` messages; the client may give them a few at a time."""
    found: list[ServiceBusReceivedMessage] = []
    while len(found) < count:
        batch = receiver.receive_messages(count - len(found), max_wait_time=WAIT)
        assert batch, f"only {len(found)} of {count} messages came"
        found += batch
    return found


def bodies(messages: list[ServiceBusReceivedMessage]) -> list[str]:
    return [str(message) for message in messages]


def _run(function: Scenario, connection_string: str) -> None:
    with ServiceBusClient.from_connection_string(connection_string) as client:
        function(client, function.__name__)
