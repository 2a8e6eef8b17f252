"""HTTP exchanges on a connection: a real store and driver, a service of the test's own, no socket."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from localzure.config.settings import Listener
from localzure.observing.metrics import Metrics
from localzure.observing.observer import Observer
from localzure.server.driver import Driver
from localzure.server.exchange import BODY_TURN_BYTES
from localzure.server.http import (
    IDLE_SECONDS_MAX,
    STALLED_SECONDS_MAX,
    HttpContext,
    HttpDriver,
    decoded_headers,
)
from localzure.server.own_api.routes import NoServiceError
from localzure.server.transactions import TickTransactions
from localzure.services.interface import Address, BodySink, HttpReply, HttpRequest, LaterReply, ServiceError
from localzure_protocols.http1 import Http1Connection
from localzure_storage.memory import MemoryStore
from localzure_storage.store import StorageError
from tests.failing_store import FailingStore
from tests.twins import ManualClock, SeededEntropy


class KeyService:
    """PUT stores the body under the path, GET answers it; a path says what else is to happen."""

    def __init__(self, transactions: TickTransactions) -> None:
        self.transactions = transactions
        self.abandoned = 0
        self.closed = 0
        self.waiting: list[LaterReply] = []
        self.given_up = 0

    def accept(self, request: HttpRequest, address: Address) -> BodySink:
        del address
        if request.raw_path.startswith("/forbidden"):
            raise NoServiceError("forbidden")
        if request.raw_path.startswith("/broken"):
            raise RuntimeError("a bug")
        return _Sink(self, request)

    def refuse(self, request: HttpRequest, error: ServiceError | StorageError | None) -> HttpReply:
        del request
        status = 500 if error is None else 503 if isinstance(error, StorageError) else 403
        return HttpReply(status, [("content-type", "text/plain")], type(error).__name__.encode())


class _Sink:
    def __init__(self, service: KeyService, request: HttpRequest) -> None:
        self._service = service
        self._request = request
        self._body = b""

    def write(self, data: bytes) -> None:
        if data.startswith(b"refuse"):
            raise NoServiceError("refused")
        self._body += data

    def finish(self) -> HttpReply:
        if self._request.raw_path.startswith("/wait"):
            return self._wait()
        return self._reply()

    def _wait(self) -> LaterReply:
        def give_up() -> None:
            self._service.given_up += 1

        later = LaterReply(give_up, lambda: later.answer(lambda: HttpReply(204)))
        self._service.waiting.append(later)
        return later

    def _reply(self) -> HttpReply:
        path = self._request.raw_path.encode()
        if self._request.method == "PUT":
            with self._service.transactions.writer() as writer:
                writer.put(path, self._body)
            metadata = [(name, self._request.headers[key]) for key, name in self._request.metadata_names.items()]
            return HttpReply(201, [("x-host", self._request.host), ("x-query", self._request.raw_query), *metadata])
        with self._service.transactions.reader() as reader:
            value = reader.get(path) or b""
        if self._request.raw_path.startswith("/stream"):
            return HttpReply(200, body=_Source(self._service, value))
        return HttpReply(200, body=value)

    def abandon(self) -> None:
        self._service.abandoned += 1


class _Source:
    """A body given in pieces; `/stream-short` promises more than it has."""

    def __init__(self, service: KeyService, value: bytes) -> None:
        self._service = service
        self._value = value
        self.length = len(value) + (10 if value.startswith(b"short") else 0)

    def read(self, limit: int) -> bytes:
        piece, self._value = self._value[:limit], self._value[limit:]
        return piece

    def close(self) -> None:
        self._service.closed += 1


class _Router:
    def __init__(self, service: KeyService) -> None:
        self._service = service

    def route(self, request: HttpRequest, listener: Listener) -> tuple[KeyService, Address]:
        del request, listener
        return self._service, Address("", secondary=False, path="", base_url="")

    def refuse(
        self, service: KeyService | None, request: HttpRequest, error: ServiceError | StorageError | None
    ) -> HttpReply:
        return (service or self._service).refuse(request, error)


class Channel:
    """The lower side of the driver: keeps what is sent, and plays a client that stops taking it."""

    def __init__(self) -> None:
        self.listener = Listener("blob", "blob", 0, "--blob-port")
        self.peer = "192.0.2.1"
        self.local_address: str | None = None
        self.is_secure = False
        self.is_writable = True
        self.writable_bytes = 1 << 40
        self.reading = True
        self.rearmed = False
        self.sent = b""
        self.driver: HttpDriver

    def flush_soon(self) -> None:
        pass

    def flush_now(self) -> None:
        self.take()

    def take(self) -> bytes:
        """Take what the driver has to say; returns everything sent so far."""
        output = b"".join(self.driver.take_output())
        self.sent += output
        self.writable_bytes -= len(output)
        self.is_writable = self.writable_bytes > 0
        return self.sent

    def rearm(self) -> None:
        self.rearmed = True

    def switch(self, driver: Driver, unread: bytes) -> None:
        raise AssertionError("these tests stay with HTTP")

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


class Wire:
    """One connection, its loop and its store."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = FailingStore(MemoryStore())
        self.soon: list[Callable[[], None]] = []
        self.transactions = TickTransactions(self.store, self.clock, self.soon.append)
        self.service = KeyService(self.transactions)
        self.channel = Channel()
        self.metrics = Metrics()
        context = HttpContext(
            _Router(self.service),  # type: ignore[arg-type]  # routes everything to the one service
            self.transactions,
            self.clock,
            SeededEntropy(1),
            self.soon.append,
            Observer(self.metrics, self.clock),
        )
        self.driver = self.channel.driver = HttpDriver(self.channel, Http1Connection(), context)

    def send(self, data: bytes) -> bytes:
        """Send bytes, let the loop turn until it has nothing to do, and return everything that came back."""
        self.driver.receive(data)
        return self.turn()

    def turn(self) -> bytes:
        while self.soon:
            callbacks, self.soon[:] = list(self.soon), []
            for callback in callbacks:
                callback()
        return self.channel.take()


