"""An export of any store, taken in by another one, gives an equal store: the same export, and the same answers."""

from __future__ import annotations

import gzip
import tempfile
from base64 import b64encode
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localzure.server.export_file import ExportError, Head, check_export, read_batches, write_export
from localzure.server.importing import Import, Mode
from tests.blob_world import BlobWorld
from tests.queue_world import QueueWorld
from tests.table_world import TableWorld

World = BlobWorld | QueueWorld | TableWorld

NAMES = ("one", "two", "three")
CONTENTS = (b"", b"small", bytes(range(256)) * 300)
BLOB_KINDS = ("put", "block", "commit", "snapshot", "copy", "page", "write", "append", "delete", "drop")

BLOB_STEPS = st.lists(
    st.tuples(st.sampled_from(BLOB_KINDS), st.sampled_from(NAMES), st.sampled_from(NAMES), st.sampled_from(CONTENTS)),
    max_size=14,
)
SMALL_STEPS = st.lists(
    st.tuples(st.sampled_from(["put", "get", "clear", "drop"]), st.sampled_from(NAMES), st.integers(0, 5)), max_size=12
)


def block(name: str) -> str:
    return b64encode(name.ljust(5).encode()).decode()


def take_blob_steps(world: BlobWorld, steps: list[tuple[str, str, str, bytes]]) -> None:
    """What is refused is refused."""
    for kind, container, name, content in steps:
        path = f"{container}/{name}"
        world.ask("PUT", container, "restype=container")
        if kind == "put":
            world.ask("PUT", path, "", {"x-ms-blob-type": "BlockBlob", "x-ms-meta-a": "b"}, content)
        elif kind == "block":
            world.ask("PUT", path, f"comp=block&blockid={block(str(len(content)))}", {}, content or b"x")
        elif kind == "commit":
            for size in (5, 76_800):
                world.ask("PUT", path, f"comp=block&blockid={block(str(size))}", {}, b"c" * size)
            listed = f"<BlockList><Latest>{block('5')}</Latest><Latest>{block('76800')}</Latest></BlockList>"
            world.ask("PUT", path, "comp=blocklist", {}, listed.encode())
        elif kind == "snapshot":
            world.ask("PUT", path, "comp=snapshot")
        elif kind == "copy":
            world.ask("PUT", path, "", {"x-ms-copy-source": f"http://127.0.0.1:10000/devstoreaccount1/one/{name}"})
        elif kind == "page":
            world.ask("PUT", path, "", {"x-ms-blob-type": "PageBlob", "x-ms-blob-content-length": "8192"}, b"")
        elif kind == "write":
            at = len(name) * 512
            headers = {"x-ms-page-write": "update", "x-ms-range": f"bytes={at}-{at + 511}"}
            world.ask("PUT", path, "comp=page", headers, name[:1].encode() * 512)
        elif kind == "append":
            world.ask("PUT", f"{path}.log", "", {"x-ms-blob-type": "AppendBlob", "if-none-match": "*"}, b"")
            world.ask("PUT", f"{path}.log", "comp=appendblock", {}, content or b"x")
        elif kind == "delete":
            world.ask("DELETE", path, "", {"x-ms-delete-snapshots": "include"})
        else:
            world.ask("DELETE", container, "restype=container")
        world.clock.advance(1)


def take_queue_steps(world: QueueWorld, steps: list[tuple[str, str, int]]) -> None:
    for kind, queue, number in steps:
        world.ask("PUT", queue)
        if kind == "put":
            text = "x" * (number * 1500)
            body = f"<QueueMessage><MessageText>{text}</MessageText></QueueMessage>".encode()
            world.ask("POST", f"{queue}/messages", f"messagettl={100 if number % 2 else -1}", {}, body)
        elif kind == "get":
            world.ask("GET", f"{queue}/messages", f"visibilitytimeout={number + 1}")
        elif kind == "clear":
            world.ask("DELETE", f"{queue}/messages")
        else:
            world.ask("DELETE", queue)


