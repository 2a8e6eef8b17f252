"""Settings that change while the server works: on SIGHUP and by the file, without a request that fails for it."""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

import httpx
import pytest

from localzure.testing import LocalZure
from tests.polling import wait_until

if TYPE_CHECKING:
    from pathlib import Path

SECONDS_MAX = 20.0

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGHUP on Windows")


def _wait_for(server: LocalZure, line: str) -> None:
    wait_until(lambda: line in server.logs, lambda: f"{line!r} in the log:\n{server.logs}", SECONDS_MAX)


def _pid(server: LocalZure) -> int:
    return int(httpx.get(f"{server.endpoints['gateway']}/_localzure/endpoints").json()["pid"])


def test_a_reload_takes_over_what_it_can_and_says_what_it_cannot(tmp_path: Path) -> None:
    (file := tmp_path / "localzure.yaml").write_text("auth: 'off'\n")
    with LocalZure(config=file) as server:
        blob = f"{server.endpoints['blob']}/devstoreaccount1?restype=service&comp=properties"
        file.write_text("auth: any\nlimits: [{requests_per_second: 0.01}]\nlog: {access: true}\n")
        os.kill(_pid(server), signal.SIGHUP)
        _wait_for(server, "settings taken over: access_log, rate_limits")
        _wait_for(server, "settings that need a restart to take effect: auth")
        assert [httpx.get(blob).status_code for _ in range(2)] == [200, 503]
        _wait_for(server, 'properties" 503')
        file.write_text("auth: 'off'\nlimits: many\n")
        os.kill(_pid(server), signal.SIGHUP)
        _wait_for(server, "the settings stay as they are")
        assert httpx.get(blob).status_code == 503
        file.write_text("auth: 'off'\nfaults: [{effect: status, status: 500}]\n")
        _wait_for(server, "settings taken over: faults")
        assert httpx.get(blob).status_code == 500


def test_a_reload_under_load_drops_no_request(tmp_path: Path) -> None:
    (file := tmp_path / "localzure.yaml").write_text("auth: 'off'\n")
    with LocalZure(config=file) as server:
        blob = f"{server.endpoints['blob']}/devstoreaccount1?restype=service&comp=properties"
        pid, statuses, stop = _pid(server), [0], threading.Event()

        def load() -> None:
            with httpx.Client() as client:
                while not stop.is_set():
                    statuses.append(client.get(blob).status_code)

        worker = threading.Thread(target=load)
        worker.start()
        for number in range(1, 6):
            file.write_text(f"auth: 'off'\nlimits: [{{requests_per_second: {number}000000}}]\n")
            os.kill(pid, signal.SIGHUP)
            seen = len(statuses)

            def is_taken_over(number: int = number, seen: int = seen) -> bool:
                assert worker.is_alive()
                return server.logs.count("settings taken over: rate_limits") >= number and len(statuses) >= seen + 20

            wait_until(is_taken_over, lambda: server.logs)
        stop.set()
        worker.join()
        assert set(statuses[1:]) == {200}
