"""A Blob service without a server: plays the server's part around the real service, store and extents."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote
from xml.etree import ElementTree as ET

from localzure.auth.dates import http_date
from localzure.config.settings import AuthLevel
from localzure.gateway.address import resolve
from localzure.server.transactions import TickTransactions
from localzure.services.blob import BlobService, BlobSettings
from localzure.services.blob.engine.state import AccountFeatures
from localzure.services.interface import (
    BodySink,
    BodySource,
    HttpReply,
    HttpRequest,
    Instant,
    LaterReply,
    ServiceContext,
    ServiceError,
)
from localzure_storage.extents import Extents
from localzure_storage.keys import Subspace
from localzure_storage.memory import MemoryStore
from localzure_storage.store import StorageError, Store
from tests.twins import ManualClock, SeededEntropy

ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
OTHER_KEY = base64.b64encode(b"another key of another account").decode()
VERSION = "2026-10-06"


class JobAlarm:
    """What the Blob service asks to be called for: the next step of what takes longer than an event."""

    is_set = False

    def set(self, at: Instant | None) -> None:
        assert at == 0, "it has no deadlines"
        self.is_set = True


@dataclass
class Answer:
    """A reply as a client has it."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        return self.headers.get("x-ms-error-code", "")

    @property
    def xml(self) -> ET.Element:
        return ET.fromstring(self.body)

    @property
    def metadata(self) -> dict[str, str]:
        return {name[10:]: value for name, value in self.headers.items() if name.startswith("x-ms-meta-")}


class BlobWorld:
    """One Blob service on one store."""

    def __init__(self, level: AuthLevel = "off", store: Store | None = None) -> None:
        self.level: AuthLevel = level
        self.store: Store = MemoryStore() if store is None else store
        self.clock = ManualClock()
        self.features: dict[str, AccountFeatures] = {}
        """Account → what Azure sets for it; may be changed at any time."""
        self.snapshots: dict[str, str] = {}
        """Snapshots that a test remembers, by a name of its own."""
        self.start()

    def start(self) -> None:
        """Start the service anew on what the store holds, as after a restart."""
        root = Subspace(b"")
        self.transactions = TickTransactions(self.store, self.clock, lambda _commit: None)
        self.extents = Extents(root.subspace("extents"))
        self.alarm = JobAlarm()
        self.context = ServiceContext(
            self.transactions, self.clock, SeededEntropy(), self.alarm, root.subspace("blob"), self.extents
        )
        accounts = {ACCOUNT: (base64.b64decode(KEY),), "other": (base64.b64decode(OTHER_KEY), b"second")}
        self.service = BlobService(self.context, BlobSettings(accounts, self.level, self.features))
        self.requests = 0
        self.steps = 0

    def describe(
        self,
        method: str,
        path: str,
        query: str = "",
        headers: dict[str, str] | None = None,
        *,
        account: str = ACCOUNT,
        host: str = "127.0.0.1:10000",
    ) -> HttpRequest:
        """Build a request as the server does; header names in any case, `path` as sent."""
        self.requests += 1
        sent = {"x-ms-version": VERSION, **(headers or {})}
        return HttpRequest(
            method=method,
            raw_path=f"/{account}/{path}" if path else f"/{account}",
            raw_query=query,
            headers={name.lower(): value for name, value in sent.items()},
            scheme="http",
            host=host,
            peer="127.0.0.1",
            request_id=f"00000000-0000-4000-8000-{self.requests:012}",
            metadata_names={name.lower(): name for name in sent if name.lower().startswith("x-ms-meta-")},
        )

    def ask(
        self,
        method: str,
        path: str,
        query: str = "",
        headers: dict[str, str] | None = None,
        body: bytes | Iterable[bytes] | None = None,
        *,
        account: str = ACCOUNT,
    ) -> Answer:
        """Send a request and take its whole reply, a tick for each piece of the body."""
        pieces = [body] if isinstance(body, bytes) else list(body or ())
        headers = dict(headers or {})
        if body is not None:
            headers.setdefault("content-length", str(sum(map(len, pieces))))
        return self.send(self.describe(method, path, query, headers, account=account), pieces)

    def send(self, request: HttpRequest, pieces: Iterable[bytes] = ()) -> Answer:
        """As `ask`, with a request that is built already."""
        sink: BodySink | None = None
        try:
            _, address = resolve("blob", request)
            sink = self.service.accept(request, address)
            for piece in pieces:
                sink.write(piece)
                self.transactions.commit()
            return self.settle(request, self.wait(sink.finish()))
        except (ServiceError, StorageError) as error:
            if sink is not None:
                sink.abandon()
            return self.settle(request, self.service.refuse(request, error))

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

    def settle(self, request: HttpRequest, reply: HttpReply) -> Answer:
        """Commit, as the end of a tick does, then give the reply to the client, or what is left of it."""
        outcome: list[StorageError | None] = []
        self.transactions.after_commit(lambda: outcome.append(None), outcome.append)
        self.transactions.commit()
        if outcome[0] is not None:
            if not isinstance(reply.body, bytes):
                reply.body.close()
            reply = self.service.refuse(request, outcome[0])
        body = reply.body if isinstance(reply.body, bytes) else drain(reply.body)
        return Answer(reply.status, dict(reply.headers), body)

    def sweep(self) -> None:
        """Free everything that can be freed."""
        more = True
        while more:
            with self.transactions.writer() as writer:
                more = self.service.sweep(writer, 64)
            self.transactions.commit()
        more = True
        while more:
            with self.transactions.writer() as writer:
                more = self.extents.sweep(writer, 1 << 20)
            self.transactions.commit()

    def stored_keys(self) -> list[bytes]:
        """Every key in the store."""
        with self.store.read() as reader:
            return [key for key, _ in reader.scan(b"", b"\xff")]

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


def drain(source: BodySource, limit: int = 1 << 16) -> bytes:
    """Read a body to its end and close it."""
    pieces = []
    while piece := source.read(limit):
        assert len(piece) <= limit
        pieces.append(piece)
    source.close()
    body = b"".join(pieces)
    assert source.length in {None, len(body)}
    return body


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
