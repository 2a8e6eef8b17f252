"""`localzure health` against a server that serves, one that is not there, and what is no server of ours."""

from __future__ import annotations

import json
import socket
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from localzure.cli.main import main
from localzure.testing import LocalZure

if TYPE_CHECKING:
    import pytest


def test_a_server_that_serves_is_healthy(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with LocalZure() as server:
        blob = server.endpoints["blob"]
        assert main(["health", "--endpoint", blob]) == 0
        assert capsys.readouterr().out == "healthy\n"
        monkeypatch.setenv("LOCALZURE_ALL_PORTS", "0")
        monkeypatch.setenv("LOCALZURE_BLOB_PORT", str(urlsplit(blob).port))
        assert main(["health", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["services"]["blob"] == "running"
    assert main(["health", "--endpoint", blob]) == 3
    assert "nobody answers at" in capsys.readouterr().err


def test_a_port_that_says_nothing_useful_is_no_server(capsys: pytest.CaptureFixture[str]) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as busy:
        port = busy.getsockname()[1]
    assert main(["health", "--endpoint", f"http://127.0.0.1:{port}"]) == 3
    assert main(["health", "--endpoint", "localhost"]) == 2
    assert "expected a URL" in capsys.readouterr().err
