"""The static website of an account: what is in `$web`, for browsers.

"Static website hosting in Azure Storage": anybody reads, whatever the container's access; only GET and HEAD; a path
that names no blob but a folder gives the folder's index document; what is not there gives the error document, with
404. CORS rules and query parameters mean nothing here.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from localzure.auth.principal import Principal, PrincipalKind
from localzure.services.blob import handlers
from localzure.services.blob.call import Call
from localzure.services.blob.engine import accounts, blobs
from localzure.services.blob.errors import BlobError
from localzure.services.blob.model import OnBlob
from localzure.services.blob.operations import OPERATIONS
from localzure.services.interface import HttpReply, HttpRequest
from localzure.services.storage_rest.errors import describe
from localzure.services.storage_rest.query import UriError, decode_path
from localzure.services.storage_rest.sinks import Bodiless
from localzure.services.storage_rest.times import iso_time

if TYPE_CHECKING:
    from localzure.services.blob.call import Parts
    from localzure.services.blob.engine.accounts import StaticWebsite
    from localzure.services.interface import Address, BodySink, ServiceError
    from localzure_storage.store import StorageError

CONTAINER = "$web"
"""The container that is the site."""

VERSION = "2018-03-28"
"""The `x-ms-version` of every reply: websites came with it."""

_OPERATIONS = {row.method: row for row in OPERATIONS if row.name in {"Blob_Download", "Blob_GetProperties"}}

_ASKED = frozenset({"range", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range"})
"""Headers of a request that mean something."""

_TOLD = frozenset(
    {
        "accept-ranges",
        "cache-control",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-length",
        "content-md5",
        "content-range",
        "content-type",
        "etag",
        "last-modified",
        "x-ms-error-code",
    }
)
"""Headers of a blob's reply that a website's has too."""


class WebsiteService:
    """The websites of all accounts (see `localzure.services.interface.HttpService`)."""

    def __init__(self, parts: Parts) -> None:
        """`parts` are those of the Blob service."""
        self._parts = parts

    def accept(self, request: HttpRequest, address: Address) -> BodySink:
        """Find what a path stands for. Raises BlobError."""
        if request.method not in _OPERATIONS:
            raise BlobError("UnsupportedHttpVerb", headers=(("allow", "GET, HEAD"),))
        return Bodiless(lambda: self._answer(request, address))

    def operation_name(self, request: HttpRequest, address: Address) -> str:
        """See `HttpService.operation_name`: the name that Azure's logs have for a page that is read."""
        del request, address
        return "GetWebContent"

    def refuse(self, request: HttpRequest, error: ServiceError | StorageError | None) -> HttpReply:
        """Render an error as a page for people."""
        wire = describe(error)
        headers = [("x-ms-version", VERSION), ("x-ms-error-code", wire.code), *wire.headers]
        body = b"" if wire.status == 304 else self._page(request, wire.status, wire.code, wire.message)
        if body:
            headers.append(("content-type", "text/html"))
        if request.method == "HEAD":
            headers.append(("content-length", str(len(body))))
        return HttpReply(wire.status, headers, b"" if request.method == "HEAD" else body)

    def _answer(self, request: HttpRequest, address: Address) -> HttpReply:
        if address.account not in self._parts.accounts:
            raise BlobError("WebContentNotFound")
        with self._parts.transactions.reader() as reader:
            website = accounts.load(self._parts.engine, reader, address.account).website
        if not website.enabled:
            raise BlobError("WebContentNotFound")
        try:
            path = decode_path(address.path)
        except UriError as error:
            raise BlobError("InvalidUri", Reason=str(error)) from error
        name = next((one for one in _candidates(path, website) if self._exists(address.account, one)), None)
        if name is not None:
            return self._read(
                request, address, name, {key: request.headers[key] for key in _ASKED & set(request.headers)}
            )
        if website.error_document is not None and self._exists(address.account, website.error_document):
            reply = self._read(request, address, website.error_document, {})
            reply.status = 404
            return reply
        raise BlobError("WebContentNotFound")

    def _exists(self, account: str, name: str) -> bool:
        parts = self._parts
        try:
            with parts.transactions.reader() as reader:
                place = blobs.locate(parts.engine, reader, OnBlob(account, CONTAINER, name), parts.clock.now())
        except BlobError:
            return False
        return blobs.committed(place.record) is not None

    def _read(self, request: HttpRequest, address: Address, name: str, headers: dict[str, str]) -> HttpReply:
        """Read a blob as anybody may."""
        if headers.pop("if-range", None) is not None:
            headers.pop("range", None)  # Azure Storage has no If-Range: the whole is always a right answer to it
        asked = HttpRequest(
            method=request.method,
            raw_path=request.raw_path,
            raw_query="",
            headers={"x-ms-version": VERSION, **headers},
            scheme=request.scheme,
            host=request.host,
            peer=request.peer,
            request_id=request.request_id,
        )
        operation = _OPERATIONS[request.method]
        anybody = Principal(PrincipalKind.ANONYMOUS, address.account)
        call = Call(self._parts, asked, address, operation, {}, CONTAINER, name, anybody)
        handle = handlers.get_blob if request.method == "GET" else handlers.get_blob_properties
        reply = handle(call).finish()
        kept = [(header, value) for header, value in reply.headers if header in _TOLD]
        reply.headers = [("x-ms-version", VERSION), *kept]
        return reply

    def _page(self, request: HttpRequest, status: int, code: str, message: str) -> bytes:
        time = iso_time(self._parts.clock.now())
        facts = f"HttpStatusCode: {status}", f"ErrorCode: {code}", f"RequestId : {request.request_id}"
        items = "".join(f"<li>{fact}</li>" for fact in (*facts, f"TimeStamp : {time}"))
        return (
            f"<!DOCTYPE html><html><head><title>{code}</title></head><body><h1>{escape(message)}</h1>"
            f"<p><ul>{items}</ul></p></body></html>"
        ).encode()


def _candidates(path: str, website: StaticWebsite) -> list[str]:
    """Return the blobs that a path may stand for, the first that exists is meant."""
    is_folder = not path or path.endswith("/")
    names = [] if is_folder else [path]
    if website.index_document is not None:
        names.append(path + ("" if is_folder else "/") + website.index_document)
    elif website.default_index_path is not None and is_folder:
        names.append(website.default_index_path.removeprefix("/"))
    return names
