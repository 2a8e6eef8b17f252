"""The load generators at toy size against the bare servers: right results, and wrong ones seen."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from benchmarks import amqp_load, http_load
from benchmarks.amqp_client import Entity
from benchmarks.amqp_frames import PeerError
from benchmarks.amqp_links import Load, Settle
from benchmarks.http_load import Exchange, UnexpectedReplyError

if TYPE_CHECKING:
    from benchmarks.shared_key import Account
    from benchmarks.targets import Running


@pytest.fixture
def entity(floor_amqp: Running) -> Entity:
    assert floor_amqp.entity is not None
    return floor_amqp.entity


@pytest.fixture
def account(floor_http: Running) -> Account:
    assert floor_http.account is not None
    return floor_http.account


@pytest.mark.parametrize("settle", ["range", "each", "delete"])
def test_what_is_sent_is_received_and_completed(entity: Entity, settle: Settle) -> None:
    load = Load(3000, window=500, settle=settle)
    for measurement in (amqp_load.send(entity, load), amqp_load.receive(entity, load)):
        assert measurement.digest == amqp_load.expected(load)
        assert measurement.timing.latency.count == load.count


@pytest.mark.parametrize("load", [Load(40, 200_000), Load(300, window=1), Load(300, connections=3)], ids=str)
def test_messages_of_many_frames_a_window_of_one_several_connections(entity: Entity, load: Load) -> None:
    assert amqp_load.send(entity, load).digest == amqp_load.expected(load)
    one = replace(load, connections=1)
    assert amqp_load.receive(entity, one).digest == amqp_load.expected(load)


def test_a_batch_is_one_delivery(entity: Entity) -> None:
    load = Load(200, batch=100)
    assert amqp_load.send(entity, load).digest == amqp_load.expected(load)
    # This server takes no batch apart: two deliveries, and each ends with the body of its last message.
    assert amqp_load.receive(entity, Load(2)).digest.checksum == 99 + 199


def test_messages_go_at_the_rate_that_was_asked_for(entity: Entity) -> None:
    for run in (amqp_load.send, amqp_load.receive):
        measurement = run(entity, Load(200, rate=2000))
        assert measurement.digest == amqp_load.expected(Load(200))
        assert measurement.rate < 2050


def test_a_body_that_was_not_sent_is_seen(entity: Entity) -> None:
    amqp_load.send(entity, Load(1, body_bytes=1000))
    with pytest.raises(PeerError, match="another body than was sent"):
        amqp_load.receive(entity, Load(1, body_bytes=1024))


@pytest.mark.parametrize("load", [Load(10, batch=3), Load(10, connections=3), Load(2000, batch=2000)], ids=str)
def test_loads_that_do_not_divide_are_refused(load: Load) -> None:
    with pytest.raises(ValueError, match="must divide"):
        amqp_load.send(Entity("127.0.0.1", 1, "q"), load)


@pytest.mark.parametrize("connections", [1, 16])
def test_blobs_are_put_and_read(account: Account, connections: int) -> None:
    for mix in ("put", "get", "mixed"):
        load = http_load.Load(500, mix, connections=connections, blobs=100)
        measurement = http_load.run(account, load)
        assert measurement.digest == http_load.expected(load)
        assert measurement.timing.latency.count == load.count


def test_requests_go_at_the_rate_that_was_asked_for(account: Account) -> None:
    measurement = http_load.run(account, http_load.Load(200, "put", rate=2000))
    assert measurement.digest == http_load.expected(http_load.Load(200, "put"))
    assert measurement.rate < 2050


def test_a_missing_blob_is_seen(account: Account) -> None:
    with pytest.raises(UnexpectedReplyError, match="404 Not Found"):
        http_load.run(account, http_load.Load(1, "get"))


def test_another_content_is_seen(account: Account) -> None:
    http_load.run(account, http_load.Load(1, "put", body_bytes=1000))
    with pytest.raises(UnexpectedReplyError, match="not 200 with 1024 bytes"):
        http_load.run(account, http_load.Load(1, "get", body_bytes=1024))


REPLIES = {
    "plain": (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody", True),
    "chunked": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n", False),
}


@pytest.mark.parametrize(("reply", "is_plain"), REPLIES.values(), ids=REPLIES)
def test_a_reply_is_taken_only_when_it_is_whole(reply: bytes, is_plain: bool) -> None:
    exchange = Exchange(b"GET / HTTP/1.1\r\n\r\n", 1, 200, b"body")
    for end in range(1, len(reply)):
        assert not exchange.is_answered_by(reply[:end])
        assert not exchange.check(reply[:end])
    assert exchange.is_answered_by(reply) == is_plain
    assert exchange.check(reply)


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nbody",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbode",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabody",
        b"HTTP/1.1 200 OK\r\nContent-Length: four\r\n\r\nbody",
    ],
)
def test_another_reply_is_an_error(reply: bytes) -> None:
    exchange = Exchange(b"GET / HTTP/1.1\r\n\r\n", 1, 200, b"body")
    assert not exchange.is_answered_by(reply)
    with pytest.raises(UnexpectedReplyError):
        exchange.check(reply)


def test_the_command_lines(entity: Entity, account: Account, capsys: pytest.CaptureFixture[str]) -> None:
    amqp_load.main(["send", "--port", str(entity.port), "--no-token", "--messages", "100", "--json"])
    assert json.loads(capsys.readouterr().out)["checksum"] == sum(range(100))
    amqp_load.main(["receive", "--port", str(entity.port), "--no-token", "--messages", "100"])
    assert "[100 · 102,400 B · Σ 4,950]" in capsys.readouterr().out
    http_load.main(["put", "--port", str(account.port), "--requests", "100", "--json"])
    assert json.loads(capsys.readouterr().out)["operations"] == 100
    http_load.main(["get", "--port", str(account.port), "--requests", "100", "--connections", "2"])
    assert "[100 · 102,400 B · Σ 4,950]" in capsys.readouterr().out
