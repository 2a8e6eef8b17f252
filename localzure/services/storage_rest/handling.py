"""How handlers are made: from a parser, a decision of the engine and a renderer to the sink of a request.

A handler takes a call whose head has arrived and returns the sink for its body. Each ends the same way: one
transaction, one decision of the engine, one reply.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from localzure.services.storage_rest.sinks import Bodiless, Collecting

if TYPE_CHECKING:
    from collections.abc import Callable

    from localzure.services.interface import BodySink, HttpReply, HttpRequest, Transactions
    from localzure_storage.store import Reader, Writer


class Parts(Protocol):
    """What the requests of a service are answered with."""

    @property
    def transactions(self) -> Transactions:
        """Where its content is."""
        ...

    @property
    def engine(self) -> Any:
        """What decides, as the service's own decisions know it."""
        ...

    def reading(self) -> Any:
        """The instant of a request that only reads."""
        ...

    def writing(self) -> Any:
        """The instant of a request that writes."""
        ...


class Call(Protocol):
    """One request of a service."""

    @property
    def request(self) -> HttpRequest:
        """As it was sent."""
        ...

    @property
    def parts(self) -> Parts:
        """What it is answered with."""
        ...


Asked = TypeVar("Asked", bound=Call)
Engine = TypeVar("Engine")
Moment = TypeVar("Moment")
Command = TypeVar("Command")
Reply = TypeVar("Reply")


def reading(
    parse: Callable[[Asked], Command],
    decide: Callable[[Engine, Reader, Command, Moment], Reply],
    render: Callable[[Asked, Reply], HttpReply],
) -> Callable[[Asked], BodySink]:
    """Make the handler of an operation that only reads."""

    def handle(call: Asked) -> BodySink:
        command = parse(call)

        def finish() -> HttpReply:
            parts = call.parts
            with parts.transactions.reader() as reader:
                reply = decide(parts.engine, reader, command, parts.reading())
            return render(call, reply)

        return Bodiless(finish)

    return handle


def writing(
    parse: Callable[[Asked], Command],
    decide: Callable[[Engine, Writer, Command, Moment], Reply],
    render: Callable[[Asked, Reply], HttpReply],
) -> Callable[[Asked], BodySink]:
    """Make the handler of an operation that writes, and has no body."""

    def handle(call: Asked) -> BodySink:
        command = parse(call)
        return Bodiless(lambda: write(call, command, decide, render))

    return handle


def writing_body(
    parse: Callable[[Asked, bytes], Command],
    decide: Callable[[Engine, Writer, Command, Moment], Reply],
    render: Callable[[Asked, Reply], HttpReply],
    *,
    bytes_max: int,
    told_max: int | None = None,
) -> Callable[[Asked], BodySink]:
    """Make the handler of an operation that writes what its body says; clients are told of `told_max`, if given."""

    def handle(call: Asked) -> BodySink:
        def finish(body: bytes) -> HttpReply:
            return write(call, parse(call, body), decide, render)

        return Collecting(call.request, bytes_max, finish, told_limit=told_max)

    return handle


def write(
    call: Asked,
    command: Command,
    decide: Callable[[Engine, Writer, Command, Moment], Reply],
    render: Callable[[Asked, Reply], HttpReply],
) -> HttpReply:
    """Have a decision written and its reply rendered. Raises what either raises."""
    parts = call.parts
    with parts.transactions.writer() as writer:
        reply = decide(parts.engine, writer, command, parts.writing())
    return render(call, reply)
