"""Bodies in several ticks: what a lost client, a failed commit or a second upload leaves behind."""

from __future__ import annotations

import pytest

from localzure.gateway.address import resolve
from localzure.services.blob.bodies import STEP_BYTES
from localzure.services.blob.engine import content
from localzure.services.interface import BodySink, BodySource
from localzure_storage.memory import MemoryStore
from localzure_storage.store import StorageError
from tests.blob_world import BlobWorld
from tests.failing_store import FailingStore
from tests.storage_world import drain

PIECE = b"p" * STEP_BYTES
PIECES = 4
LENGTH = str(len(PIECE) * PIECES)


@pytest.fixture
def store() -> FailingStore:
    return FailingStore(MemoryStore())


@pytest.fixture
def world(store: FailingStore) -> BlobWorld:
    world = BlobWorld(store=store)
    world.container()
    world.put("box/a", b"before")
    return world


UPLOADS = {"put blob": ("", {"x-ms-blob-type": "BlockBlob"}), "put block": ("comp=block&blockid=YQ==", {})}


@pytest.fixture(params=list(UPLOADS.values()), ids=list(UPLOADS))
def sink(request: pytest.FixtureRequest, world: BlobWorld) -> BodySink:
    """An upload of four steps, whose head has been accepted."""
    query, headers = request.param
    head = world.describe("PUT", "box/a", query, {**headers, "content-length": LENGTH})
    return world.service.accept(head, resolve("blob", head)[1])


def feed(world: BlobWorld, sink: BodySink, count: int) -> None:
    for _ in range(count):
        sink.write(PIECE)
        world.transactions.commit()


