"""Faults on HTTP: a service that answers wrongly, late or not at all, in front of the one that would answer well.

The router puts a `FaultyService` before the service of a request that a rule strikes, so that requests without faults
go their usual way. A single request can ask for its own fault: `x-localzure-fault: status=503; retry_after=2`.
"""

from __future__ import annotations

from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec

from localzure.faults.injector import Fault, Situation
from localzure.faults.rules import FaultRule
from localzure.server.own_api.routes import InvalidCallError
from localzure.services.interface import SECOND, HttpReply, LaterReply, NoReply, StreamBrokenError
from localzure.services.servicebus.admin.errors import AdminError
from localzure.services.storage_rest.errors import COMMON_ERRORS, ErrorRow, StorageRestError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from localzure.faults.injector import Injector
    from localzure.services.interface import (
        Address,
        BodySink,
        BodySource,
        Clock,
        HttpRequest,
        HttpService,
        ServiceError,
    )
    from localzure_storage.store import StorageError

FAULT_HEADER = "x-localzure-fault"

_CODES = {429: "TooManyRequests", 500: "InternalError", 503: "ServerBusy", 504: "GatewayTimeout"}
"""Azure's codes for the statuses that clients try again."""


class HttpFaults:
    """Decides on each request, and stands in for the service where something goes wrong."""

    def __init__(
        self, injector: Injector, clock: Clock, call_later: Callable[[float, Callable[[], None]], object]
    ) -> None:
        """`call_later` is the loop's: it ends delays."""
        self.injector = injector
        self.clock = clock
        self.call_later = call_later

    def concern(self, request: HttpRequest) -> bool:
        """Whether a request needs a closer look: usually none does."""
        return bool(self.injector.http) or FAULT_HEADER in request.headers

    def before(self, name: str, service: HttpService, request: HttpRequest, address: Address) -> HttpService:
        """Return who answers: `service`, or what goes wrong. Raises InvalidCallError for a header that is wrong."""
        wanted = request.headers.get(FAULT_HEADER)
        if wanted is not None:
            rule = read_header(wanted)
            return FaultyService(self, name, service, Fault(rule, rule.statuses[0]))
        entity = f"{address.account}/{address.path}".strip("/")
        clients = (request.peer, request.headers.get("user-agent", ""))
        operation = service.operation_name(request, address)
        fault = self.injector.strike("http", Situation(name, operation, entity, clients, request.method))
        return service if fault is None else FaultyService(self, name, service, fault)


class FaultyService:
    """Answers one request wrongly (an `HttpService`)."""

    def __init__(self, faults: HttpFaults, name: str, service: HttpService, fault: Fault) -> None:
        self._faults = faults
        self._name = name
        self._service = service
        self._fault = fault

    def accept(self, request: HttpRequest, address: Address) -> BodySink:
        """See `HttpService.accept`."""
        if self._fault.effect == "status":
            raise self._error()
        if self._fault.effect == "reset":
            return _Unanswered()
        sink = self._service.accept(request, address)
        if self._fault.effect == "delay":
            return _Delayed(sink, self._delay)
        return _Truncated(sink, self._fault.rule.keep_bytes)

    def refuse(self, request: HttpRequest, error: ServiceError | StorageError | None) -> HttpReply:
        """See `HttpService.refuse`."""
        return self._service.refuse(request, error)

    def operation_name(self, request: HttpRequest, address: Address) -> str:
        """See `HttpService.operation_name`."""
        return self._service.operation_name(request, address)

    def _delay(self, done: Callable[[], None]) -> None:
        self._faults.call_later(self._fault.rule.delay, done)

    def _error(self) -> ServiceError:
        """What the service would raise for the status."""
        status, rule = self._fault.status, self._fault.rule
        headers = retry_headers(rule, self._faults.clock.wall() / SECOND)
        if self._name == "servicebus":
            return AdminError(status, f"{_phrase(status)}. The request was refused by a fault rule.", headers=headers)
        code = rule.code or _CODES.get(status) or _phrase(status).replace(" ", "")
        return InjectedError(code, status, headers)