def take_table_steps(world: TableWorld, steps: list[tuple[str, str, int]]) -> None:
    for kind, table, number in steps:
        world.ask("POST", "Tables", "", {}, {"TableName": table})
        if kind == "put":
            entity = {"PartitionKey": f"p {number % 2}", "RowKey": str(number), "Number": number, "Text": "é" * number}
            world.ask("POST", table, "", {}, entity)
        elif kind == "drop":
            world.ask("DELETE", f"Tables('{table}')")


def answers(world: World) -> list[bytes]:
    """What clients find."""
    if isinstance(world, BlobWorld):
        paths = [(f"{c}", "restype=container&comp=list&include=snapshots,metadata,uncommittedblobs") for c in NAMES]
        paths += [(f"{container}/{name}{end}", "") for container in NAMES for name in NAMES for end in ("", ".log")]
    elif isinstance(world, QueueWorld):
        paths = [("", "comp=list"), *[(f"{name}/messages", "peekonly=true&numofmessages=32") for name in NAMES]]
    else:
        paths = [("Tables", ""), *[(f"{name}()", "") for name in NAMES]]
    found = [world.ask("GET", path, query) for path, query in paths]
    return [answer.body for answer in found if answer.status == 200]


def export(world: World, folder: str, name: str) -> bytes:
    path = Path(folder) / name
    with world.store.read() as reader:
        write_export(path, Head(("it",)), {"it": world.service.porter()}, reader, None)
    return gzip.decompress(path.read_bytes())


def take(world: World, path: Path, mode: Mode = "merge") -> dict[str, int]:
    job = Import(check_export(path), mode, {"it": world.service.porter()})
    try:
        for items in read_batches(path):
            with world.transactions.writer() as writer:
                job.take(writer, items)
            world.transactions.commit()
        with world.transactions.writer() as writer:
            job.finish(writer)
        world.transactions.commit()
    finally:
        job.release()
    return job.counted


def keys(world: World) -> set[bytes]:
    with world.store.read() as reader:
        return {key for key, _ in reader.scan(b"\x00", b"\xff" * 20)}


def empty(world: World) -> None:
    with world.transactions.writer() as writer:
        assert not world.service.empty(writer, None, 10_000)
    world.transactions.commit()
    for _ in range(2):
        sweep(world)


def sweep(world: World) -> None:
    if isinstance(world, BlobWorld):
        world.clock.advance(30 * 86_400)
        world.sweep()
        return
    more = True
    while more:
        with world.transactions.writer() as writer:
            more = world.service.sweep(writer, 64)
        world.transactions.commit()


def check(first: World, second: World) -> None:
    """`second`, which is new, is to be equal to `first`, and to leave nothing behind when it is emptied."""
    with tempfile.TemporaryDirectory() as folder:
        told = export(first, folder, "first")
        take(second, Path(folder) / "first")
        assert export(second, folder, "second") == told
        assert answers(second) == answers(first)
        take(second, Path(folder) / "first", "overwrite")
        assert export(second, folder, "third") == told
    empty(second)
    assert len(keys(second)) <= 1, "only the last number that was given is left"


@settings(max_examples=30, deadline=None)
@given(BLOB_STEPS)
def test_containers_of_any_content(steps: list[tuple[str, str, str, bytes]]) -> None:
    first, second = BlobWorld(), BlobWorld()
    take_blob_steps(first, steps)
    second.clock.advance((first.clock.now() - second.clock.now()) / 1_000_000)
    check(first, second)


@settings(max_examples=20, deadline=None)
@given(SMALL_STEPS)
def test_queues_of_any_content(steps: list[tuple[str, str, int]]) -> None:
    first = QueueWorld()
    take_queue_steps(first, steps)
    check(first, QueueWorld())


@settings(max_examples=20, deadline=None)
@given(SMALL_STEPS)
def test_tables_of_any_content(steps: list[tuple[str, str, int]]) -> None:
    first = TableWorld()
    take_table_steps(first, steps)
    check(first, TableWorld())


RICH = [
    ("put", "one", "one", CONTENTS[2]),
    ("block", "one", "two", CONTENTS[1]),
    ("page", "two", "three", b""),
    ("write", "two", "three", b""),
]


