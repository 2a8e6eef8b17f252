"""How many calls an operation costs a storage service, Python's and built-in ones: no clock, so no noise.

The bounds lie about a tenth above what was counted. An operation that has to do more may raise its bound, in the
commit that makes it do more; whoever makes it cheaper lowers it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING
from urllib.parse import quote

from tests.blob_world import BlobWorld
from tests.queue_world import QueueWorld
from tests.storage_world import Answer
from tests.table_world import TableWorld, entity_path

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

REPEATS = 20


def calls_of(operation: Callable[[], object]) -> float:
    """Count the calls of an operation, at a mean, once caches are warm."""
    operation()
    calls = 0

    def count(_frame: FrameType, event: str, _what: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        for _ in range(REPEATS):
            operation()
    finally:
        sys.setprofile(before)
    return calls / REPEATS


def _put_blob(world: BlobWorld) -> Answer:
    return world.ask("PUT", "box/blob", headers={"x-ms-blob-type": "BlockBlob"}, body=bytes(1024))


def _blobs() -> BlobWorld:
    world = BlobWorld()
    assert world.ask("PUT", "box", "restype=container").status == 201
    assert _put_blob(world).status == 201
    return world


def test_blobs() -> None:
    world = _blobs()
    assert calls_of(lambda: _put_blob(world)) < 345
    assert calls_of(lambda: world.ask("GET", "box/blob")) < 190


def test_queue_messages() -> None:
    world = QueueWorld()
    assert world.ask("PUT", "work").status == 201
    message = b"<QueueMessage><MessageText>text</MessageText></QueueMessage>"

    def cycle() -> None:
        assert world.ask("POST", "work/messages", body=message).status == 201
        got = world.ask("GET", "work/messages").xml.find("QueueMessage")
        assert got is not None
        path = f"work/messages/{got.findtext('MessageId')}"
        assert world.ask("DELETE", path, f"popreceipt={quote(got.findtext('PopReceipt', ''))}").status == 204

    assert calls_of(cycle) < 870


def test_table_point_read() -> None:
    world = TableWorld()
    world.table()
    world.insert(Number=1)
    assert calls_of(lambda: world.ask("GET", entity_path("things", "p", "r"))) < 220
