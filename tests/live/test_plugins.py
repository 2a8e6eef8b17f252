"""Plugins, from the wheel to HTTP: installed, used, stopped and started beside the others, removed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.storage.blob import BlobServiceClient

from localzure.cli.main import main
from localzure.testing import LocalZure
from tests.polling import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLE = Path(__file__).parent / "example_plugin"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which the wheel of the example is installed."""
    folder = tmp_path_factory.mktemp("plugin")
    source, wheels, target = folder / "source", folder / "wheels", folder / "site"
    shutil.copytree(EXAMPLE, source, ignore=shutil.ignore_patterns("__pycache__"))
    wheels.mkdir()
    build = f"from setuptools.build_meta import build_wheel; build_wheel({str(wheels)!r})"
    subprocess.run([sys.executable, "-c", build], cwd=source, check=True, capture_output=True)
    (wheel,) = wheels.glob("*.whl")
    install = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--target", str(target), str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    return target


@pytest.fixture(scope="module")
def server(installed: Path) -> Iterator[LocalZure]:
    config = {"plugins": {"options": {"notes": {"keep_seconds": 60}}}}
    with LocalZure(config=config, env={"PYTHONPATH": str(installed)}) as server:
        yield server


def module(folder: Path, text: str, *names: str) -> dict[str, str]:
    """Write a plugin as pip would install it, without a build; returns the environment that finds it."""
    (folder / "some_plugins.py").write_text("from localzure.plugins import *\n" + textwrap.dedent(text))
    info = folder / "some_plugins-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: some_plugins\nVersion: 1.0\n")
    entries = "".join(f"{name} = some_plugins:{name.title()}\n" for name in names)
    (info / "entry_points.txt").write_text(f"[localzure.services]\n{entries}")
    return {"PYTHONPATH": str(folder)}


def services(server: LocalZure) -> dict[str, dict[str, Any]]:
    told = httpx.get(f"{server.endpoints['gateway']}/_localzure/services").json()["services"]
    return {each["name"]: each for each in told}


def test_an_installed_wheel_is_served_on_the_gateway_and_on_its_own_port(server: LocalZure) -> None:
    gateway, own = f"{server.endpoints['gateway']}/notes", server.endpoints["notes"]
    assert httpx.put(f"{gateway}/notes/milk%20%2F1", content=b"two litres").status_code == 204
    assert httpx.get(f"{own}/notes/milk%20%2F1").json() == {"name": "milk /1", "text": "two litres"}
    assert httpx.get(f"{own}/notes").json() == ["milk /1"]
    missing = httpx.get(f"{own}/notes/bread")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "NoteNotFound")
    assert httpx.put(f"{own}/notes/long", content=bytes(1025)).status_code == 413
    assert httpx.delete(f"{own}/notes/milk").headers["allow"] == "GET, PUT"
    assert httpx.head(f"{own}/notes").status_code == 200
    assert services(server)["notes"] | {"since": ""} == {
        "name": "notes",
        "version": "1.0",
        "description": "Short notes",
        "kind": "plugin",
        "dependencies": ["blob"],
        "state": "running",
        "since": "",
        "is_healthy": True,
        "remark": "1 notes",
    }
    health = httpx.get(f"{own}/health").json()
    assert health["services"]["notes"] == "running"
    assert health["remarks"] == {"notes": "1 notes"}
    metrics = httpx.get(f"{own}/_localzure/metrics").text
    assert 'gateway_requests_total{operation="PutNote",service="notes",status="204"} 1.0' in metrics


