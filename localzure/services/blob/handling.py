"""How handlers are made: from a parser, a decision of the engine and a renderer to the sink of a request.

Each handler ends the same way: one transaction, one decision of the engine, one reply.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from localzure.services.blob import checksums
from localzure.services.blob.errors import BlobError
from localzure.services.interface import HttpReply
from localzure.services.storage_rest.headers import reply_headers
from localzure.services.storage_rest.sinks import Bodiless, Collecting
from localzure.services.storage_rest.xml_reader import XmlError, parse_document

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from localzure.services.blob.call import Call
    from localzure.services.blob.engine.state import Engine, Moment
    from localzure.services.interface import BodySink
    from localzure.services.storage_rest.xml_reader import Element
    from localzure_storage.store import Reader, Writer

    Handler: TypeAlias = Callable[[Call], BodySink]

DOCUMENT_BYTES_MAX = 64 * 1024
"""Longest document that sets properties, policies or tags."""

Command = TypeVar("Command")
Reply = TypeVar("Reply")


def reading(
    parse: Callable[[Call], Command],
    decide: Callable[[Engine, Reader, Command, Moment], Reply],
    render: Callable[[Call, Reply], HttpReply],
) -> Handler:
    """Make the handler of an operation that only reads."""

    def handle(call: Call) -> BodySink:
        command = parse(call)

        def finish() -> HttpReply:
            parts = call.parts
            with parts.transactions.reader() as reader:
                reply = decide(parts.engine, reader, command, parts.reading())
            return render(call, reply)

        return Bodiless(finish)

    return handle


def writing(
    parse: Callable[[Call], Command],
    decide: Callable[[Engine, Writer, Command, Moment], Reply],
    render: Callable[[Call, Reply], HttpReply],
) -> Handler:
    """Make the handler of an operation that writes."""

    def handle(call: Call) -> BodySink:
        command = parse(call)
        return Bodiless(lambda: _write(call, command, decide, render))

    return handle


def writing_document(
    parse: Callable[[Call, Element | None], Command],
    decide: Callable[[Engine, Writer, Command, Moment], Reply],
    render: Callable[[Call, Reply], HttpReply],
) -> Handler:
    """Make the handler of an operation that writes what an XML document says; None stands for an empty body."""

    def handle(call: Call) -> BodySink:
        promised = checksums.promise(call)

        def finish(body: bytes) -> HttpReply:
            promised.check(checksums.sums_of(body, with_md5=promised.md5 is not None))
            try:
                document = parse_document(body) if body else None
            except XmlError as error:
                raise BlobError("InvalidXmlDocument", Reason=str(error)) from error
            return _write(call, parse(call, document), decide, render)

        return Collecting(call.request, DOCUMENT_BYTES_MAX, finish)

    return handle


def _write(
    call: Call,
    command: Command,
    decide: Callable[[Engine, Writer, Command, Moment], Reply],
    render: Callable[[Call, Reply], HttpReply],
) -> HttpReply:
    parts = call.parts
    with parts.transactions.writer() as writer:
        reply = decide(parts.engine, writer, command, parts.writing())
    return render(call, reply)


def xml_reply(call: Call, body: bytes) -> HttpReply:
    """Return a document."""
    headers = reply_headers(call.request)
    headers.append(("content-type", "application/xml"))
    return HttpReply(200, headers, body)
