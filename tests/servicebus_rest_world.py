"""A Service Bus namespace that is used over HTTP without a server: requests in, replies out, also those that wait."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from localzure.gateway.address import resolve
from localzure.services.interface import HttpReply, HttpRequest, LaterReply, ServiceError
from localzure_storage.store import StorageError
from tests.servicebus_admin_world import AdminWorld

HOST = "localhost:5300"


class Asked:
    """A request, its reply once it is there, and the client's end of it."""

    def __init__(self, world: RestWorld, request: HttpRequest) -> None:
        self.world = world
        self.request = request
        self.replies: list[HttpReply] = []
        self.later: LaterReply | None = None

    @property
    def is_waiting(self) -> bool:
        return not self.replies

    @property
    def reply(self) -> HttpReply:
        (reply,) = self.replies
        return reply

    @property
    def status(self) -> int:
        return self.reply.status

    @property
    def body(self) -> bytes:
        assert isinstance(self.reply.body, bytes)
        return self.reply.body

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def headers(self) -> dict[str, str]:
        return dict(self.reply.headers)

    @property
    def broker(self) -> dict[str, Any]:
        """The broker properties of a message."""
        found = json.loads(self.headers["BrokerProperties"])
        assert isinstance(found, dict)
        return found

    def lose(self) -> None:
        """The client goes away."""
        assert self.later is not None
        self.later.lost()

    def take(self, make: Callable[[], HttpReply]) -> None:
        """Do what the server does with what makes a reply."""
        service, transactions = self.world.service.admin, self.world.world.transactions
        try:
            reply = make()
        except (ServiceError, StorageError) as error:
            reply = service.refuse(self.request, error)
        if isinstance(reply, LaterReply):
            self.later = reply
            reply.then(self.take)
            return
        transactions.after_commit(
            lambda: self.replies.append(reply), lambda error: self.replies.append(service.refuse(self.request, error))
        )


class RestWorld(AdminWorld):
    """One namespace, and a client of its messages over HTTP."""

    def ask(
        self,
        method: str,
        path: str,
        body: str | bytes = b"",
        headers: Mapping[str, str] | None = None,
        *,
        host: str = HOST,
        listener: str | None = "servicebus",
        commit: bool = True,
    ) -> Asked:
        """Send a request."""
        raw_path, _, query = path.partition("?")
        given = {"host": host, **(headers or {})}
        request = HttpRequest(
            method,
            raw_path,
            query,
            {name.lower(): value for name, value in given.items()},
            "http",
            host,
            "127.0.0.1",
            "request-1",
            sent_names=tuple(name.encode() for name in given),
        )
        service, address = resolve(listener, request)
        assert service == "servicebus"
        asked = Asked(self, request)

        def make() -> HttpReply:
            sink = self.service.admin.accept(request, address)
            sink.write(body.encode() if isinstance(body, str) else body)
            return sink.finish()

        asked.take(make)
        if commit:
            self.world.commit()
        return asked

    def send(self, body: str | bytes = b"hello", queue: str = "kept", **broker: Any) -> None:
        assert self.ask("POST", f"/{queue}/messages", body, {"BrokerProperties": json.dumps(broker)}).status == 201

    def peek_lock(self, queue: str = "kept", timeout: int = 0) -> Asked:
        return self.ask("POST", f"/{queue}/messages/head?timeout={timeout}")

    def take(self, queue: str = "kept", timeout: int = 0) -> Asked:
        return self.ask("DELETE", f"/{queue}/messages/head?timeout={timeout}")

    def expire(self) -> None:
        """Ring the alarm as the server does."""
        alarm = self.world.alarm
        while alarm.at is not None and alarm.at <= self.world.clock.now():
            alarm.at = None
            self.service.expire()
            self.world.commit()

    def advance(self, seconds: float) -> None:
        self.world.clock.advance(seconds)
        self.expire()
