"""The commands that people and scripts have for a running server: status, env, stop."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from localzure import __version__
from localzure.cli.main import main
from localzure.testing import LocalZure

LOCALZURE = str(Path(sys.executable).parent / "localzure")


def test_a_server_is_asked_and_stopped(capsys: pytest.CaptureFixture[str]) -> None:
    server = LocalZure()
    server.start()
    where = ["--endpoint", server.endpoints["gateway"]]
    assert main(["status", *where]) == 0
    told = capsys.readouterr().out
    assert f"LocalZure {__version__} is healthy" in told
    assert server.endpoints["blob"] in told
    assert main(["status", "--json", *where]) == 0
    assert json.loads(capsys.readouterr().out)["services"]["servicebus"] == "running"
    assert main(["stop", *where]) == 0
    assert capsys.readouterr().out == "stopped\n"
    assert server.wait() == 0
    assert main(["status", *where]) == 3
    server.close()


@pytest.mark.skipif(shutil.which("sh") is None, reason="no sh here")
def test_a_shell_takes_the_variables(capsys: pytest.CaptureFixture[str]) -> None:
    with LocalZure() as server:
        endpoint = server.endpoints["gateway"]
        script = f'eval "$({LOCALZURE} env --endpoint {endpoint})"; env -0'
        shown = subprocess.run(["sh", "-c", script], capture_output=True, check=True, env=dict(os.environ)).stdout
        found = dict(line.split("=", 1) for line in shown.decode().split("\0") if "=" in line)
        assert found["AZURE_STORAGE_CONNECTION_STRING"] == server.blob_connection_string
        assert found["SERVICEBUS_CONNECTION_STRING"] == server.servicebus_connection_string
        assert main(["env", "--json", "--endpoint", endpoint]) == 0
        assert json.loads(capsys.readouterr().out)["AZURE_STORAGE_ACCOUNT"] == "devstoreaccount1"
        for shell, start in (("powershell", "$Env:"), ("cmd", "set "), ("fish", "set -gx "), ("dotenv", "LOCALZURE_")):
            assert main(["env", "--shell", shell, "--endpoint", endpoint]) == 0
            assert all(line.startswith((start, "A", "S")) for line in capsys.readouterr().out.splitlines())
