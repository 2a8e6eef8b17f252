"""Transactions over a socket, to their end and cut off by `kill -9`: each is whole or never was."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage

from localzure.testing import LocalZure
from tests.live.transacting_client import BATCH, Mover

# A connection that a server cuts is dropped by the client library without closing its socket.
pytestmark = [
    pytest.mark.usefixtures("abandoned_sockets"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

MESSAGES = 600
ROUNDS = 2


def _fill(azure: LocalZure, count: int) -> set[str]:
    identities = [f"m{number}" for number in range(count)]
    with (
        ServiceBusClient.from_connection_string(azure.servicebus_connection_string) as client,
        client.get_queue_sender("in") as sender,
    ):
        for start in range(0, count, 500):
            sender.send_messages(
                [ServiceBusMessage(identity, message_id=identity) for identity in identities[start : start + 500]]
            )
    return set(identities)


def _there(azure: LocalZure, queue: str) -> list[str]:
    found: list[str] = []
    with (
        ServiceBusClient.from_connection_string(azure.servicebus_connection_string) as client,
        client.get_queue_receiver(queue) as receiver,
    ):
        following = 1
        while page := receiver.peek_messages(250, sequence_number=following):
            found += [str(message.message_id) for message in page]
            following = (page[-1].sequence_number or 0) + 1
    return found


def test_messages_move_in_transactions() -> None:
    with LocalZure(queues=["in", "out"]) as azure:
        sent = _fill(azure, 20 * BATCH)
        mover = Mover(azure.endpoints["amqp"], "in", "out", len(sent))
        mover.run()
        assert (mover.refused, mover.moved) == ([], sent)
        assert mover.rolled_back > 3
        assert sorted(_there(azure, "out")) == sorted(sent)
        assert _there(azure, "in") == []


def test_a_transaction_is_whole_after_a_crash_or_never_was(tmp_path: Path) -> None:
    with LocalZure(in_memory=False, data_dir=tmp_path, queues=["in", "out"]) as azure:
        sent = _fill(azure, MESSAGES)
        moved: set[str] = set()
        for _ in range(ROUNDS):
            mover = Mover(azure.endpoints["amqp"], "in", "out")
            thread = threading.Thread(target=mover.run)
            thread.start()
            wanted = len(moved) + 50
            while len(moved | mover.moved) < wanted and thread.is_alive():
                thread.join(0.01)
            azure.kill()
            thread.join(30)
            assert not thread.is_alive()
            assert mover.refused == []
            moved |= mover.moved
            azure.restart()
            left, arrived = _there(azure, "in"), _there(azure, "out")
            assert len(left) + len(arrived) == MESSAGES, "a message is in both queues, or in none"
            assert set(left) | set(arrived) == sent
            assert moved <= set(arrived), "a transaction that was committed is lost"
            assert len(arrived) % BATCH == 0, "half a transaction"
            moved = set(arrived)
    assert len(moved) < MESSAGES, "the server was killed while transactions were running"