@pytest.fixture
def wire() -> Wire:
    return Wire()


def put(path: str, body: bytes) -> bytes:
    return b"PUT %s HTTP/1.1\r\nHost: h:1\r\nContent-Length: %d\r\n\r\n%s" % (path.encode(), len(body), body)


def get(path: str, method: str = "GET") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: h:1\r\n\r\n".encode()


def test_a_reply_waits_for_the_commit_and_has_what_every_reply_has(wire: Wire) -> None:
    wire.driver.receive(put("/a?b=c", b"hello"))
    assert wire.channel.take() == b""
    reply = wire.turn()
    assert reply.startswith(b"HTTP/1.1 201 ")
    for header in (b"x-host: h:1\r\n", b"x-query: b=c\r\n", b"content-length: 0\r\n", b"x-ms-request-id: "):
        assert header in reply
    assert b"date: Thu, 01 Jan 2026 00:00:00 GMT\r\n" in reply
    assert wire.send(get("/a")).endswith(b"\r\n\r\nhello")


def test_a_request_whose_commit_fails_is_told_so_and_the_next_one_is_served(wire: Wire) -> None:
    wire.store.failing = True
    assert wire.send(put("/a", b"lost")).startswith(b"HTTP/1.1 503 ")
    wire.store.failing = False
    wire.channel.sent = b""
    assert wire.send(put("/b", b"kept")).startswith(b"HTTP/1.1 201 ")
    assert wire.send(get("/a")).endswith(b"\r\n\r\n")


def test_many_pipelined_requests_are_answered_in_order(wire: Wire) -> None:
    count = 3000
    wire.send(b"".join(put(f"/{number}", b"%d;" % number) for number in range(count)))
    wire.channel.sent = b""
    replies = wire.send(b"".join(get(f"/{number}") for number in range(count)))
    assert replies.count(b"HTTP/1.1 200 ") == count
    bodies = [reply.rpartition(b"\r\n\r\n")[2] for reply in replies.split(b";")]
    assert bodies[:count] == [b"%d" % number for number in range(count)]
    assert wire.channel.reading


def test_a_refused_head_is_answered_at_once_and_its_body_is_dropped(wire: Wire) -> None:
    request = put("/forbidden", b"x" * 100_000)
    reply = wire.send(request[:5000])
    assert reply.startswith(b"HTTP/1.1 403 ")
    assert wire.driver.is_busy
    assert wire.send(request[5000:] + get("/a")).count(b"HTTP/1.1 ") == 2
    assert not wire.driver.is_busy


def test_a_refused_body_is_answered_at_once(wire: Wire) -> None:
    assert wire.send(put("/a", b"refuse this")).startswith(b"HTTP/1.1 403 ")
    assert wire.service.abandoned == 1
    assert wire.send(get("/a")).count(b"HTTP/1.1 200 ") == 1


def test_the_unforeseen_is_a_500_whose_request_id_is_in_the_log(wire: Wire, caplog: pytest.LogCaptureFixture) -> None:
    assert wire.send(get("/broken")).startswith(b"HTTP/1.1 500 ")
    assert "GET /broken failed" in caplog.text
    assert wire.send(get("/a")).count(b"HTTP/1.1 200 ") == 1