def test_something_unknown_that_is_gone(tmp_path: Path) -> None:
    world, path = BlobWorld(), tmp_path / "it"
    first, last = export(world, str(tmp_path), "it").splitlines(keepends=True)
    path.write_bytes(gzip.compress(first + b'{"gone":["it","bulb","a","b"]}\n' + last.replace(b"1", b"2")))
    with pytest.raises(ExportError, match="cannot be taken"):
        take(world, path)


def test_modes(tmp_path: Path) -> None:
    first, second = BlobWorld(), BlobWorld()
    take_blob_steps(first, RICH)
    export(first, str(tmp_path), "it")
    take_blob_steps(second, [("put", "one", "own", b"own"), ("put", "three", "own", b"own")])
    assert take(second, tmp_path / "it", "skip") == {"imported": 1, "skipped": 1, "removed": 0}
    assert second.ask("GET", "one/own").body == b"own"
    assert second.ask("HEAD", "two/three").status == 200
    assert take(second, tmp_path / "it") == {"imported": 2, "skipped": 0, "removed": 0}
    assert second.ask("GET", "one/own").status == 404
    assert second.ask("GET", "one/one").body == CONTENTS[2]
    assert second.ask("GET", "three/own").body == b"own"
    assert take(second, tmp_path / "it", "overwrite") == {"imported": 2, "skipped": 0, "removed": 1}
    assert second.ask("GET", "three/own").status == 404


def test_what_has_changed_since(tmp_path: Path) -> None:
    first, second = BlobWorld(), BlobWorld()
    take_blob_steps(first, [*RICH, ("put", "three", "one", b"x")])
    export(first, str(tmp_path), "all")
    take(second, tmp_path / "all")
    for step in first.store.snapshots.save("then", 0):
        assert step is None
    take_blob_steps(first, [("put", "two", "new", b"new"), ("drop", "three", "", b"")])
    porter = first.service.porter()
    with first.store.read() as reader, first.store.snapshots.open("then") as before:
        head = Head(("it",), since="then")
        counted = write_export(tmp_path / "changes", head, {"it": porter}, reader, before)
    assert (counted["resources"], counted["gone"]) == (1, 1)
    assert take(second, tmp_path / "changes", "overwrite") == {"imported": 1, "skipped": 0, "removed": 1}
    assert export(second, str(tmp_path), "second") == export(first, str(tmp_path), "first")


@pytest.mark.parametrize("damage", ["cut", "flip", "tail", "foreign", "lines", "newer", "empty"])
def test_files_that_are_no_whole_exports(damage: str, tmp_path: Path) -> None:
    world, path = BlobWorld(), tmp_path / "it"
    take_blob_steps(world, RICH)
    lines = export(world, str(tmp_path), "it").splitlines(keepends=True)
    whole = path.read_bytes()
    middle = len(whole) // 2
    path.write_bytes(
        {
            "cut": whole[:middle],
            "flip": whole[:middle] + bytes((whole[middle] ^ 1,)) + whole[middle + 1 :],
            "tail": gzip.compress(b"".join(lines[:-1])),
            "foreign": b"PK",
            "lines": gzip.compress(b"".join([*lines[:2], *lines[3:]])),
            "newer": gzip.compress(lines[0].replace(b'"format":1', b'"format":2') + b"".join(lines[1:])),
            "empty": b"",
        }[damage]
    )
    with pytest.raises(ExportError):
        check_export(path)


@pytest.mark.parametrize(
    ("old", "new"),
    [(b'["extent",1]', b'["extent","a"]'), (b'["blob",', b'["bulb",'), (b'"value":"', b'"value":"////')],
)
def test_an_import_that_fails_leaves_the_store_as_it_was(old: bytes, new: bytes, tmp_path: Path) -> None:
    first, second = BlobWorld(), BlobWorld()
    take_blob_steps(first, RICH)
    text = export(first, str(tmp_path), "it")
    assert old in text
    (tmp_path / "it").write_bytes(gzip.compress(new.join(text.rsplit(old, 1))))
    take_blob_steps(second, [("put", "one", "own", b"own")])
    before, told = keys(second), export(second, str(tmp_path), "second")
    with pytest.raises(ExportError):
        take(second, tmp_path / "it")
    second.transactions.commit()
    sweep(second)
    sweep(second)
    assert keys(second) == before
    assert export(second, str(tmp_path), "second") == told
