"""`localzure.testing.LocalZure`, and what a started server shows of itself."""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage

from localzure import __version__
from localzure.config.settings import SERVICES, Settings
from localzure.testing import LocalZure, ServerFailedError

LISTENERS = {listener.name for listener in Settings().listeners()}


@pytest.fixture(scope="module")
def azure() -> Iterator[LocalZure]:
    with LocalZure(env={"LOCALZURE_LOG_FORMAT": "json"}) as server:
        yield server


def is_open(url: str) -> bool:
    parts = urlsplit(url)
    with socket.socket() as client:
        return client.connect_ex((parts.hostname, parts.port)) == 0


def exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_every_listener_serves_on_a_port_of_its_own(azure: LocalZure) -> None:
    assert set(azure.endpoints) == LISTENERS
    assert all(is_open(url) for url in azure.endpoints.values())
    assert len({urlsplit(url).port for url in azure.endpoints.values()}) == len(LISTENERS)


def test_the_connection_strings_name_the_ports(azure: LocalZure) -> None:
    blob, amqp = azure.endpoints["blob"], urlsplit(azure.endpoints["amqp"])
    assert f"BlobEndpoint={blob}/devstoreaccount1;" in azure.blob_connection_string
    assert azure.servicebus_connection_string.startswith(f"Endpoint=sb://127.0.0.1:{amqp.port};SharedAccessKeyName=")
    assert azure.connection_strings == {
        "storage": azure.blob_connection_string,
        "servicebus": azure.servicebus_connection_string,
    }


def test_the_same_ports_with_tls_and_what_to_trust(azure: LocalZure) -> None:
    plain, secure = azure.endpoints, azure.tls_endpoints
    assert {name: urlsplit(url).scheme for name, url in secure.items()} == {
        name: "amqps" if name in {"amqp", "amqps"} else "https" for name in LISTENERS
    }
    assert {name: urlsplit(url).netloc for name, url in secure.items()} == {
        name: urlsplit(url).netloc for name, url in plain.items()
    }
    context = ssl.create_default_context(cafile=azure.ca_file)
    with urllib.request.urlopen(f"{secure['blob']}/health", context=context) as reply:
        assert reply.status == 200
    strings = azure.tls_connection_strings
    assert strings["storage"].startswith("DefaultEndpointsProtocol=https;")
    assert f"BlobEndpoint={secure['blob']}/devstoreaccount1;" in strings["storage"]
    assert "http://" not in strings["storage"]
    assert f"{strings['servicebus']}UseDevelopmentEmulator=true;" == azure.servicebus_connection_string


def test_the_certificate_authority_of_each_start_in_memory_and_of_a_data_directory() -> None:
    with LocalZure(config={"services": ["blob"]}) as server:
        first = server.ca_file.read_text()
        server.restart()
        assert server.ca_file.read_text() != first
        assert set(server.tls_connection_strings) == {"storage"}
    with LocalZure(in_memory=False, config={"services": ["servicebus"]}) as server:
        first = server.ca_file.read_text()
        server.restart()
        assert server.ca_file.read_text() == first
        assert set(server.tls_connection_strings) == {"servicebus"}


def test_the_command_line_tells_the_certificate_of_a_running_server(azure: LocalZure) -> None:
    command = [sys.executable, "-m", "localzure", "ca", "print", "--endpoint"]
    for name in ("gateway", "blob", "amqp"):
        url = azure.endpoints[name].replace("amqp://", "http://")
        done = subprocess.run([*command, url], capture_output=True, text=True, check=True)
        assert done.stdout == azure.ca_file.read_text()


@pytest.mark.parametrize("listener", sorted(LISTENERS))
@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready"])
def test_every_port_answers_health(azure: LocalZure, listener: str, path: str) -> None:
    port = urlsplit(azure.endpoints[listener]).port
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}") as reply:
        said = json.load(reply)
    assert reply.status == 200
    assert (said["status"], said["message"], said["version"]) == ("healthy", "Service is healthy.", __version__)
    assert said["services"] == dict.fromkeys(SERVICES, "running")


def test_a_second_server_that_wants_a_port_in_use_is_refused_in_one_line(azure: LocalZure) -> None:
    port = urlsplit(azure.endpoints["blob"]).port
    with pytest.raises(ServerFailedError) as caught:
        LocalZure(extra_args=["--blob-port", str(port)]).start()
    first, line = str(caught.value).splitlines()
    assert first == "the server ended with exit code 2"
    assert str(port) in line
    assert "--blob-port" in line


def test_a_server_starts_serves_and_stops_in_order() -> None:
    server = LocalZure()
    with pytest.raises(RuntimeError, match="was not started"):
        _ = server.endpoints
    with pytest.raises(RuntimeError, match="does not run"):
        _ = server.pid
    with pytest.raises(RuntimeError, match="does not run"):
        _ = server.ca_file
    server.start()
    with pytest.raises(RuntimeError, match="runs already"):
        server.start()
    pid, urls = server.pid, server.endpoints.values()
    assert exists(pid)
    assert server.stop() == 0
    assert not exists(pid)
    assert not any(is_open(url) for url in urls)
    assert f"LocalZure {__version__} is ready" in server.output
    assert all(url in server.output for url in urls)
    assert server.blob_connection_string in server.output
    server.close()
    server.close()


