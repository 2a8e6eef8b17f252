"""A Queue service without a server: plays the server's part around the real service and store."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import quote
from xml.sax.saxutils import escape

from localzure.services.interface import Instant, ServiceContext
from localzure.services.queue import QueueService, QueueSettings
from tests.storage_world import Answer, StorageWorld

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


class QueueWorld(StorageWorld[QueueService, WatchedAlarm]):
    """One Queue service on one store."""

    NAME = "queue"
    HOST = "127.0.0.1:10001"
    HEADERS = MappingProxyType({"x-ms-version": "2026-10-06"})

    def build(self, context: ServiceContext, accounts: dict[str, tuple[bytes, ...]]) -> QueueService:
        service = QueueService(context, QueueSettings(accounts, self.level))
        service.start()
        return service

    def make_alarm(self) -> WatchedAlarm:
        return WatchedAlarm()

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
