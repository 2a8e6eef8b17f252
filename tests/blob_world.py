"""A Blob service without a server: plays the server's part around the real service, store and extents."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from types import MappingProxyType
from urllib.parse import parse_qsl, quote

from localzure.auth.dates import http_date
from localzure.config.settings import AuthLevel
from localzure.services.blob import BlobService, BlobSettings
from localzure.services.blob.engine.state import AccountFeatures
from localzure.services.interface import HttpReply, HttpRequest, Instant, LaterReply, ServiceContext, ServiceError
from localzure_storage.store import StorageError, Store
from tests.storage_world import ACCOUNT, KEY, Answer, StorageWorld

VERSION = "2026-10-06"


class JobAlarm:
    """What the Blob service asks to be called for: the next step of what takes longer than an event."""

    is_set = False

    def set(self, at: Instant | None) -> None:
        assert at == 0, "it has no deadlines"
        self.is_set = True


class BlobWorld(StorageWorld[BlobService, JobAlarm]):
    """One Blob service on one store."""

    NAME = "blob"
    HOST = "127.0.0.1:10000"
    HEADERS = MappingProxyType({"x-ms-version": VERSION})

    def __init__(self, level: AuthLevel = "off", store: Store | None = None) -> None:
        self.features: dict[str, AccountFeatures] = {}
        """Account → what Azure sets for it; may be changed at any time."""
        self.snapshots: dict[str, str] = {}
        """Snapshots that a test remembers, by a name of its own."""
        super().__init__(level, store)

    def build(self, context: ServiceContext, accounts: dict[str, tuple[bytes, ...]]) -> BlobService:
        self.steps = 0
        return BlobService(context, BlobSettings(accounts, self.level, self.features))

    def make_alarm(self) -> JobAlarm:
        return JobAlarm()

    def wait(self, reply: HttpReply) -> HttpReply:
        """Give a reply that comes later the events that it takes."""
        if not isinstance(reply, LaterReply):
            return reply
        made: list[HttpReply | Exception] = []

        def take(make: Callable[[], HttpReply]) -> None:
            try:
                made.append(make())
            except (ServiceError, StorageError) as error:
                made.append(error)

        reply.then(take)
        while not made:
            self.work()
        if isinstance(made[0], Exception):
            raise made[0]
        return made[0]

    def work(self) -> None:
        """One event of what takes longer: a step, in a tick of its own."""
        assert self.alarm.is_set, "somebody has to go on"
        self.alarm.is_set = False
        self.service.expire()
        self.transactions.commit()
        self.steps += 1

    def sweep(self) -> int:
        """Free everything that can be freed, extents too."""
        steps = super().sweep()
        more = True
        while more:
            with self.transactions.writer() as writer:
                more = self.extents.sweep(writer, 1 << 20)
            self.transactions.commit()
        return steps

    # What most tests begin with.

    def container(self, name: str = "box", **headers: str) -> str:
        answer = self.ask("PUT", name, "restype=container", headers)
        assert answer.status == 201, answer
        return name

    def put(self, path: str, body: bytes = b"content", headers: dict[str, str] | None = None) -> Answer:
        return self.ask("PUT", path, headers={"x-ms-blob-type": "BlockBlob", **(headers or {})}, body=body)

    def get(self, path: str, headers: dict[str, str] | None = None, query: str = "") -> Answer:
        return self.ask("GET", path, query, headers)

    def stage(self, path: str, block: str, body: bytes, headers: dict[str, str] | None = None) -> Answer:
        return self.ask("PUT", path, f"comp=block&blockid={quote(block_id(block), safe='')}", headers, body)

    def commit(self, path: str, *blocks: str, headers: dict[str, str] | None = None) -> Answer:
        """Commit blocks; each is looked for where its prefix says, `Committed:a`, else the latest."""
        return self.ask("PUT", path, "comp=blocklist", headers, block_list(*blocks))


def block_id(block: str) -> str:
    """The id of a block in base64, all of one length."""
    return base64.b64encode(f"{block:>8}".encode()).decode()


def block_list(*blocks: str) -> bytes:
    """The body of Put Block List."""
    parts = [block.rpartition(":") for block in blocks]
    items = "".join(f"<{kind or 'Latest'}>{block_id(name)}</{kind or 'Latest'}>" for kind, _, name in parts)
    return f'<?xml version="1.0" encoding="utf-8"?><BlockList>{items}</BlockList>'.encode()


def sign(request: HttpRequest, key: str = KEY, account: str = ACCOUNT, date: Instant | None = None) -> HttpRequest:
    """Sign a request with Shared Key, written from the documentation alone: query values are decoded by the parser."""
    headers = request.headers
    headers["x-ms-date"] = http_date(Instant(1_767_225_600_000_000) if date is None else date)
    length = headers.get("content-length", "")
    lines = [
        request.method,
        *(headers.get(name, "") for name in ("content-encoding", "content-language")),
        "" if length == "0" else length,
        *(headers.get(name, "") for name in ("content-md5", "content-type")),
        "",
        *(headers.get(name, "") for name in ("if-modified-since", "if-match", "if-none-match")),
        *(headers.get(name, "") for name in ("if-unmodified-since", "range")),
    ]
    lines += [f"{name}:{headers[name]}" for name in sorted(headers) if name.startswith("x-ms-")]
    lines.append(f"/{account}{request.raw_path}")
    query = parse_qsl(request.raw_query, keep_blank_values=True)
    lines += [f"{name.lower()}:{value}" for name, value in sorted(query)]
    digest = hmac.new(base64.b64decode(key), "\n".join(lines).encode(), hashlib.sha256).digest()
    headers["authorization"] = f"SharedKey {account}:{base64.b64encode(digest).decode()}"
    return request