def test_a_plugin_goes_by_the_virtual_clock_and_is_reset(server: LocalZure) -> None:
    own = server.endpoints["notes"]
    httpx.put(f"{own}/notes/old", content=b"x")
    server.clock.advance(59)
    httpx.put(f"{own}/notes/new", content=b"x")
    assert "old" in httpx.get(f"{own}/notes").json()
    server.clock.advance(2)
    assert httpx.get(f"{own}/notes").json() == ["new"]
    server.reset()
    assert httpx.get(f"{own}/notes").json() == []
    httpx.put(f"{own}/notes/later", content=b"x")
    assert httpx.get(f"{own}/notes").json() == ["later"]
    server.clock.advance(61)
    assert httpx.get(f"{own}/notes").json() == []


def test_a_snapshot_has_the_content_of_plugins_too(server: LocalZure) -> None:
    own, api = server.endpoints["notes"], f"{server.endpoints['gateway']}/_localzure"
    httpx.put(f"{own}/notes/kept", content=b"x")
    httpx.put(f"{api}/snapshots/notes").raise_for_status()
    server.reset()
    httpx.put(f"{own}/notes/over", content=b"x")
    httpx.post(f"{api}/snapshots/notes/restore").raise_for_status()
    assert httpx.get(f"{own}/notes").json() == ["kept"]
    server.clock.advance(61)
    assert httpx.get(f"{own}/notes").json() == []