def test_a_body_that_is_cut_off_changes_nothing(wire: Wire) -> None:
    wire.send(put("/a", b"old"))
    wire.driver.receive(put("/a", b"new and longer")[:-1])
    wire.driver.receive_eof()
    assert wire.service.abandoned == 1
    assert wire.driver.is_finished
    with wire.transactions.reader() as reader:
        assert reader.get(b"/a") == b"old"


def test_a_streamed_reply_goes_only_as_fast_as_the_client_takes_it(wire: Wire) -> None:
    body = bytes(range(256)) * 20_000
    wire.send(put("/stream", body))
    wire.channel.sent = b""
    wire.channel.writable_bytes = 300_000
    wire.send(get("/stream"))
    taken = len(wire.channel.sent)
    assert taken < 1_000_000
    wire.send(get("/a"))
    assert not wire.channel.reading
    wire.channel.writable_bytes, wire.channel.is_writable = 1 << 40, True
    wire.driver.writable()
    assert len(wire.channel.sent) <= taken + BODY_TURN_BYTES + 300_000
    assert body in wire.turn()
    assert wire.channel.sent.count(b"HTTP/1.1 200 ") == 2
    assert wire.service.closed == 1
    assert wire.channel.reading


def test_a_client_that_goes_away_lets_go_of_the_body(wire: Wire) -> None:
    wire.send(put("/stream", bytes(1_000_000)))
    wire.channel.writable_bytes = 1000
    wire.send(get("/stream"))
    wire.driver.lost()
    assert wire.service.closed == 1


def test_a_body_that_is_shorter_than_promised_ends_the_connection(wire: Wire, caplog: pytest.LogCaptureFixture) -> None:
    wire.send(put("/stream", b"short"))
    wire.send(get("/stream"))
    assert wire.driver.is_finished
    assert wire.service.closed == 1


def test_head_has_the_length_and_no_body(wire: Wire) -> None:
    wire.send(put("/a", b"hello"))
    wire.channel.sent = b""
    reply = wire.send(get("/a", "HEAD"))
    assert b"content-length: 5\r\n" in reply
    assert reply.endswith(b"\r\n\r\n")
    assert wire.send(get("/stream", "HEAD")).count(b"HTTP/1.1 200 ") == 2


def test_what_is_no_http_is_answered_in_plain_words(wire: Wire) -> None:
    reply = wire.send(b"GET / HTTP/1.1\r\n\r\n")
    assert reply.startswith(b"HTTP/1.1 400 ")
    assert b"connection: close" in reply
    assert wire.driver.is_finished


def test_absolute_form_and_repeated_headers(wire: Wire) -> None:
    reply = wire.send(b"PUT http://other:2/p?q HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nX-A: 1\r\nX-A: 2\r\n\r\n")
    assert b"x-host: other:2\r\n" in reply
    assert b"x-query: q\r\n" in reply


def test_silence_between_requests_ends_the_connection(wire: Wire) -> None:
    start = wire.clock.monotonic()
    assert wire.driver.tick(start, start) == start + IDLE_SECONDS_MAX
    wire.send(get("/a"))
    assert wire.driver.tick(start + 10, start) == start + 10 + IDLE_SECONDS_MAX
    wire.driver.tick(start + 9 + IDLE_SECONDS_MAX, start)
    assert not wire.driver.is_finished
    wire.driver.tick(start + 10 + IDLE_SECONDS_MAX, start)
    assert wire.driver.is_finished


@pytest.mark.parametrize("begun", [put("/a", b"12345")[:-1], put("/a", b"12345")[:20]])
def test_a_request_that_stalls_ends_the_connection(wire: Wire, begun: bytes) -> None:
    start = wire.clock.monotonic()
    wire.driver.tick(start, start)
    wire.send(begun)
    assert wire.channel.rearmed
    later = start + IDLE_SECONDS_MAX - 1
    assert wire.driver.tick(later, later) == later + STALLED_SECONDS_MAX
    assert not wire.driver.is_finished
    wire.driver.tick(later + STALLED_SECONDS_MAX, later + STALLED_SECONDS_MAX)
    assert wire.driver.is_finished


def test_a_head_that_dribbles_in_is_no_progress(wire: Wire) -> None:
    start = wire.clock.monotonic()
    request = put("/" + "a" * 100, b"12345")
    for second in range(int(STALLED_SECONDS_MAX)):
        wire.driver.receive(request[second : second + 1])
        wire.driver.tick(start + second, start + second)
        assert not wire.driver.is_finished
    wire.driver.tick(start + STALLED_SECONDS_MAX, start + STALLED_SECONDS_MAX)
    assert wire.driver.is_finished


