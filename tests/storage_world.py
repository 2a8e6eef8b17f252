"""A storage service without a server: plays the server's part around the real service and store."""

from __future__ import annotations

import base64
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Generic, Protocol, TypeVar
from xml.etree import ElementTree as ET

from localzure.config.settings import AuthLevel
from localzure.gateway.address import resolve
from localzure.server.transactions import TickTransactions
from localzure.services.interface import (
    Alarm,
    BodySink,
    BodySource,
    HttpReply,
    HttpRequest,
    HttpService,
    ServiceContext,
    ServiceError,
)
from localzure_storage.extents import Extents
from localzure_storage.keys import Subspace
from localzure_storage.memory import MemoryStore
from localzure_storage.store import StorageError, Store, Writer
from tests.twins import ManualClock, SeededEntropy

ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
OTHER_KEY = base64.b64encode(b"another key of another account").decode()


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
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def metadata(self) -> dict[str, str]:
        return {name[10:]: value for name, value in self.headers.items() if name.startswith("x-ms-meta-")}

    @property
    def message(self) -> str:
        """The first line of an error's message, where errors are JSON."""
        return str(self.json["odata.error"]["message"]["value"]).partition("\n")[0]

    @property
    def refusal(self) -> tuple[int, str]:
        """The status and the code, which header and body, in JSON, agree on."""
        assert self.json["odata.error"]["code"] == self.code
        return self.status, self.code


class StorageService(HttpService, Protocol):
    """What the services of a storage account have in common."""

    def sweep(self, writer: Writer, budget: int) -> bool: ...


AnyService = TypeVar("AnyService", bound=StorageService)
AnyAlarm = TypeVar("AnyAlarm", bound=Alarm)


class StorageWorld(ABC, Generic[AnyService, AnyAlarm]):
    """One service on one store."""

    NAME: ClassVar[str]
    HOST: ClassVar[str]
    ROOT: ClassVar[str] = ""
    """What stands behind the account where nothing else does."""
    HEADERS: ClassVar[Mapping[str, str]]
    """What every request has."""
    BODY_HEADERS: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """What every request with a body has."""

    service: AnyService
    alarm: AnyAlarm

    def __init__(self, level: AuthLevel = "off", store: Store | None = None) -> None:
        self.level: AuthLevel = level
        self.store: Store = MemoryStore() if store is None else store
        self.clock = ManualClock()
        self.entropy = SeededEntropy()
        self.requests = 0
        self.start()

    @abstractmethod
    def build(self, context: ServiceContext, accounts: dict[str, tuple[bytes, ...]]) -> AnyService:
        """Build the service."""

    @abstractmethod
    def make_alarm(self) -> AnyAlarm:
        """Make what the service sets."""

    def start(self) -> None:
        """Start the service anew on what the store holds, as after a restart."""
        root = Subspace(b"")
        self.transactions = TickTransactions(self.store, self.clock, lambda _commit: None)
        self.extents = Extents(root.subspace("extents"))
        self.alarm = self.make_alarm()
        self.context = ServiceContext(
            self.transactions, self.clock, self.entropy, self.alarm, root.subspace(self.NAME), self.extents
        )
        accounts = {ACCOUNT: (base64.b64decode(KEY),), "other": (base64.b64decode(OTHER_KEY), b"second")}
        self.service = self.build(self.context, accounts)

    def describe(
        self,
        method: str,
        path: str,
        query: str = "",
        headers: Mapping[str, str] | None = None,
        *,
        account: str = ACCOUNT,
        host: str = "",
    ) -> HttpRequest:
        """Build a request as the server does; header names in any case, `path` as sent."""
        self.requests += 1
        sent = {**self.HEADERS, **(headers or {})}
        return HttpRequest(
            method=method,
            raw_path=f"/{account}/{path}" if path else f"/{account}{self.ROOT}",
            raw_query=query,
            headers={name.lower(): value for name, value in sent.items()},
            scheme="http",
            host=host or self.HOST,
            peer="127.0.0.1",
            request_id=f"00000000-0000-4000-8000-{self.requests:012}",
            metadata_names={name.lower(): name for name in sent if name.lower().startswith("x-ms-meta-")},
        )

    def ask(
        self,
        method: str,
        path: str,
        query: str = "",
        headers: Mapping[str, str] | None = None,
        body: bytes | Iterable[bytes] | Mapping[str, Any] | None = None,
        *,
        account: str = ACCOUNT,
    ) -> Answer:
        """Send a request and take its whole reply, a tick for each piece of the body; a mapping is sent as JSON."""
        if isinstance(body, Mapping):
            body = json.dumps(body).encode()
        pieces = [body] if isinstance(body, bytes) else list(body or ())
        length = {} if body is None else {**self.BODY_HEADERS, "content-length": str(sum(map(len, pieces)))}
        given = {name.lower() for name in headers or {}}
        sent = {name: value for name, value in length.items() if name.lower() not in given} | dict(headers or {})
        return self.send(self.describe(method, path, query, sent, account=account), pieces)

    def send(self, request: HttpRequest, pieces: Iterable[bytes] = ()) -> Answer:
        """As `ask`, with a request that is built already."""
        sink: BodySink | None = None
        try:
            _, address = resolve(self.NAME, request)
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
        return reply

    def settle(self, request: HttpRequest, reply: HttpReply) -> Answer:
        """Commit, as the end of a tick does, then give the reply to the client, or what is left of it."""
        outcome: list[StorageError | None] = []
        self.transactions.after_commit(lambda: outcome.append(None), outcome.append)
        self.transactions.commit()
        if outcome[0] is not None:
            if not isinstance(reply.body, bytes):
                reply.body.close()
            reply = self.service.refuse(request, outcome[0])
        names = [name for name, _ in reply.headers]
        assert len(set(names)) == len(names), "a header is there twice"
        body = reply.body if isinstance(reply.body, bytes) else drain(reply.body)
        return Answer(reply.status, dict(reply.headers), body)

    def sweep(self) -> int:
        """Free everything that can be freed; returns how many steps it took."""
        steps = 0
        more = True
        while more:
            steps += 1
            with self.transactions.writer() as writer:
                more = self.service.sweep(writer, 64)
            self.transactions.commit()
        return steps

    def stored(self) -> list[tuple[bytes, bytes]]:
        """Everything in the store."""
        with self.store.read() as reader:
            return list(reader.scan(b"", b"\xff"))

    def stored_keys(self) -> list[bytes]:
        """Every key in the store."""
        return [key for key, _ in self.stored()]


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