def test_services_stop_and_start_while_the_others_run(server: LocalZure, capsys: pytest.CaptureFixture[str]) -> None:
    own, where = server.endpoints["notes"], ["--endpoint", server.endpoints["gateway"]]
    httpx.put(f"{own}/notes/kept", content=b"x")
    with BlobServiceClient.from_connection_string(server.blob_connection_string, retry_total=0) as blobs:
        blobs.create_container("kept")
        assert main(["service", "stop", "blob", *where]) == 0
        assert capsys.readouterr().out == "notes is stopped\nblob is stopped\n"
        refused = httpx.get(f"{server.endpoints['blob']}/devstoreaccount1?comp=list")
        assert (refused.status_code, refused.headers["x-ms-error-code"]) == (503, "ServerBusy")
        assert httpx.get(f"{own}/notes").status_code == 503
        queue = f"{server.endpoints['queue']}/devstoreaccount1?comp=list"
        assert httpx.get(queue).status_code == 404, "anonymous"
        assert services(server)["blob"]["state"] == "stopped"
        assert main(["service", "start", "notes", *where]) == 0
        assert capsys.readouterr().out == "blob is started\nnotes is started\n"
        assert [each.name for each in blobs.list_containers()] == ["kept"]
        assert httpx.get(f"{own}/notes").json() == ["kept"]
    assert main(["service", "restart", "blob", *where]) == 0
    assert capsys.readouterr().out == "blob is started\nnotes is started\n"
    assert main(["service", "start", "blob", *where]) == 0
    assert capsys.readouterr().out == "blob is running already\n"
    assert main(["service", "list", *where]) == 0
    assert "notes       running  plugin" in capsys.readouterr().out
    assert main(["service", "list", "--json", *where]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 5
    assert main(["service", "stop", "blub", *where]) == 2
    assert "no service 'blub'" in capsys.readouterr().err
    changes = httpx.get(f"{where[1]}/_localzure/services/notes").json()["changes"]
    assert [each["state"] for each in changes][-4:] == ["stopping", "stopped", "starting", "running"]


def test_service_bus_keeps_its_messages_while_it_is_stopped(server: LocalZure) -> None:
    api = f"{server.endpoints['gateway']}/_localzure/services/servicebus"
    with (
        ServiceBusClient.from_connection_string(server.servicebus_connection_string) as client,
        client.get_queue_sender("queue.1") as sender,
    ):
        sender.send_messages(ServiceBusMessage(b"before"))
        httpx.post(f"{api}/stop").raise_for_status()
        assert httpx.get(f"{server.endpoints['servicebus']}/queue.1?api-version=2021-05").status_code == 503
        httpx.post(f"{api}/start").raise_for_status()
        sender.send_messages(ServiceBusMessage(b"after"))
        with client.get_queue_receiver("queue.1") as receiver:
            found: list[bytes] = []
            while len(found) < 2:
                for message in receiver.receive_messages(2, max_wait_time=5):
                    found.append(b"".join(message.body))
                    receiver.complete_message(message)
    assert found == [b"before", b"after"]


def test_what_is_switched_off_or_removed_is_not_there(installed: Path, tmp_path: Path) -> None:
    shutil.copytree(installed, site := tmp_path / "site")
    env = {"PYTHONPATH": str(site)}
    server = LocalZure(in_memory=False, env=env)
    with server:
        httpx.put(f"{server.endpoints['notes']}/notes/kept", content=b"x")
        server.stop()
        server.start()
        assert httpx.get(f"{server.endpoints['notes']}/notes").json() == ["kept"]
        server.stop()
        shutil.rmtree(site)
        server.start()
        assert "notes" not in server.endpoints
        assert "notes" not in services(server)
        assert httpx.get(f"{server.endpoints['gateway']}/notes/notes").status_code == 404
    for off in ({"run": "off"}, {"options": {"notes": {"enabled": False}}}):
        with LocalZure(config={"plugins": off}, env={"PYTHONPATH": str(installed)}) as server:
            assert "notes" not in services(server)


def test_a_plugin_that_fails_is_failed_and_the_others_serve(tmp_path: Path) -> None:
    text = """
        class Broken(LocalZureService):
            @classmethod
            def get_metadata(cls):
                return ServiceMetadata("broken", "1")
            def start(self, context):
                if not context.settings:
                    raise RuntimeError("no settings")
        class Needing(Broken):
            @classmethod
            def get_metadata(cls):
                return ServiceMetadata("needing", "1", dependencies=("broken",))
        class Other(Broken):
            @classmethod
            def get_metadata(cls):
                raise OSError("nothing to say")
        class Odd(Broken):
            @classmethod
            def get_metadata(cls):
                return ServiceMetadata("odd", "1", port=0)
            def operations(self):
                return [Operation("Fail", "GET", "fail", self.fail)]
            def fail(self, call):
                raise KeyError("a bug")
            def health(self):
                return ServiceHealth(False, "odd as ever")
            def stop(self):
                raise RuntimeError("will not")
    """
    env = module(tmp_path, text, "broken", "needing", "other", "odd", "missing")
    config = {"plugins": {"options": {"odd": {"port": 0, "set": 1}}}}
    with LocalZure(config=config, env=env) as server:
        found = services(server)
        assert {name: each["state"] for name, each in found.items() if each["kind"] == "plugin"} == {
            "broken": "failed",
            "missing": "failed",
            "needing": "failed",
            "odd": "running",
            "other": "failed",
        }
        assert found["broken"]["remark"] == "RuntimeError: no settings"
        assert found["needing"]["remark"] == "it needs broken, which is failed"
        assert found["other"]["remark"] == "OSError: nothing to say"
        assert "no attribute 'Missing'" in found["missing"]["remark"]
        gateway = server.endpoints["gateway"]
        assert httpx.get(f"{gateway}/broken/x").json()["error"]["code"] == "ServiceUnavailable"
        failed = httpx.get(f"{server.endpoints['odd']}/fail")
        assert (failed.status_code, failed.json()["error"]["code"]) == (500, "InternalError")
        health = httpx.get(f"{gateway}/health")
        assert (health.status_code, health.json()["services"]["odd"]) == (200, "unhealthy")
        assert health.json()["remarks"]["odd"] == "odd as ever"
        stopped = httpx.post(f"{gateway}/_localzure/services/odd/stop")
        assert (stopped.status_code, stopped.json()["error"]["message"]) == (
            500,
            "The service odd has failed: RuntimeError: will not",
        )
        again = httpx.post(f"{gateway}/_localzure/services/odd/restart").json()
        assert (again["state"], again["changed"]) == ("running", ["odd"])
        assert httpx.post(f"{gateway}/_localzure/services/broken/start").status_code == 500


def _start(env: dict[str, str], *flags: str) -> tuple[int, str]:
    """Start a server that cannot; returns its exit code and the line that says why."""
    command = [sys.executable, "-m", "localzure", "start", "--all-ports", "0", "--in-memory", *flags]
    ended = subprocess.run(command, check=False, env=dict(os.environ) | env, capture_output=True, text=True, timeout=30)
    return ended.returncode, ended.stderr.splitlines()[-1]


def test_dependencies_that_cannot_be_met_are_named_at_start(tmp_path: Path) -> None:
    text = """
        class First(LocalZureService):
            needs = "second"
            @classmethod
            def get_metadata(cls):
                return ServiceMetadata(cls.__name__.lower(), "1", dependencies=(cls.needs,))
            def start(self, context):
                pass
        class Second(First):
            needs = "first"
        class Third(First):
            needs = "queue"
    """
    env = module(tmp_path, text, "first", "second", "third")
    code, line = _start(env)
    assert (code, line) == (2, "localzure: services need each other in a circle: first -> second -> first")
    code, line = _start(env, "--plugins", "third", "--services", "blob")
    assert (code, line) == (2, "localzure: the service third needs queue, which is not installed or switched off")
    code, line = _start(env, "--plugins", "fourth")
    assert (code, line) == (2, "localzure: no plugin 'fourth' is installed; installed are first, second, third")


def test_a_start_that_fails_half_way_is_rolled_back(tmp_path: Path) -> None:
    text = """
        class First(LocalZureService):
            @classmethod
            def get_metadata(cls):
                return ServiceMetadata("first", "1")
            def start(self, context):
                print("first is started", flush=True)
                __import__("pathlib").Path(context.settings["ready"]).rmdir()
            def stop(self):
                print("first is stopped", flush=True)
    """
    (folder := tmp_path / "ready").mkdir()
    env = module(tmp_path, text, "first") | {"LOCALZURE_READY_FILE": str(folder / "ready.json")}
    config = tmp_path / "localzure.json"
    config.write_text(json.dumps({"plugins": {"options": {"first": {"ready": str(folder)}}}}))
    data = tmp_path / "data"
    command = [sys.executable, "-m", "localzure", "start", "--all-ports", "0", "--data-dir", str(data)]
    command += ["--config", str(config)]
    ended = subprocess.run(command, check=False, env=dict(os.environ) | env, capture_output=True, text=True, timeout=30)
    assert ended.returncode == 2, ended.stderr
    assert "the ready-file" in ended.stderr.splitlines()[-1]
    assert ended.stdout == "first is started\nfirst is stopped\n"
    with LocalZure(data_dir=data) as server:
        assert "recover" not in server.logs


def test_a_stop_waits_for_the_requests_in_flight(server: LocalZure) -> None:
    own, api = server.endpoints["notes"], f"{server.endpoints['gateway']}/_localzure/services/notes"

    def body() -> Iterator[bytes]:
        yield b"half "
        httpx.post(f"{server.endpoints['gateway']}/_localzure/faults", json=[]).raise_for_status()
        stopping.append(subprocess.Popen([sys.executable, "-m", "localzure", "service", "stop", "notes", *where]))
        wait_until(lambda: services(server)["notes"]["state"] == "stopping", lambda: "stopping")
        assert httpx.get(f"{own}/notes").status_code == 503
        yield b"and half"

    stopping: list[subprocess.Popen[bytes]] = []
    where = ["--endpoint", server.endpoints["gateway"]]
    assert httpx.put(f"{own}/notes/whole", content=body()).status_code == 204
    assert stopping[0].wait() == 0
    assert services(server)["notes"]["state"] == "stopped"
    httpx.post(f"{api}/start").raise_for_status()
    assert httpx.get(f"{own}/notes/whole").json()["text"] == "half and half"
