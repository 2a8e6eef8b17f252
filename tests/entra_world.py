"""A mock Entra ID without a server: plays the server's part around the real service and store."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode

from localzure.auth.tokens import Claims, TokenVerifier
from localzure.server.transactions import TickTransactions
from localzure.services.entra import EntraService, EntraSettings
from localzure.services.interface import (
    Address,
    HttpReply,
    HttpRequest,
    Instant,
    LaterReply,
    Result,
    ServiceContext,
    ServiceError,
)
from localzure_storage.extents import Extents
from localzure_storage.keys import Subspace
from localzure_storage.memory import MemoryStore
from localzure_storage.store import Store
from tests.twins import ManualClock, SeededEntropy

TENANT = "11111111-2222-3333-4444-555555555555"
CLIENT = "99999999-8888-7777-6666-555555555555"


class NoAlarm:
    """The authority has no deadlines."""

    def set(self, at: Instant | None) -> None:
        raise AssertionError("the authority sets no alarm")


class Waiting(NamedTuple):
    """A request that waits, and its reply once it has come."""

    later: LaterReply
    replies: list[HttpReply]


class EntraWorld:
    """One authority on one store."""

    def __init__(self, settings: EntraSettings | None = None, store: Store | None = None) -> None:
        self.settings = settings or EntraSettings()
        self.store: Store = MemoryStore() if store is None else store
        self.clock = ManualClock()
        self.waiting: list[Callable[[Callable[[Any], Any]], None]] | None = None
        """What is to be done beside the loop, where that is not done at once."""
        self.start()

    def start(self) -> None:
        """Start the service anew on what the store holds, as after a restart."""
        root = Subspace(b"")
        self.transactions = TickTransactions(self.store, self.clock, lambda _commit: None)
        context = ServiceContext(
            self.transactions,
            self.clock,
            SeededEntropy(),
            NoAlarm(),
            root.subspace("entra"),
            Extents(root.subspace("x")),
        )
        self.service = EntraService(context, self.settings, self.aside)
        self.verifier = TokenVerifier(self.service.ring)

    def work(self, change: Callable[[Any], Any] = lambda made: made) -> None:
        """Do what is to be done beside the loop; `change` plays with what comes of it."""
        assert self.waiting is not None
        jobs, self.waiting = self.waiting, []
        for job in jobs:
            job(change)
        self.transactions.commit()

    def aside(self, work: Callable[[], Result], done: Callable[[Result | None], None]) -> None:
        """Work is done at once, or when `work_later` says (see `Aside`)."""
        if self.waiting is None:
            done(work())
        else:
            self.waiting.append(lambda change: done(change(work())))

    def send(
        self, method: str, path: str, form: Mapping[str, str] | None = None, query: str = "", origin: str = "https://h"
    ) -> HttpReply:
        """Send a request as the server does, and commit the tick."""
        request, address = _request(method, path, query, origin)
        try:
            sink = self.service.accept(request, address)
            sink.write(urlencode(form or {}).encode())
            reply = sink.finish()
            assert not isinstance(reply, LaterReply), "nothing has to wait here"
        except ServiceError as error:
            reply = self.service.refuse(request, error)
        self.transactions.commit()
        return reply

    def wait(self, method: str, path: str, form: Mapping[str, str] | None = None) -> Waiting:
        """Send a request whose reply must wait."""
        request, address = _request(method, path, "", "https://h")
        sink = self.service.accept(request, address)
        sink.write(urlencode(form or {}).encode())
        later = sink.finish()
        assert isinstance(later, LaterReply)
        waiting = Waiting(later, [])

        def deliver(make: Callable[[], HttpReply]) -> None:
            try:
                waiting.replies.append(make())
            except ServiceError as error:
                waiting.replies.append(self.service.refuse(request, error))

        later.then(deliver)
        return waiting

    def ask(self, method: str, path: str, form: Mapping[str, str] | None = None, query: str = "") -> Any:
        """Send a request that must succeed; returns its JSON."""
        reply = self.send(method, path, form, query)
        assert isinstance(reply.body, bytes)
        assert reply.status in {200, 201}, reply.body
        return json.loads(reply.body)

    def refusal(
        self, form: Mapping[str, str], path: str = f"/{TENANT}/oauth2/v2.0/token", method: str = "POST"
    ) -> tuple[int, str, int]:
        """Send a request that must be refused; returns (status, error, AADSTS code)."""
        reply = self.send(method, path, form)
        assert isinstance(reply.body, bytes)
        body = json.loads(reply.body)
        assert set(body) >= {"error", "error_description", "error_codes", "timestamp", "trace_id", "correlation_id"}
        return reply.status, body["error"], body["error_codes"][0]

    def token(self, tenant: str = TENANT, **more: str) -> str:
        """An access token by a client's secret."""
        form = {
            "grant_type": "client_credentials",
            "client_id": CLIENT,
            "client_secret": "any",
            "scope": "https://storage.azure.com/.default",
            **more,
        }
        return str(self.ask("POST", f"/{tenant}/oauth2/v2.0/token", form)["access_token"])

    def verify(self, token: str) -> Claims:
        return self.verifier.verify(token, self.clock.wall())


def _request(method: str, path: str, query: str, origin: str) -> tuple[HttpRequest, Address]:
    scheme, _, host = origin.partition("://")
    request = HttpRequest(method, path, query, {}, scheme, host, "127.0.0.1", "id")
    return request, Address("", secondary=False, path=path.removeprefix("/"), base_url=origin)