def test_a_stopping_server_finishes_the_exchange_and_closes(wire: Wire) -> None:
    request = put("/a", b"hello")
    wire.driver.receive(request[:-1])
    wire.driver.shutdown()
    assert not wire.driver.is_finished
    reply = wire.send(request[-1:] + get("/a"))
    assert reply.startswith(b"HTTP/1.1 201 ")
    assert b"connection: close" in reply
    assert reply.count(b"HTTP/1.1") == 1
    assert wire.driver.is_finished


def test_metadata_names_keep_their_case_and_other_names_do_not(wire: Wire) -> None:
    reply = wire.send(b"PUT /p HTTP/1.1\r\nHOST: h\r\nContent-Length: 0\r\nX-Ms-Meta-MyName: v\r\n\r\n")
    assert b"x-host: h\r\n" in reply
    assert b"X-Ms-Meta-MyName: v\r\n" in reply


# --- replies that wait --------------------------------------------------------------------------------------------


def test_a_reply_may_come_in_a_later_tick(wire: Wire) -> None:
    assert wire.send(get("/wait") + get("/next")) == b""
    assert wire.driver.is_busy
    [later] = wire.service.waiting

    def write() -> HttpReply:
        with wire.transactions.writer() as writer:
            writer.put(b"/next", b"written by it")
        return HttpReply(200, body=b"late")

    later.answer(write)
    assert wire.channel.take() == b""
    sent = wire.turn()
    assert sent.count(b"HTTP/1.1 200") == 2
    assert sent.index(b"late") < sent.index(b"written by it")


def test_whatever_goes_wrong_with_a_late_reply_is_told(wire: Wire, caplog: pytest.LogCaptureFixture) -> None:
    def fail(error: Exception) -> Callable[[], HttpReply]:
        def make() -> HttpReply:
            raise error

        return make

    for error, status in ((NoServiceError("no"), b"403"), (RuntimeError("a bug"), b"500")):
        wire.send(get("/wait"))
        wire.service.waiting.pop().answer(fail(error))
        assert wire.turn().rpartition(b"HTTP/1.1 ")[2].startswith(status)
    assert "GET /wait failed" in caplog.text
    wire.send(get("/wait"))

    def write() -> HttpReply:
        with wire.transactions.writer() as writer:
            writer.put(b"a", b"b")
        return HttpReply(200)

    wire.store.failing = True
    wire.service.waiting.pop().answer(write)
    assert wire.turn().rpartition(b"HTTP/1.1 ")[2].startswith(b"503")


@pytest.mark.parametrize("ending", ["receive_eof", "lost"])
def test_a_client_that_goes_away_gives_up_what_it_waits_for(wire: Wire, ending: str) -> None:
    wire.send(get("/wait"))
    getattr(wire.driver, ending)()
    assert wire.service.given_up == 1
    assert wire.driver.is_finished
    assert not wire.driver.is_busy
    assert wire.turn() == b""


def test_a_client_waits_longer_than_an_idle_one_may(wire: Wire) -> None:
    wire.send(get("/wait"))
    for _ in range(3):
        wire.clock.advance(IDLE_SECONDS_MAX)
        wire.driver.tick(wire.clock.monotonic(), 0.0)
    assert wire.service.given_up == 0
    wire.service.waiting.pop().answer(lambda: HttpReply(200))
    assert wire.turn().startswith(b"HTTP/1.1 200")


def test_a_stopping_server_has_late_replies_come_now(wire: Wire) -> None:
    wire.send(get("/wait"))
    wire.driver.shutdown()
    assert wire.turn().startswith(b"HTTP/1.1 204")
    assert wire.driver.is_finished


@pytest.mark.parametrize(
    ("fields", "headers"),
    [
        ([], {}),
        ([(b"host", b"")], {"host": ""}),
        ([(b"a", b"1"), (b"b", b"\xe9"), (b"c", b"3")], {"a": "1", "b": "\xe9", "c": "3"}),
        ([(b"a", b"1"), (b"b", b"2"), (b"a", b"3")], {"a": "1,3", "b": "2"}),
        ([(b"a", b"1\n2"), (b"b", b"3")], {"a": "1\n2", "b": "3"}),
        ([(b"a", b"1\nb\n2")], {"a": "1\nb\n2"}),
    ],
)
def test_headers_are_decoded_and_joined_by_name(fields: list[tuple[bytes, bytes]], headers: dict[str, str]) -> None:
    assert decoded_headers(fields) == headers
