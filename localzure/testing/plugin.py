"""The pytest plugin: `localzure`, a server of a test's own, and `localzure_server`, one for the whole session.

It is loaded by itself wherever LocalZure is installed, and nothing starts before a test asks for it. Under pytest-xdist
every worker is a session of its own, so workers share nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from localzure.testing.account import StorageAccount
from localzure.testing.server import LocalZure

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

FIXTURES = ("localzure", "localzure_server", "localzure_reset")
"""The fixtures whose server's log is shown with a test that fails."""


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers",
        "localzure(**options): how the server of the fixture `localzure` is started, in the arguments of "
        "`localzure.testing.LocalZure`, such as queues=['orders'].",
    )


@pytest.fixture(scope="session")
def localzure_options() -> Mapping[str, Any]:
    """How servers are started, in the arguments of `LocalZure`: nothing special. Override it in a `conftest.py`."""
    return {}


@pytest.fixture(scope="session")
def localzure_server(localzure_options: Mapping[str, Any]) -> Iterator[LocalZure]:
    """One server for all tests of the session that ask for it; what one test leaves there, the next one finds."""
    with LocalZure(**{"accounts_on_first_use": True, **localzure_options}) as server:
        yield server


@pytest.fixture
def localzure_reset(localzure_server: LocalZure) -> LocalZure:
    """The server of the session, emptied and seeded again for this test, at the machine's time: costs milliseconds."""
    localzure_server.reset()
    localzure_server.clock.reset()
    return localzure_server


@pytest.fixture
def localzure_account(localzure_server: LocalZure) -> Iterator[StorageAccount]:
    """A storage account of this test's own on the server of the session, which is emptied after the test."""
    account = StorageAccount(localzure_server, f"t{uuid4().hex[:20]}")
    yield account
    localzure_server.reset(account=account.name)


@pytest.fixture
def localzure(request: pytest.FixtureRequest, localzure_options: Mapping[str, Any]) -> Iterator[LocalZure]:
    """An empty Azure for this test alone: a server that starts before it and is gone after it.

    `@pytest.mark.localzure(queues=["orders"])` adds to the options; the mark closest to the test wins.
    """
    options = dict(localzure_options)
    for mark in reversed(list(request.node.iter_markers("localzure"))):
        options |= mark.kwargs
    server = LocalZure(**options)
    try:
        server.start()
        yield server
    finally:
        # What it holds goes with it, so there is nothing to wait for; a folder of the user's is left in order.
        if server.running and server.data_dir is None:
            server.kill()
        server.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the server logged with a test that fails."""
    report = yield
    if report.failed:
        for name in FIXTURES:
            server = getattr(item, "funcargs", {}).get(name)
            if isinstance(server, LocalZure) and server.logs:
                report.sections.append((f"Log of {name}", server.logs))
    return report
