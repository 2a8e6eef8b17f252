"""The AMQP stack inside azure-servicebus (pyamqp), with its own frames and sockets, against AmqpConnection."""

from __future__ import annotations

import socket
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from azure.servicebus._pyamqp import ReceiveClient, SendClient
from azure.servicebus._pyamqp.authentication import SASLPlainAuth
from azure.servicebus._pyamqp.constants import ReceiverSettleMode, SenderSettleMode
from azure.servicebus._pyamqp.error import AMQPException, MessageException, RetryPolicy
from azure.servicebus._pyamqp.message import Message, Properties

from localzure_protocols.amqp.connection import AmqpConnection
from localzure_protocols.amqp.events import (
    ACCEPTED,
    AmqpError,
    AmqpEvent,
    ConnectionOpened,
    LinkAttached,
    LinkFlow,
    MessageReceived,
    OutcomeReceived,
    Rejected,
)
from localzure_protocols.amqp.message import split, split_batch

# The package is typed, but these constructors are not.
pyamqp_send_client: Any = SendClient
pyamqp_receive_client: Any = ReceiveClient
pyamqp_retry_policy: Any = RetryPolicy


class Broker:
    """One queue behind a socket: accepts what does not say `refuse`, and hands it out again."""

    def __init__(self) -> None:
        self.messages: deque[bytes] = deque()
        self.events: list[AmqpEvent] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._listen)]
        self._threads[0].start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()

    def _listen(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(client,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, client: socket.socket) -> None:
        core = AmqpConnection("broker")
        with closing(client):
            while not core.is_finished:
                try:
                    data = client.recv(65536)
                    for event in core.receive(data) if data else core.receive_eof():
                        self.events.append(event)
                        self._react(core, event)
                    client.sendall(b"".join(core.data_to_send()))
                except ConnectionError:
                    return

    def _react(self, core: AmqpConnection, event: AmqpEvent) -> None:
        match event:
            case LinkAttached(link):
                address = link.target.address if link.is_receiver else link.source.address
                if address is not None and address.endswith("/missing"):
                    core.refuse_link(link, AmqpError("amqp:not-found", "The messaging entity could not be found."))
                else:
                    core.accept_link(link, max_message_size=1 << 20)
                    core.grant_credit(link, 100)
            case MessageReceived(message_format=message_format, payload=payload):
                refused = b"refuse" in payload
                if not refused:
                    self.messages += split_batch(split(payload)) if message_format else [payload]
                core.settle(event.delivery, Rejected(AmqpError("amqp:not-allowed", "no")) if refused else ACCEPTED)
            case LinkFlow(link):
                is_settled = link.snd_settle_mode == 1
                while self.messages and link.credit:
                    sections = split(self.messages.popleft())
                    core.deliver(link, bytes(range(240, 256)), [sections.bare()], settled=is_settled)
            case OutcomeReceived(delivery=delivery, outcome=outcome):
                core.settle(delivery, outcome or ACCEPTED)
            case _:
                pass


@pytest.fixture
def broker() -> Iterator[Broker]:
    served = Broker()
    yield served
    served.close()


def options(**more: Any) -> dict[str, Any]:
    return {
        "auth": SASLPlainAuth("name", "key"),
        "use_tls": False,
        "retry_policy": pyamqp_retry_policy(retry_total=0),
        **more,
    }


def sender(broker: Broker, address: str = "q", **more: Any) -> Any:
    host = f"127.0.0.1:{broker.port}"
    return pyamqp_send_client(host, f"amqps://{host}/{address}", **options(**more))


def receiver(broker: Broker, address: str = "q", **more: Any) -> Any:
    host = f"127.0.0.1:{broker.port}"
    return pyamqp_receive_client(host, f"amqps://{host}/{address}", **options(**more))


def message(*data: bytes) -> Any:
    return Message(
        header=None,
        delivery_annotations=None,
        message_annotations={b"x-opt-partition-key": b"p"},
        properties=Properties(message_id="id"),
        application_properties={"n": 1},
        data=list(data),
        value=None,
        sequence=None,
        footer=None,
    )


def test_messages_go_there_and_back(broker: Broker) -> None:
    with sender(broker) as client:
        client.send_message(message(b"one"), timeout=10)
        client.send_message(message(b"x" * 300_000), timeout=10)
    with receiver(broker, link_credit=10, receive_settle_mode=ReceiverSettleMode.Second) as client:
        received: list[Any] = []
        while len(received) < 2:
            received += client.receive_message_batch(max_batch_size=10, timeout=10)
        assert [b"".join(each.data) for each in received] == [b"one", b"x" * 300_000]
        assert received[0].properties.message_id == b"id"
        assert received[0].application_properties == {b"n": 1}
    opened = [event for event in broker.events if isinstance(event, ConnectionOpened)]
    assert (opened[0].sasl_mechanism, opened[0].sasl_response) == ("PLAIN", b"\0name\0key")


def test_settled_messages_are_received_too(broker: Broker) -> None:
    with sender(broker) as client:
        client.send_message(message(b"one"), timeout=10)
    with receiver(
        broker,
        link_credit=1,
        send_settle_mode=SenderSettleMode.Settled,
        receive_settle_mode=ReceiverSettleMode.First,
    ) as client:
        assert [list(each.data) for each in client.receive_message_batch(timeout=10)] == [[b"one"]]


def test_a_refused_message_raises_with_our_error(broker: Broker) -> None:
    with sender(broker) as client, pytest.raises(MessageException) as raised:
        client.send_message(message(b"refuse"), timeout=10)
    assert raised.value.condition == b"amqp:not-allowed"


def test_a_refused_link_raises_with_our_error(broker: Broker) -> None:
    client = sender(broker, "missing")
    with pytest.raises(AMQPException) as raised:
        client.send_message(message(b"one"), timeout=10)
    assert raised.value.condition == b"amqp:not-found"
    client.close()