def test_memory_is_bounded_while_a_body_arrives(world: BlobWorld, sink: BodySink) -> None:
    upload = sink._upload  # type: ignore[attr-defined]  # what it holds is what the test is about
    for _ in range(PIECES * STEP_BYTES // 1000):
        sink.write(b"x" * 1000)
        assert sum(map(len, upload._pending)) < STEP_BYTES + 1000


@pytest.mark.parametrize("count", range(PIECES + 1))
def test_a_client_that_goes_away_leaves_nothing(world: BlobWorld, sink: BodySink, count: int) -> None:
    before = world.stored_keys()
    feed(world, sink, count)
    sink.abandon()
    sink.abandon()
    world.sweep()
    assert world.stored_keys() == before
    assert world.get("box/a").body == b"before"


@pytest.mark.parametrize("count", range(1, PIECES + 1))
def test_a_crash_leaves_nothing(world: BlobWorld, sink: BodySink, count: int) -> None:
    before = world.stored_keys()
    feed(world, sink, count)
    world.start()
    world.sweep()
    assert world.stored_keys() == before
    assert world.get("box/a").body == b"before"


def test_an_upload_that_goes_on_is_not_swept(world: BlobWorld, sink: BodySink) -> None:
    for _ in range(PIECES):
        feed(world, sink, 1)
        world.sweep()
    assert sink.finish().status == 201
    world.transactions.commit()
    world.sweep()
    waiting = world.ask("GET", "box/a", "comp=blocklist&blocklisttype=uncommitted").xml.find("UncommittedBlocks/Block")
    if waiting is not None:
        world.ask("PUT", "box/a", "comp=blocklist", {}, b"<BlockList><Latest>YQ==</Latest></BlockList>")
    assert world.get("box/a").body == PIECE * PIECES


@pytest.mark.parametrize("failing_at", range(PIECES + 1))
def test_a_step_whose_commit_fails_ends_the_upload(
    world: BlobWorld, store: FailingStore, sink: BodySink, failing_at: int
) -> None:
    before = world.stored_keys()
    with pytest.raises(StorageError):
        for number in range(PIECES):
            sink.write(PIECE)
            store.failing = number == failing_at
            world.transactions.commit()
            store.failing = False
        sink.finish()
        store.failing = True
        outcome: list[StorageError] = []
        world.transactions.after_commit(lambda: None, outcome.append)
        world.transactions.commit()
        store.failing = False
        raise outcome[0]
    sink.abandon()
    world.sweep()
    assert world.stored_keys() == before
    assert world.get("box/a").body == b"before"


def test_a_reply_whose_commit_fails_is_an_error_and_changes_nothing(world: BlobWorld, store: FailingStore) -> None:
    before = world.stored_keys()
    store.failing = True
    for answer in (
        world.put("box/a", b"after"),
        world.put("box/a", b"x" * 100_000),
        world.ask("DELETE", "box/a"),
        world.ask("DELETE", "box", "restype=container"),
        world.stage("box/a", "1", b"x"),
    ):
        assert (answer.status, answer.code) == (503, "ServerBusy")
    store.failing = False
    world.sweep()
    assert world.stored_keys() == before
    assert world.put("box/a", b"after").status == 201


def test_of_two_uploads_the_last_to_finish_stays_whole(world: BlobWorld) -> None:
    sinks = []
    for _ in range(2):
        head = world.describe("PUT", "box/a", "", {"x-ms-blob-type": "BlockBlob", "content-length": LENGTH})
        sinks.append(world.service.accept(head, resolve("blob", head)[1]))
    for _ in range(PIECES):
        for fill, sink in zip((b"1", b"2"), sinks, strict=True):
            sink.write(fill * STEP_BYTES)
            world.transactions.commit()
    for fill, sink in zip((b"2", b"1"), reversed(sinks), strict=True):
        sink.finish()
        world.transactions.commit()
        world.sweep()
        assert world.get("box/a").body == fill * int(LENGTH)


@pytest.mark.parametrize("upload", UPLOADS.values(), ids=UPLOADS)
def test_a_large_upload_is_refused_by_its_head_where_it_can_be(
    world: BlobWorld, upload: tuple[str, dict[str, str]]
) -> None:
    query, headers = upload
    head = world.describe("PUT", "nobox/a", query, {**headers, "content-length": LENGTH})
    assert world.send(head).code == "ContainerNotFound"
    if not query:
        head = world.describe("PUT", "box/a", query, {**headers, "content-length": LENGTH, "if-none-match": "*"})
        assert world.send(head).code == "BlobAlreadyExists"


def test_what_changes_while_an_upload_arrives_decides(world: BlobWorld) -> None:
    headers = {"x-ms-blob-type": "BlockBlob", "content-length": LENGTH, "if-none-match": "*"}
    head = world.describe("PUT", "box/new", "", headers)
    sink = world.service.accept(head, resolve("blob", head)[1])
    feed(world, sink, PIECES)
    world.put("box/new", b"first")
    before = world.stored_keys()
    answer = world.send(world.describe("PUT", "box/new", "", headers), [PIECE] * PIECES)
    assert answer.code == "BlobAlreadyExists"
    with pytest.raises(Exception, match="BlobAlreadyExists"):
        sink.finish()
    sink.abandon()
    world.sweep()
    assert world.get("box/new").body == b"first"
    assert len(world.stored_keys()) < len(before)


# --- downloads ----------------------------------------------------------------------------------------------------


def download(world: BlobWorld, path: str) -> BodySource:
    head = world.describe("GET", path)
    body = world.service.accept(head, resolve("blob", head)[1]).finish().body
    assert not isinstance(body, bytes)
    return body


def large(world: BlobWorld, kind: str) -> bytes:
    """Make box/large of two steps, as one extent or as a list of blocks."""
    body = bytes(range(256)) * (STEP_BYTES // 128)
    if kind == "extent":
        world.put("box/large", body)
    else:
        for number in range(8):
            world.stage("box/large", str(number), body[number * len(body) // 8 : (number + 1) * len(body) // 8])
        world.commit("box/large", *map(str, range(8)))
    assert world.get("box/large").body == body
    return body


KINDS = pytest.mark.parametrize("kind", ["extent", "blocks"])


@KINDS
@pytest.mark.parametrize("limit", [1000, 65_536, 1 << 22])
def test_a_download_in_pieces(world: BlobWorld, kind: str, limit: int) -> None:
    body = large(world, kind)
    assert drain(download(world, "box/large"), limit) == body


@KINDS
@pytest.mark.parametrize("change", ["overwrite", "delete", "delete container", "commit the same", "commit others"])
def test_a_download_keeps_its_bytes(world: BlobWorld, kind: str, change: str) -> None:
    body = large(world, kind)
    source = download(world, "box/large")
    first = source.read(1000)
    if change == "overwrite":
        world.put("box/large", b"other")
    elif change == "delete":
        world.ask("DELETE", "box/large")
    elif change == "delete container":
        world.ask("DELETE", "box", "restype=container")
    elif change == "commit the same":
        world.commit("box/large", *(["3", "3"] if kind == "blocks" else []))
    else:
        world.stage("box/large", "9", b"other")
        world.commit("box/large", "9")
    world.sweep()
    rest = []
    while piece := source.read(100_000):
        rest.append(piece)
        world.sweep()
    assert first + b"".join(rest) == body
    source.close()
    if change == "commit the same" and kind == "blocks":
        assert world.get("box/large").body == body[3 * len(body) // 8 : 4 * len(body) // 8] * 2
    world.ask("DELETE", "box", "restype=container")
    world.sweep()
    assert len(world.stored_keys()) == 1, "nothing but the last number given"


def test_a_step_of_a_download_reads_few_blocks(world: BlobWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "PIECES_MAX", 3)
    names = [str(number) for number in range(10)]
    for name in names:
        world.stage("box/many", name, name.encode() * 2)
    world.commit("box/many", *names)
    source = download(world, "box/many")
    steps = []
    while piece := source.read(1000):
        steps.append(piece)
    source.close()
    assert steps == [b"001122", b"334455", b"667788", b"99"]
    assert world.get("box/many", {"range": "bytes=1-4"}).body == b"0112"
    got = world.get("box/many", {"x-ms-range": "bytes=1-18", "x-ms-range-get-content-md5": "true"})
    assert got.body == b"011223344556677889"


@KINDS
def test_a_download_that_breaks_off_pins_nothing(world: BlobWorld, kind: str) -> None:
    large(world, kind)
    source, second = download(world, "box/large"), download(world, "box/large")
    world.ask("DELETE", "box", "restype=container")
    source.close()
    world.sweep()
    assert len(world.stored_keys()) > 1
    second.close()
    world.sweep()
    assert len(world.stored_keys()) == 1