def test_a_restart_keeps_ports_and_pid_changes_also_after_a_kill() -> None:
    with LocalZure(in_memory=False) as server:
        assert server.data_dir is not None
        assert list(server.data_dir.iterdir())
        endpoints, first = server.endpoints, server.pid
        server.restart()
        second = server.pid
        server.kill()
        assert not server.running
        server.restart()
        assert server.endpoints == endpoints
        assert len({first, second, server.pid}) == 3
        folder = server.data_dir
    assert not folder.exists()


def test_a_server_that_does_not_start_is_told_with_its_stderr() -> None:
    with (
        pytest.raises(ServerFailedError, match=r"exit code 2\nlocalzure: No such option '--nope'"),
        LocalZure(extra_args=["--nope"]),
    ):
        pass


def test_a_server_that_does_not_get_ready_in_time_is_killed() -> None:
    server = LocalZure(start_seconds_max=0.0)
    with pytest.raises(ServerFailedError, match=r"did not serve in 0\.0 s"):
        server.start()
    assert not server.running
    server.close()


def test_a_server_that_does_not_stop_in_time_is_killed() -> None:
    server = LocalZure(stop_seconds_max=0.1)
    server.start()
    pid = server.pid
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(ServerFailedError, match=r"did not stop in 0\.1 s"):
        server.close()
    assert not exists(pid)


def test_topics_are_there_from_the_start() -> None:
    with (
        LocalZure(topics={"news": ["all", "some"]}) as server,
        ServiceBusClient.from_connection_string(server.servicebus_connection_string) as client,
    ):
        with client.get_topic_sender("news") as sender:
            sender.send_messages(ServiceBusMessage("read all about it"))
        for name in ("all", "some"):
            with client.get_subscription_receiver("news", name, max_wait_time=5) as receiver:
                assert [str(message) for message in receiver.receive_messages()] == ["read all about it"]


@pytest.mark.parametrize("queues", [["orders"], {"orders": {"LockDuration": "PT5S"}}])
def test_queues_are_there_from_the_start(queues: Sequence[str] | Mapping[str, Mapping[str, object]]) -> None:
    with (
        LocalZure(queues=queues) as server,
        ServiceBusClient.from_connection_string(server.servicebus_connection_string) as client,
    ):
        with client.get_queue_sender("orders") as sender:
            sender.send_messages(ServiceBusMessage("one"))
        with client.get_queue_receiver("orders") as receiver:
            (message,) = receiver.receive_messages(max_wait_time=10)
            assert str(message) == "one"


def test_what_is_left_behind_ends_with_its_object() -> None:
    server = LocalZure()
    server.start()
    pid, folder = server.pid, Path(server.command[server.command.index("--ready-file") + 1]).parent
    assert folder.exists()
    del server
    gc.collect()
    assert not exists(pid)
    assert not folder.exists()


def test_configuration_by_mapping_and_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LOCALZURE_SERVICES", "servicebus")
    config = {"services": ["blob"], "log": {"format": "json"}, "storage": {"accounts": {"mine": "YWJj"}}}
    with LocalZure(data_dir=tmp_path, durability="full", config=config, env={"LOCALZURE_WXYZ": "1"}) as server:
        assert set(server.endpoints) == {"gateway", "blob"}
        assert "AccountName=mine;AccountKey=YWJj;" in server.blob_connection_string
        assert "servicebus" not in server.connection_strings
        lines = [json.loads(line) for line in server.logs.splitlines()]
    assert [line["message"].partition(";")[0] for line in lines if line["level"] == "WARNING"] == [
        "LOCALZURE_WXYZ: unknown variable"
    ]


def test_the_ready_file_is_there_exactly_while_the_server_serves() -> None:
    with LocalZure() as server:
        path = Path(server.command[server.command.index("--ready-file") + 1])
        assert json.loads(path.read_text()) == {
            "pid": server.pid,
            "endpoints": server.endpoints,
            "connection_strings": server.connection_strings,
        }
        server.stop()
        assert not path.exists()


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--seed", "{folder}/seed.json"], "{folder}/seed.json"),
        (["--tls-cert", "{folder}/none.pem"], "{folder}/none.pem"),
        (["--ready-file", "{folder}/none/ready.json"], "{folder}/none/ready.json"),
        (["--host", "192.0.2.1"], "192.0.2.1 is no address of this machine"),
    ],
)
def test_a_start_that_fails_leaves_nothing_behind(args: list[str], said: str, tmp_path: Path) -> None:
    seed = {"UserConfig": {"Namespaces": [{"Queues": [{"Name": "q", "Properties": {"MaxDeliveryCount": 0}}]}]}}
    (tmp_path / "seed.json").write_text(json.dumps(seed))
    command = [sys.executable, "-m", "localzure", "start", "--all-ports", "0", "--data-dir", str(tmp_path / "data")]
    named = [arg.format(folder=tmp_path) for arg in args]
    done = subprocess.run([*command, *named], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert said.format(folder=tmp_path) in done.stderr
    assert done.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["seed.json"]
