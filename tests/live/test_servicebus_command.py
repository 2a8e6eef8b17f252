"""`localzure servicebus` against a running server."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from urllib.request import Request, urlopen

import pytest

from localzure.testing import LocalZure


@pytest.fixture(scope="module")
def azure() -> Iterator[LocalZure]:
    with LocalZure(queues=["orders"]) as server:
        yield server


def run(azure: LocalZure, *arguments: str, stdin: str = "", status: int = 0) -> str:
    command = [sys.executable, "-m", "localzure", "servicebus", *arguments, "--endpoint", azure.endpoints["gateway"]]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr
    return done.stdout if status == 0 else done.stderr


def test_looking_sending_and_clearing_up(azure: LocalZure) -> None:
    run(
        azure,
        "send",
        "orders",
        "hello",
        "--label",
        "greeting",
        "--property",
        "n=1",
        "--property",
        "t=x",
        "--ttl",
        "PT5M",
    )
    run(azure, "send", "orders", "--content-type", "text/plain", stdin="from a pipe")
    [entity] = json.loads(run(azure, "list", "--json"))
    assert (entity["name"], entity["active"]) == ("orders", 2)
    assert run(azure, "list").splitlines()[1].split()[:4] == ["orders", "queue", "Active", "2"]
    assert "deadLetters          0" in run(azure, "show", "orders")
    first, second = json.loads(run(azure, "peek", "orders", "--json"))
    assert (first["body"], first["label"], first["properties"]) == ("hello", "greeting", {"n": 1, "t": "x"})
    assert (first["timeToLive"], second["body"], second["contentType"]) == ("PT5M", "from a pipe", "text/plain")
    assert [line.rpartition("  ")[2] for line in run(azure, "peek", "orders").splitlines()] == [
        "BODY",
        "hello",
        "from a pipe",
    ]
    assert len(json.loads(run(azure, "peek", "orders", "--from", "2", "--json"))) == 1
    assert "say --yes" in run(azure, "purge", "orders", status=2)
    assert run(azure, "purge", "orders", "--yes") == "purged 2 messages of orders\n"
    assert run(azure, "purge", "orders", "--yes", "--dead-letter", "--json") == '{\n  "purged": 0\n}\n'
    assert run(azure, "requeue", "orders") == "requeued 0 messages of orders\n"
    assert run(azure, "peek", "orders") == "There is no message.\n"


def test_namespaces_by_their_names() -> None:
    with LocalZure(queues=["orders"], extra_args=["--auth", "off", "--namespaces-on-first-use"]) as server:
        request = Request(f"{server.endpoints['servicebus'].rstrip('/')}/orders/messages", b"for a team", method="POST")
        request.add_header("host", "team.servicebus.localhost")
        with urlopen(request) as reply:
            assert reply.status == 201
        [message] = json.loads(run(server, "peek", "orders", "--namespace", "team", "--json"))
        assert message["body"] == "for a team"
        assert run(server, "peek", "orders") == "There is no message.\n"
        assert run(server, "purge", "orders", "--yes") == "purged 0 messages of orders\n"
        assert run(server, "purge", "orders", "--yes", "--namespace", "team") == "purged 1 message of orders\n"
        assert "no Service Bus namespace 'nobody'" in run(server, "list", "--namespace", "nobody", status=2)


def test_what_is_not_there_is_one_line(azure: LocalZure) -> None:
    assert run(azure, "peek", "nobody", status=2).count("\n") == 1
    assert "expected NAME=VALUE" in run(azure, "send", "orders", "x", "--property", "x", status=2)
