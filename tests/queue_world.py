"""A Queue service without a server: plays the server's part around the real service and store."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote
from xml.sax.saxutils import escape

from localzure.config.settings import AuthLevel
from localzure.gateway.address import resolve
from localzure.server.transactions import TickTransactions
from localzure.services.interface import (
    BodySink,
    HttpReply,
    HttpRequest,
    Instant,
    ServiceContext,
    ServiceError,
)
from localzure.services.queue import QueueService, QueueSettings
from localzure_storage.extents import Extents
from localzure_storage.keys import Subspace
from localzure_storage.memory import MemoryStore
from localzure_storage.store import StorageError, Store
from tests.blob_world import ACCOUNT, KEY, OTHER_KEY, VERSION, Answer
from tests.twins import ManualClock, SeededEntropy

DAY = 24 * 3600


class WatchedAlarm:
    """An alarm that goes off when a test says that time has come."""

    def __init__(self) -> None:
        self.at: Instant | None = None
        self.sets = 0

    def set(self, at: Instant | None) -> None:
        self.at = at
        self.sets += 1


@dataclass
class Got:
    """A message as a client has it; what a reply does not say is empty."""

    id: str
    inserted: str
    expires: str
    receipt: str
    visible: str
    count: str
    text: str | None


class QueueWorld:
    """One Queue service on one store."""

    def __init__(self, level: AuthLevel = "off", store: Store | None = None) -> None:
        self.level: AuthLevel = level
        self.store: Store = MemoryStore() if store is None else store
        self.clock = ManualClock()
        self.entropy = SeededEntropy()
        self.requests = 0
        self.start()

    def start(self) -> None:
        """Start the service anew on what the store holds, as after a restart."""
        root = Subspace(b"")
        self.alarm = WatchedAlarm()
        self.transactions = TickTransactions(self.store, self.clock, lambda _commit: None)
        context = ServiceContext(
            self.transactions,
            self.clock,
            self.entropy,
            self.alarm,
            root.subspace("queue"),
            Extents(root.subspace("extents")),
        )
        accounts = {ACCOUNT: (base64.b64decode(KEY),), "other": (base64.b64decode(OTHER_KEY), b"second")}
        self.service = QueueService(context, QueueSettings(accounts, self.level))
        self.service.start()

    def describe(
        self,
        method: str,
        path: str,
        query: str = "",
        headers: dict[str, str] | None = None,
        *,
        account: str = ACCOUNT,
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
            host="127.0.0.1:10001",
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
            _, address = resolve("queue", request)
            sink = self.service.accept(request, address)
            for piece in pieces:
                sink.write(piece)
                self.transactions.commit()
            return self.settle(request, sink.finish())
        except (ServiceError, StorageError) as error:
            if sink is not None:
                sink.abandon()
            return self.settle(request, self.service.refuse(request, error))

    def settle(self, request: HttpRequest, reply: HttpReply) -> Answer:
        """Commit, as the end of a tick does, then give the reply to the client, or what is left of it."""
        outcome: list[StorageError | None] = []
        self.transactions.after_commit(lambda: outcome.append(None), outcome.append)
        self.transactions.commit()
        if outcome[0] is not None:
            reply = self.service.refuse(request, outcome[0])
        assert isinstance(reply.body, bytes), "no reply of the Queue service is streamed"
        return Answer(reply.status, dict(reply.headers), reply.body)

    def ring(self) -> bool:
        """Let the alarm go off if its instant has come; False when it has not."""
        if self.alarm.at is None or self.alarm.at > self.clock.now():
            return False
        self.alarm.at = None
        self.service.expire()
        self.transactions.commit()
        return True

    def advance(self, seconds: float) -> None:
        """Let time go by, and everything happen that it brings."""
        self.clock.advance(seconds)
        while self.ring():
            pass

    def sweep(self) -> None:
        """Free everything that can be freed."""
        more = True
        while more:
            with self.transactions.writer() as writer:
                more = self.service.sweep(writer, 64)
            self.transactions.commit()

    def stored_keys(self) -> list[bytes]:
        """Every key in the store."""
        with self.store.read() as reader:
            return [key for key, _ in reader.scan(b"", b"\xff")]

    # What most tests begin with.

    def queue(self, name: str = "jobs", **headers: str) -> str:
        answer = self.ask("PUT", name, headers={name.replace("_", "-"): value for name, value in headers.items()})
        assert answer.status == 201, answer
        return name

    def put(self, text: str = "hello", query: str = "", queue: str = "jobs") -> Got:
        answer = self.try_put(text, query, queue)
        assert answer.status == 201, answer
        return messages_in(answer)[0]

    def try_put(self, text: str = "hello", query: str = "", queue: str = "jobs") -> Answer:
        return self.ask("POST", f"{queue}/messages", query, body=message_body(text))

    def get(self, query: str = "", queue: str = "jobs") -> list[Got]:
        answer = self.ask("GET", f"{queue}/messages", query)
        assert answer.status == 200, answer
        return messages_in(answer)

    def peek(self, query: str = "", queue: str = "jobs") -> list[Got]:
        answer = self.ask("GET", f"{queue}/messages", f"peekonly=true&{query}")
        assert answer.status == 200, answer
        return messages_in(answer)

    def texts(self, queue: str = "jobs") -> list[str | None]:
        """The texts of what is visible, in order."""
        return [message.text for message in self.peek("numofmessages=32", queue)]

    def update(
        self,
        message: Got,
        visibility_timeout: int = 0,
        text: str | None = None,
        receipt: str | None = None,
        queue: str = "jobs",
    ) -> Answer:
        given = quote(message.receipt if receipt is None else receipt, safe="")
        body = b"" if text is None else message_body(text)
        query = f"popreceipt={given}&visibilitytimeout={visibility_timeout}"
        return self.ask("PUT", f"{queue}/messages/{message.id}", query, body=body)

    def delete(self, message: Got, receipt: str | None = None, queue: str = "jobs") -> Answer:
        given = quote(message.receipt if receipt is None else receipt, safe="")
        return self.ask("DELETE", f"{queue}/messages/{message.id}", f"popreceipt={given}")

    def count(self, queue: str = "jobs") -> int:
        """The approximate count, which is exact but for what has expired and not been removed."""
        answer = self.ask("GET", queue, "comp=metadata")
        assert answer.status == 200, answer
        return int(answer.headers["x-ms-approximate-messages-count"])


def message_body(text: str) -> bytes:
    """The body of Put Message, as clients write it."""
    return f"<QueueMessage><MessageText>{escape(text)}</MessageText></QueueMessage>".encode()


def messages_in(answer: Answer) -> list[Got]:
    """The messages of a reply."""
    assert answer.xml.tag == "QueueMessagesList"
    found = []
    for element in answer.xml:
        said = {part.tag: part.text or "" for part in element}
        found.append(
            Got(
                id=said["MessageId"],
                inserted=said["InsertionTime"],
                expires=said["ExpirationTime"],
                receipt=said.get("PopReceipt", ""),
                visible=said.get("TimeNextVisible", ""),
                count=said.get("DequeueCount", ""),
                text=said.get("MessageText"),
            )
        )
    return found
