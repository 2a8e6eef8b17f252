"""Queues with the unmodified azure-servicebus package: today's, blocking, and the one before it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from localzure.testing import LocalZure
from tests.live import servicebus_scenarios as scenarios

OLD_SDK = Path(sys.prefix) / "sdk-servicebus-7.14"
"""Where the Makefile installs it."""


# The client library does not close its sockets on every path.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_queues_with_todays_sdk() -> None:
    with LocalZure(queues=scenarios.QUEUES) as azure:
        scenarios.run_all(azure.servicebus_connection_string)
        assert "Traceback" not in azure.logs


def test_queues_with_the_sdk_that_indexes_performatives() -> None:
    with LocalZure(queues=scenarios.QUEUES) as azure:
        done = subprocess.run(
            [sys.executable, scenarios.__file__, azure.servicebus_connection_string, "7.14.3"],
            env={**os.environ, "PYTHONPATH": str(OLD_SDK)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{done.stderr}\n{azure.logs}"
        assert "Traceback" not in azure.logs