class InjectedError(StorageRestError):
    """What a storage service answers because a rule says so."""

    def __init__(self, code: str, status: int, headers: tuple[tuple[str, str], ...]) -> None:
        self.rows: Mapping[str, ErrorRow] = {  # type: ignore[misc]  # the table of one error
            code: COMMON_ERRORS.get(code) or ErrorRow(status, f"{_phrase(status)}.")
        }
        super().__init__(code, status=status, headers=headers)


def retry_headers(rule: FaultRule, wall: float) -> tuple[tuple[str, str], ...]:
    """What tells a client when to try again, in the form that the rule asks for; `wall` is the time in seconds."""
    after = rule.retry_after
    if after is None:
        return ()
    if rule.retry_after_format == "milliseconds":
        return (("x-ms-retry-after-ms", str(round(after * 1000))),)
    if rule.retry_after_format == "http_date":
        return (("retry-after", formatdate(wall + after, usegmt=True)),)
    return (("retry-after", f"{after:g}"),)


def read_header(text: str) -> FaultRule:
    """Read `x-localzure-fault`: a rule's fields, `name=value`, separated by semicolons. Raises InvalidCallError."""
    fields: dict[str, str] = {"effect": "status"}
    for part in text.split(";"):
        name, _, value = part.partition("=")
        if name.strip():
            fields[name.strip()] = value.strip()
    try:
        rule = msgspec.convert(fields, FaultRule, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidCallError(f"{FAULT_HEADER}: {error}.") from error
    if rule.effect not in {"status", "delay", "reset", "truncate"}:
        raise InvalidCallError(f"{FAULT_HEADER}: {rule.effect} is no fault of HTTP.")
    return rule


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"Error {status}"


class _Unanswered:
    """Takes a request, and ends the connection instead of answering."""

    def write(self, data: bytes) -> None:
        del data

    def finish(self) -> HttpReply:
        return NoReply()

    def abandon(self) -> None:
        pass


class _Delayed:
    """Does the operation at once, and answers late."""

    def __init__(self, sink: BodySink, delay: Callable[[Callable[[], None]], None]) -> None:
        self._sink = sink
        self._delay = delay
        self.write, self.abandon = sink.write, sink.abandon

    def finish(self) -> HttpReply:
        reply, later = self._sink.finish(), LaterReply()
        self._delay(lambda: later.ready(reply))
        return later


class _Truncated:
    """Does the operation, and breaks off in the middle of the answer."""

    def __init__(self, sink: BodySink, keep_bytes: int | None) -> None:
        self._sink = sink
        self._keep_bytes = keep_bytes
        self.write, self.abandon = sink.write, sink.abandon

    def finish(self) -> HttpReply:
        reply = self._sink.finish()
        length = len(reply.body) if isinstance(reply.body, bytes) else reply.body.length
        if length == 0:
            return NoReply()
        keep = self._keep_bytes
        if length is not None:
            keep = length // 2 if keep is None else min(keep, length - 1)
        reply.body = _BrokenBody(reply.body, length, keep)
        return reply


class _BrokenBody:
    """A body that ends before its end (a `BodySource`)."""

    def __init__(self, body: bytes | BodySource, length: int | None, keep: int | None) -> None:
        self.length = length
        self._body = body
        self._at = 0
        self._keep = keep or 0

    def read(self, limit: int) -> bytes:
        if self._at >= self._keep:
            raise StreamBrokenError
        limit = min(limit, self._keep - self._at)
        body = self._body
        data = body[self._at : self._at + limit] if isinstance(body, bytes) else body.read(limit)
        self._at += len(data)
        return data

    def close(self) -> None:
        if not isinstance(self._body, bytes):
            self._body.close()
