"""Queues with the unmodified azure-servicebus package: today's, blocking, and the one before it."""

from __future__ import annotations

import pytest

from localzure.testing import LocalZure
from tests.live.scenarios import run_with_old_sdk
from tests.live.servicebus_scenarios import SCENARIOS


# The client library does not close its sockets on every path.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_queues_with_todays_sdk() -> None:
    with LocalZure(queues=SCENARIOS.queues) as azure:
        SCENARIOS.run_all(azure.servicebus_connection_string)
        assert "Traceback" not in azure.logs


def test_queues_with_the_sdk_that_indexes_performatives() -> None:
    with LocalZure(queues=SCENARIOS.queues) as azure:
        run_with_old_sdk("tests.live.servicebus_scenarios", azure)
        assert "Traceback" not in azure.logs
