"""Append blobs and page blobs on the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure.services.blob import documents, growing_requests, replies, requests
from localzure.services.blob.engine import appends, pages
from localzure.services.blob.engine.pages import GetPageRanges
from localzure.services.blob.errors import BlobError
from localzure.services.blob.handling import xml_reply
from localzure.services.blob.model import Block
from localzure.services.blob.uploading import Uploading, upload_head
from localzure.services.storage_rest.handling import reading, writing
from localzure.services.storage_rest.headers import reply_headers

if TYPE_CHECKING:
    from localzure.services.blob.bodies import Upload
    from localzure.services.blob.call import Call
    from localzure.services.blob.checksums import Sums
    from localzure.services.blob.engine.pages import PageRanges
    from localzure.services.blob.model import BlobRecord
    from localzure.services.interface import BodySink, HttpReply


def append_block(call: Call) -> BodySink:
    """Append Block."""
    head = upload_head(call, growing_requests.APPEND_BYTES_MAX)
    if not head.length:
        raise requests.bad_header("Content-Length", "0")
    command = growing_requests.append_block(call)
    parts = call.parts
    with parts.transactions.reader() as reader:
        appends.check(parts.engine, reader, command, head.length, parts.reading())

    def finish(upload: Upload, sums: Sums) -> HttpReply:
        with parts.transactions.writer() as writer:
            block = Block("", head.length, upload.extent(writer))
            appended = appends.append(parts.engine, writer, command, block, parts.writing())
        return replies.block_appended(call, appended, sums)

    return Uploading(call, head, finish)


def put_pages(call: Call) -> BodySink:
    """Put Page, writing."""
    head = upload_head(call, growing_requests.PAGES_BYTES_MAX)
    command = growing_requests.write_pages(call)
    if head.length != command.stop - command.start:
        raise requests.bad_header("Content-Length", str(head.length))
    parts = call.parts
    with parts.transactions.reader() as reader:
        pages.check(parts.engine, reader, command, parts.reading())

    def finish(upload: Upload, sums: Sums) -> HttpReply:
        with parts.transactions.writer() as writer:
            block = Block("", head.length, upload.extent(writer))
            record = pages.write(parts.engine, writer, command, block, parts.writing())
        return replies.pages_written(call, record, sums)

    return Uploading(call, head, finish)


def _get_ranges(call: Call) -> GetPageRanges:
    """The earlier snapshot of a comparison is a parameter, or part of a URL (for managed disks)."""
    text = call.query.get("prevsnapshot")
    if text is None and (url := call.request.headers.get("x-ms-previous-snapshot-url")) is not None:
        text = url.rpartition("snapshot=")[2].replace("%3A", ":").replace("%3a", ":")
    since = None
    if text is not None:
        since = requests.ticks("prevsnapshot", text)
    marker = call.query.get("marker", "0") or "0"
    if not marker.isascii() or not marker.isdecimal() or len(marker) > 18:
        raise requests.bad_parameter("marker", marker)
    limit = requests.page_size(call) if "maxresults" in call.query else RANGES_MAX
    return GetPageRanges(requests.on_blob(call), requests.byte_range(call), since, limit, int(marker))


RANGES_MAX = 10_000
"""Most ranges in a reply: more are told with a marker."""


def _render_ranges(call: Call, ranges: PageRanges) -> HttpReply:
    reply = xml_reply(call, documents.page_ranges(ranges))
    reply.headers += replies.tagged(call, ranges.record)[len(reply_headers(call.request)) :]
    reply.headers.append(("x-ms-blob-content-length", str(ranges.record.length)))
    return reply


def _render_created(call: Call, record: BlobRecord) -> HttpReply:
    return replies.blob_written(call, record, None)


def _check_empty(call: Call) -> None:
    if call.request.headers.get("content-length", "0") != "0":
        raise BlobError("InvalidHeaderValue", HeaderName="Content-Length")


def _create(call: Call) -> appends.CreateBlob:
    _check_empty(call)
    return growing_requests.create_blob(call)


create_append_blob = writing(_create, appends.create, _render_created)
create_page_blob = writing(_create, pages.create, _render_created)
seal = writing(growing_requests.append_block, appends.seal, replies.sealed)
clear_pages = writing(growing_requests.write_pages, pages.clear, replies.pages_cleared)
set_page_properties = writing(growing_requests.page_properties, pages.set_properties, replies.page_properties_set)
get_page_ranges = reading(_get_ranges, pages.get_ranges, _render_ranges)
