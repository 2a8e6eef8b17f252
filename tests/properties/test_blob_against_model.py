"""The Blob service against a dictionary: any sequence of operations, sweeps, restarts and failed commits."""

from __future__ import annotations

from urllib.parse import quote

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import rule

from localzure_storage.store import Store
from tests.blob_world import BlobWorld
from tests.storage_machine import StorageMachine

CONTAINERS = st.sampled_from(["one", "two"])
NAMES = st.sampled_from(["a", "a/b", "a/b/c", "a/bb", "b", "é/\U0001f600", "a\x00", "a\x00b"])
BLOCKS = st.sampled_from(["1", "2", "3"])
SIZES = st.sampled_from([0, 1, 5000, 300_000])


class Blob:
    """What the model knows of a blob; content is None while only blocks wait."""

    def __init__(self) -> None:
        self.content: bytes | None = None
        self.listed: dict[str, bytes] = {}
        self.waiting: dict[str, bytes] = {}


class BlobModel(StorageMachine[BlobWorld]):
    """Rules ask the service and the dictionary, and hold the answers together."""

    def make_world(self, store: Store) -> BlobWorld:
        return BlobWorld(store=store)

    def __init__(self) -> None:
        super().__init__()
        self.model: dict[str, dict[str, Blob]] = {}
        self.fill = 0

    def content(self, size: int) -> bytes:
        self.fill = self.fill % 250 + 1
        return bytes([self.fill]) * size

    def path(self, container: str, name: str) -> str:
        return f"{container}/{quote(name)}"

    @rule(container=CONTAINERS)
    def create(self, container: str) -> None:
        answer = self.world.ask("PUT", container, "restype=container")
        assert answer.status == (409 if container in self.model else 201)
        self.model.setdefault(container, {})

    @rule(container=CONTAINERS)
    def delete_container(self, container: str) -> None:
        answer = self.world.ask("DELETE", container, "restype=container")
        assert answer.status == (202 if container in self.model else 404)
        self.model.pop(container, None)

    @rule(container=CONTAINERS, name=NAMES, size=SIZES, fails=st.booleans())
    def put(self, container: str, name: str, size: int, fails: bool) -> None:
        body = self.content(size)
        self.store.failing = fails
        answer = self.world.put(self.path(container, name), body)
        self.store.failing = False
        if container not in self.model:
            assert answer.status in {404, 503 if fails else 404}
        elif fails:
            assert answer.status == 503
        else:
            assert answer.status == 201
            self.model[container][name] = blob = Blob()
            blob.content = body

    @rule(container=CONTAINERS, name=NAMES, block=BLOCKS, size=SIZES.filter(bool))
    def stage(self, container: str, name: str, block: str, size: int) -> None:
        body = self.content(size)
        answer = self.world.stage(self.path(container, name), block, body)
        assert answer.status == (201 if container in self.model else 404)
        if container in self.model:
            self.model[container].setdefault(name, Blob()).waiting[block] = body

    @rule(container=CONTAINERS, name=NAMES, blocks=st.lists(BLOCKS, max_size=5))
    def commit(self, container: str, name: str, blocks: list[str]) -> None:
        answer = self.world.commit(self.path(container, name), *blocks)
        if container not in self.model:
            assert answer.status == 404
            return
        blob = self.model[container].get(name) or Blob()
        latest = blob.listed | blob.waiting
        if not set(blocks) <= set(latest):
            assert answer.code == "InvalidBlockList"
            return
        assert answer.status == 201
        self.model[container][name] = blob
        blob.listed = {block: latest[block] for block in blocks}
        blob.content = b"".join(latest[block] for block in blocks)
        blob.waiting = {}

    @rule(container=CONTAINERS, name=NAMES)
    def delete(self, container: str, name: str) -> None:
        answer = self.world.ask("DELETE", self.path(container, name))
        blob = self.model.get(container, {}).get(name)
        assert answer.status == (202 if blob is not None and blob.content is not None else 404)
        if answer.status == 202:
            del self.model[container][name]

    @rule(container=CONTAINERS, name=NAMES)
    def get(self, container: str, name: str) -> None:
        answer = self.world.get(self.path(container, name))
        blob = self.model.get(container, {}).get(name)
        if blob is None or blob.content is None:
            assert answer.status == 404
        else:
            assert (answer.status, answer.body) == (200, blob.content)

    @rule(
        container=CONTAINERS,
        prefix=st.sampled_from(["", "a", "a/", "a/b", "é", "x"]),
        delimiter=st.sampled_from(["", "/", "b"]),
        size=st.integers(1, 4),
    )
    def listing(self, container: str, prefix: str, delimiter: str, size: int) -> None:
        names = sorted(
            name
            for name, blob in self.model.get(container, {}).items()
            if blob.content is not None and name.startswith(prefix)
        )
        expected: dict[str, None] = {}
        for name in names:
            at = name.find(delimiter, len(prefix)) if delimiter else -1
            expected[name if at < 0 else name[: at + len(delimiter)] + "*"] = None
        seen: list[str] = []
        marker = ""
        while True:
            query = f"restype=container&comp=list&prefix={quote(prefix)}&maxresults={size}&marker={quote(marker)}"
            answer = self.world.ask("GET", container, query + (f"&delimiter={quote(delimiter)}" if delimiter else ""))
            if container not in self.model:
                assert answer.status == 404
                return
            for item in answer.xml.find("Blobs") or ():
                element = item.find("Name")
                assert element is not None
                text = element.text or ""
                name = text.replace("%00", "\x00") if element.get("Encoded") else text
                seen.append(name + ("*" if item.tag == "BlobPrefix" else ""))
            marker = answer.xml.findtext("NextMarker") or ""
            if not marker:
                break
        assert seen == list(expected)

    def delete_everything(self) -> None:
        for container in self.model:
            self.world.ask("DELETE", container, "restype=container")


BlobModel.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestBlobAgainstModel = BlobModel.TestCase
