"""Reading requests to append and page blobs into commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast

from localzure.services.blob import requests
from localzure.services.blob.engine.appends import AppendBlock, CreateBlob
from localzure.services.blob.engine.pages import LENGTH_MAX, PAGE, SetPageProperties, WritePages
from localzure.services.blob.errors import BlobError

if TYPE_CHECKING:
    from localzure.services.blob.call import Call

APPEND_BYTES_MAX = 100 * 1024 * 1024
"""Longest body of Append Block (since version 2022-11-02)."""

PAGES_BYTES_MAX = 4 * 1024 * 1024
"""Longest body of Put Page."""


def append_block(call: Call) -> AppendBlock:
    """Read Append Block, and Seal."""
    return AppendBlock(
        requests.on_base_blob(call),
        requests.natural(call, "x-ms-blob-condition-maxsize"),
        requests.natural(call, "x-ms-blob-condition-appendpos"),
    )


def create_blob(call: Call) -> CreateBlob:
    """Read Put Blob of an append or page blob."""
    command = CreateBlob(requests.on_base_blob(call), requests.blob_properties(call, has_content=False))
    if call.operation.name == "AppendBlob_Create":
        command.properties.kind = "AppendBlob"
        return command
    command.properties.kind = "PageBlob"
    length = requests.natural(call, "x-ms-blob-content-length")
    if length is None:
        raise BlobError("MissingRequiredHeader", HeaderName="x-ms-blob-content-length")
    command.length = _page_blob_length(length)
    command.sequence_number = requests.natural(call, "x-ms-blob-sequence-number") or 0
    return command


def _page_blob_length(length: int) -> int:
    if length % PAGE or length > LENGTH_MAX:
        raise requests.bad_header("x-ms-blob-content-length", str(length))
    return length


def page_properties(call: Call) -> SetPageProperties:
    """Read Set Blob Properties where it is a page blob's size or sequence number."""
    command = SetPageProperties(requests.on_base_blob(call))
    length = requests.natural(call, "x-ms-blob-content-length")
    if length is not None:
        command.length = _page_blob_length(length)
    text = call.request.headers.get("x-ms-sequence-number-action")
    if text:
        action = text.lower()
        if action not in {"max", "update", "increment"}:
            raise requests.bad_header("x-ms-sequence-number-action", text)
        command.action = cast("Literal['max', 'update', 'increment']", action)
        number = requests.natural(call, "x-ms-blob-sequence-number")
        if (number is None) != (action == "increment"):
            raise BlobError("MissingRequiredHeader", HeaderName="x-ms-blob-sequence-number")
        command.sequence_number = number or 0
    return command


def write_pages(call: Call) -> WritePages:
    """Read Put Page."""
    name = "x-ms-range" if "x-ms-range" in call.request.headers else "range"
    asked = requests.byte_range(call)
    if asked is None or asked.last is None:
        raise BlobError("MissingRequiredHeader", HeaderName=name)
    if asked.first % PAGE or (asked.last + 1) % PAGE:
        raise BlobError("InvalidPageRange")
    return WritePages(
        requests.on_base_blob(call),
        asked.first,
        asked.last + 1,
        requests.natural(call, "x-ms-if-sequence-number-le"),
        requests.natural(call, "x-ms-if-sequence-number-lt"),
        requests.natural(call, "x-ms-if-sequence-number-eq"),
    )
