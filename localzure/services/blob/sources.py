"""The source of a copy: a URL that leads back to this server, by any of its names, and what the caller may read there.

Other hosts are asked only where that is allowed, else it is `CannotVerifyCopySource`. What the source's own URL is
refused with, a copy passes on under that code, beside the headers `x-ms-copy-source-status-code` and
`x-ms-copy-source-error-code`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from localzure.auth.principal import AuthenticationError, PrincipalKind
from localzure.gateway.address import parse_host, resolve
from localzure.services.blob import requests
from localzure.services.blob.engine.copies import Source
from localzure.services.blob.errors import BlobError
from localzure.services.blob.model import ContentHeaders
from localzure.services.interface import HttpRequest
from localzure.services.storage_rest.headers import METADATA_PREFIX, metadata_fault

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localzure.services.blob.call import Call
    from localzure.services.interface import Address

URL_CHARS_MAX = 8 * 1024
"""Longest source URL: the 2 KiB that Azure allows, escaped."""

LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1", "host.docker.internal"})
"""Names that every server has; names without a dot, as containers have, are taken for ours too."""


def read(call: Call, *, trusts_own_account: bool = False) -> Source:
    """Read and authorise the source of a copy. Raises BlobError.

    With `trusts_own_account` whoever may write to an account may read from it: so it is with Copy Blob.
    """
    text = call.request.headers.get("x-ms-copy-source")
    if not text:
        raise BlobError("MissingRequiredHeader", HeaderName="x-ms-copy-source")
    located = _locate(call, text)
    if located is None:
        raise BlobError("CannotVerifyCopySource")
    request, address = located
    is_own = trusts_own_account and address.account == call.address.account and "sig=" not in request.raw_query
    is_trusted = is_own and "authorization" not in request.headers
    is_trusted = is_trusted and call.principal.kind in {PrincipalKind.OWNER, PrincipalKind.IDENTITY}
    try:
        source = call.parts.admit(request, address, call.principal if is_trusted else None)
        target = requests.on_blob(source)
    except (AuthenticationError, BlobError) as error:
        raise unverified(error) from error
    if source.operation.name != "Blob_Download":
        raise requests.bad_header("x-ms-copy-source", text)
    if "x-ms-source-encryption-key" in call.request.headers:
        target.key_sha256 = requests.customer_key(call, "x-ms-source-encryption-")
    return Source(target, text, requests.source_conditions(call), requests.lease_id(call, "x-ms-source-lease-id"))


class Elsewhere(NamedTuple):
    """A source on another server."""

    url: str
    headers: dict[str, str]
    """What to ask it with."""


def elsewhere(call: Call) -> Elsewhere | None:
    """Return a source on another server, where such are allowed; None for one of our own. Raises BlobError."""
    text = call.request.headers.get("x-ms-copy-source")
    if call.parts.fetch is None or not text or _locate(call, text) is not None:
        return None
    given = call.request.headers
    headers = {
        name.removeprefix("x-ms-source-"): value for name, value in given.items() if name.startswith("x-ms-source-if-")
    }
    for name, known in (("authorization", "x-ms-copy-source-authorization"), ("range", "x-ms-source-range")):
        if known in given:
            headers[name] = given[known]
    return Elsewhere(text, headers)


def _locate(call: Call, text: str) -> tuple[HttpRequest, Address] | None:
    """Return the request for the source; None where the URL leads elsewhere. Raises BlobError for one that is none."""
    try:
        url = urlsplit(text)
        name = (url.hostname or "").lower()
    except ValueError:
        raise requests.bad_header("x-ms-copy-source", text) from None
    if url.scheme not in {"http", "https"} or not name or len(text) > URL_CHARS_MAX or not text.isascii():
        raise requests.bad_header("x-ms-copy-source", text)
    headers = {"x-ms-version": call.request.headers.get("x-ms-version", "2026-10-06")}
    authorization = call.request.headers.get("x-ms-copy-source-authorization")
    if authorization is not None:
        headers["authorization"] = authorization
    request = HttpRequest(
        method="GET",
        raw_path=url.path or "/",
        raw_query=url.query,
        headers=headers,
        scheme=url.scheme,
        host=url.netloc,
        peer=call.request.peer,
        request_id=call.request.request_id,
    )
    is_here = parse_host(url.netloc).service == "blob" or url.netloc == call.request.host
    is_here = is_here or name in LOCAL_HOSTS or not {".", ":"} & set(name) or name.startswith("127.")
    service, address = resolve("blob", request)
    if url.path.startswith("/blob/") and address.account == "blob" and "blob" not in call.parts.accounts:
        service, address = resolve(None, request)  # by the gateway
    return (request, address) if is_here and service == "blob" and address.account in call.parts.accounts else None


def unverified(error: BlobError | AuthenticationError) -> BlobError:
    """Return what is answered where the source refuses."""
    return BlobError(
        "CannotVerifyCopySource",
        status=error.status,
        headers=(
            ("x-ms-copy-source-status-code", str(error.status)),
            ("x-ms-copy-source-error-code", error.code),
        ),
        CopySourceStatusCode=str(error.status),
        CopySourceErrorCode=error.code,
    )


def content_headers(headers: Mapping[str, str], given: ContentHeaders | None) -> ContentHeaders:
    """Return the system properties of what another server has; those `given` by the request come first."""
    told = {name: headers.get(name.replace("_", "-")) or None for name in _CONTENT_HEADERS}
    if given is not None:
        told |= {name: value for name in _CONTENT_HEADERS if (value := getattr(given, name)) is not None}
    told["content_type"] = told["content_type"] or "application/octet-stream"
    return ContentHeaders(**told)  # type: ignore[arg-type]  # the names are those of its texts


_CONTENT_HEADERS = ("content_type", "content_encoding", "content_language", "cache_control", "content_disposition")


def metadata(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the metadata that another server tells, where it is a storage service."""
    found = {name[len(METADATA_PREFIX) :]: text for name, text in headers.items() if name.startswith(METADATA_PREFIX)}
    return {} if metadata_fault(found) else found
