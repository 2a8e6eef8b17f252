"""Headers that the storage services share: the version and request ids of replies, and metadata."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localzure.services.interface import HttpRequest

LATEST_VERSION = "2026-10-06"
"""The `x-ms-version` that is answered to requests that name none."""

CLIENT_REQUEST_ID_MAX = 1024
"""Longest `x-ms-client-request-id` that is sent back; Azure drops longer ones."""

METADATA_BYTES_MAX = 8 * 1024
"""Names and values of a resource's metadata together."""

METADATA_PREFIX = "x-ms-meta-"

_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


def reply_headers(request: HttpRequest) -> list[tuple[str, str]]:
    """Return the headers with which every reply begins."""
    headers = request.headers
    version = headers.get("x-ms-version", LATEST_VERSION)
    client_request_id = headers.get("x-ms-client-request-id")
    if client_request_id is not None and len(client_request_id) <= CLIENT_REQUEST_ID_MAX:
        return [("x-ms-version", version), ("x-ms-client-request-id", client_request_id)]
    return [("x-ms-version", version)]


def is_version(text: str) -> bool:
    """Whether text has the form of an `x-ms-version`.

    Those that are newer than `LATEST_VERSION` are taken, however new: a client must not wait for its emulator.
    """
    return _VERSION.fullmatch(text) is not None


def metadata_fault(metadata: dict[str, str]) -> str | None:
    """Return the code of the error that Azure gives for this metadata, or None.

    Names must be C# identifiers; names and values together take `METADATA_BYTES_MAX` at most.
    """
    total = 0
    for name, value in metadata.items():
        if not name:
            return "EmptyMetadataKey"
        if _IDENTIFIER.fullmatch(name) is None:
            return "InvalidMetadata"
        total += len(name) + len(value)
    return "MetadataTooLarge" if total > METADATA_BYTES_MAX else None


def read_metadata(request: HttpRequest) -> dict[str, str]:
    """Return the metadata that a request's headers set, names as they were sent."""
    start = len(METADATA_PREFIX)
    sent = request.metadata_names
    return {
        sent.get(name, name)[start:]: value
        for name, value in request.headers.items()
        if name.startswith(METADATA_PREFIX)
    }
