"""The load generators at toy size against LocalZure: it gets what a Service Bus and a Blob client have to send."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from benchmarks import amqp_load, http_load
from benchmarks.amqp_frames import PeerError
from benchmarks.amqp_links import Load, Settle
from benchmarks.http_load import UnexpectedReplyError

if TYPE_CHECKING:
    from benchmarks.targets import Running


@pytest.mark.parametrize("settle", ["range", "each", "delete"])
def test_what_is_sent_is_received_and_completed(localzure: Running, settle: Settle) -> None:
    assert localzure.entity is not None
    load = Load(1000, window=300, settle=settle)
    for measurement in (amqp_load.send(localzure.entity, load), amqp_load.receive(localzure.entity, load)):
        assert measurement.digest == amqp_load.expected(load)


def test_batches_are_taken_apart_and_long_messages_put_together(localzure: Running) -> None:
    assert localzure.entity is not None
    for load in (Load(600, batch=200), Load(20, body_bytes=200_000)):
        assert amqp_load.send(localzure.entity, load).digest == amqp_load.expected(load)
        assert amqp_load.receive(localzure.entity, replace(load, batch=1)).digest == amqp_load.expected(load)


def test_a_wrong_key_a_missing_queue_and_an_oversize_message_end_a_load(localzure: Running) -> None:
    assert localzure.entity is not None
    with pytest.raises(PeerError, match="the token was refused: 401"):
        amqp_load.send(replace(localzure.entity, key="another"), Load(1))
    with pytest.raises(PeerError, match="the token was refused: 404"):
        amqp_load.send(replace(localzure.entity, address="missing"), Load(1))
    with pytest.raises(PeerError):
        amqp_load.send(localzure.entity, Load(1, body_bytes=300_000))


def test_blobs_are_put_and_read_with_checked_signatures(localzure: Running) -> None:
    assert localzure.account is not None
    for mix in ("put", "get", "mixed"):
        load = http_load.Load(200, mix, blobs=50)
        assert http_load.run(localzure.account, load).digest == http_load.expected(load)
    with pytest.raises(UnexpectedReplyError, match="AuthenticationFailed"):
        http_load.run(replace(localzure.account, key="YW5vdGhlcg=="), http_load.Load(1, "get"))
