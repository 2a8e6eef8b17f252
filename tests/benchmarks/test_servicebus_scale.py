"""The measurements of what size costs Service Bus, at toy size but for the connections."""

from __future__ import annotations

import re

import pytest

from benchmarks import servicebus_scale

CONNECTIONS = 300


def measured(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    assert servicebus_scale.main(list(arguments)) == 0
    return capsys.readouterr().out.splitlines()


def test_messages_that_wait(capsys: pytest.CaptureFixture[str]) -> None:
    sent, sending, receiving, started = measured(
        capsys, "--only", "waiting", "--waiting", "20000", "--messages", "1000", "--rounds", "1"
    )
    assert sent.startswith("sent 20,000 messages in ")
    assert sending.startswith("send ")
    assert receiving.startswith("receive ")
    found = re.search(r"([-\d.]+) bytes a message", sent)
    assert found is not None
    # The server's own memory grows by its buffers, not by a kilobyte for each message.
    assert float(found[1]) < 700
    assert started.startswith("started again in ")


def test_many_connections(capsys: pytest.CaptureFixture[str]) -> None:
    opened, sent, memory = measured(capsys, "--only", "connections", "--connections", str(CONNECTIONS))
    assert opened.startswith(f"{CONNECTIONS} connections with a token and a link each in ")
    assert sent.startswith(f"messages sent over {CONNECTIONS} connections: ")
    assert memory.startswith("memory before ")


def test_entities_and_links_that_come_and_go(capsys: pytest.CaptureFixture[str]) -> None:
    made, started, listed, links, connections = measured(
        capsys, "--only", "entities,cycles", "--entities", "250", "--cycles", "40"
    )
    assert made.startswith("250 queues made in ")
    assert started.startswith("started again in ")
    assert listed.startswith("listed 251 queues in ")
    assert links.startswith("40 links opened and closed in ")
    assert connections.startswith("40 connections opened and closed in ")
