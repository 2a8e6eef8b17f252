"""A Table service without a server: plays the server's part around the real service and store."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree as ET

from localzure.config.settings import AuthLevel
from localzure.gateway.address import resolve
from localzure.server.transactions import TickTransactions
from localzure.services.interface import BodySink, HttpReply, HttpRequest, Instant, ServiceContext, ServiceError
from localzure.services.table import TableService, TableSettings
from localzure_storage.extents import Extents
from localzure_storage.keys import Subspace
from localzure_storage.memory import MemoryStore
from localzure_storage.store import StorageError, Store
from tests.twins import ManualClock, SeededEntropy

ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
OTHER_KEY = base64.b64encode(b"another key of another account").decode()
VERSION = "2019-02-02"
BASE_URL = f"http://127.0.0.1:10002/{ACCOUNT}"

MINIMAL = "application/json;odata=minimalmetadata"
FULL = "application/json;odata=fullmetadata"
NONE = "application/json;odata=nometadata"


class NoAlarm:
    """The Table service has no deadlines."""

    def set(self, at: Instant | None) -> None:
        raise AssertionError("the Table service sets no alarm")


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
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def xml(self) -> ET.Element:
        return ET.fromstring(self.body)

    @property
    def message(self) -> str:
        """The first line of an error's message."""
        return str(self.json["odata.error"]["message"]["value"]).partition("\n")[0]

    @property
    def refusal(self) -> tuple[int, str]:
        """The status and the code, which header and body agree on."""
        assert self.json["odata.error"]["code"] == self.code
        return self.status, self.code


class TableWorld:
    """One Table service on one store."""

    def __init__(self, level: AuthLevel = "off", store: Store | None = None) -> None:
        self.level: AuthLevel = level
        self.store: Store = MemoryStore() if store is None else store
        self.clock = ManualClock()
        self.start()

    def start(self) -> None:
        """Start the service anew on what the store holds, as after a restart."""
        root = Subspace(b"")
        self.transactions = TickTransactions(self.store, self.clock, lambda _commit: None)
        self.context = ServiceContext(
            self.transactions,
            self.clock,
            SeededEntropy(),
            NoAlarm(),
            root.subspace("table"),
            Extents(root.subspace("extents")),
        )
        accounts = {ACCOUNT: (base64.b64decode(KEY),), "other": (base64.b64decode(OTHER_KEY), b"second")}
        self.service = TableService(self.context, TableSettings(accounts, self.level))
        self.requests = 0

    def describe(
        self,
        method: str,
        path: str,
        query: str = "",
        headers: Mapping[str, str] | None = None,
        *,
        account: str = ACCOUNT,
        host: str = "127.0.0.1:10002",
    ) -> HttpRequest:
        """Build a request as the server does; header names in any case, `path` as sent."""
        self.requests += 1
        sent = {"x-ms-version": VERSION, "Accept": MINIMAL, **(headers or {})}
        return HttpRequest(
            method=method,
            raw_path=f"/{account}/{path}",
            raw_query=query,
            headers={name.lower(): value for name, value in sent.items()},
            scheme="http",
            host=host,
            peer="127.0.0.1",
            request_id=f"00000000-0000-4000-8000-{self.requests:012}",
        )

    def ask(
        self,
        method: str,
        path: str,
        query: str = "",
        headers: Mapping[str, str] | None = None,
        body: bytes | Mapping[str, Any] | None = None,
        *,
        account: str = ACCOUNT,
    ) -> Answer:
        """Send a request, its body as it is or as JSON, and take its whole reply."""
        sent = dict(headers or {})
        if body is not None:
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
            sent = {"Content-Type": "application/json", "Content-Length": str(len(body)), **sent}
        return self.send(self.describe(method, path, query, sent, account=account), () if body is None else (body,))

    def send(self, request: HttpRequest, pieces: Iterable[bytes] = ()) -> Answer:
        """As `ask`, with a request that is built already."""
        sink: BodySink | None = None
        try:
            _, address = resolve("table", request)
            sink = self.service.accept(request, address)
            for piece in pieces:
                sink.write(piece)
            return self.settle(request, sink.finish())
        except (ServiceError, StorageError) as error:
            if sink is not None:
                sink.abandon()
            return self.settle(request, self.service.refuse(request, error))

    def settle(self, request: HttpRequest, reply: HttpReply) -> Answer:
        """Commit, as the end of a tick does, then give the reply to the client."""
        outcome: list[StorageError | None] = []
        self.transactions.after_commit(lambda: outcome.append(None), outcome.append)
        self.transactions.commit()
        if outcome[0] is not None:
            reply = self.service.refuse(request, outcome[0])
        assert isinstance(reply.body, bytes)
        names = [name for name, _ in reply.headers]
        assert len(set(names)) == len(names), "a header is there twice"
        return Answer(reply.status, dict(reply.headers), reply.body)

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

    # What most tests begin with.

    def table(self, name: str = "things") -> str:
        answer = self.ask("POST", "Tables", body={"TableName": name})
        assert answer.status == 201, answer
        return name

    def insert(self, table: str = "things", partition: str = "p", row: str = "r", **properties: Any) -> Answer:
        answer = self.ask("POST", table, body={"PartitionKey": partition, "RowKey": row, **properties})
        assert answer.status == 201, answer
        return answer

    def get(self, table: str = "things", partition: str = "p", row: str = "r", accept: str = NONE) -> Any:
        """The members of an entity, None where there is none."""
        answer = self.ask("GET", entity_path(table, partition, row), headers={"Accept": accept})
        assert answer.status == 200 or answer.refusal == (404, "ResourceNotFound"), answer
        return answer.json if answer.status == 200 else None

    def rows(self, table: str = "things", text: str = "", query: str = "") -> list[tuple[str, str]]:
        """The keys of what a filter finds, over all pages."""
        return [(item["PartitionKey"], item["RowKey"]) for page in self.pages(table, text, query) for item in page]

    def pages(self, table: str = "things", text: str = "", query: str = "") -> list[list[dict[str, Any]]]:
        """What a filter finds, page by page."""
        pages = []
        more: str | None = ""
        while more is not None:
            options = [f"$filter={quote(text, safe='')}" if text else "", query, more]
            answer = self.ask("GET", f"{table}()", "&".join(filter(None, options)), {"Accept": NONE})
            assert answer.status == 200, answer
            pages.append(answer.json["value"])
            more = continuation_of(answer)
        return pages


def continuation_of(answer: Answer) -> str | None:
    """The parameters that ask for the page behind an answer; None at the last."""
    prefix = "x-ms-continuation-"
    found = [(name[len(prefix) :], value) for name, value in answer.headers.items() if name.startswith(prefix)]
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in found) if found else None


def entity_path(table: str, partition: str, row: str) -> str:
    """The path of an entity, as a client writes it."""
    return f"{table}(PartitionKey='{quote_key(partition)}',RowKey='{quote_key(row)}')"


def quote_key(key: str) -> str:
    return quote(key.replace("'", "''"), safe="")
