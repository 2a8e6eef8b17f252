"""What the handlers of this service have that others lack: documents whose checksums are promised (see
`localzure.services.storage_rest.handling`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from localzure.services.blob import checksums
from localzure.services.blob.errors import BlobError
from localzure.services.interface import HttpReply
from localzure.services.storage_rest.handling import write
from localzure.services.storage_rest.headers import reply_headers
from localzure.services.storage_rest.sinks import Collecting
from localzure.services.storage_rest.xml_reader import XmlError, parse_document

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from localzure.services.blob.call import Call
    from localzure.services.blob.engine.state import Engine, Moment
    from localzure.services.interface import BodySink
    from localzure.services.storage_rest.xml_reader import Element
    from localzure_storage.store import Writer

    Handler: TypeAlias = Callable[[Call], BodySink]

DOCUMENT_BYTES_MAX = 64 * 1024
"""Longest document that sets properties, policies or tags."""

Command = TypeVar("Command")
Reply = TypeVar("Reply")


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
            return write(call, parse(call, document), decide, render)

        return Collecting(call.request, DOCUMENT_BYTES_MAX, finish)

    return handle


def xml_reply(call: Call, body: bytes) -> HttpReply:
    """Return a document."""
    headers = reply_headers(call.request)
    headers.append(("content-type", "application/xml"))
    return HttpReply(200, headers, body)
