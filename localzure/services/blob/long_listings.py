"""List Blobs, a part at a time: a page of thousands of blobs is read and written while it is sent.

The first part is looked at before the reply begins, so what is refused is refused as ever, and a page that is no longer
than that is an ordinary reply. Each part is a view of its own: what changes while a page is sent may show or not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from localzure.services.blob import arrow_listing, documents, requests
from localzure.services.blob.engine import listing
from localzure.services.blob.errors import BlobError
from localzure.services.blob.handling import xml_reply
from localzure.services.interface import HttpReply
from localzure.services.storage_rest.headers import reply_headers
from localzure.services.storage_rest.sinks import Bodiless

if TYPE_CHECKING:
    from localzure.services.blob.call import Call
    from localzure.services.blob.model import BlobPage, ListBlobs
    from localzure.services.interface import BodySink

PART_ITEMS = 400
"""Blobs that one part shows at most: some five milliseconds of work."""

PART_STEPS = 1000
"""Records that one part looks at: more are passed over than shown."""


def list_blobs(call: Call) -> BodySink:
    """List Blobs, flat or by hierarchy."""
    command = requests.list_blobs(call)
    words = requests.includes(call, requests.BLOB_INCLUDES)

    def finish() -> HttpReply:
        parts = call.parts
        if arrow_listing.is_wanted(call):
            command.limit = min(command.limit, arrow_listing.PAGE_MAX)
            with parts.transactions.reader() as reader:
                page = listing.list_page(parts.engine, reader, command, parts.reading())
            reply = HttpReply(200, reply_headers(call.request), arrow_listing.blob_listing(call, page, words))
            reply.headers.append(("content-type", arrow_listing.MEDIA_TYPE))
            return reply
        long = _LongListing(call, command, words)
        first = long.next_part()
        if long.is_whole:
            return xml_reply(call, documents.blob_listing(call, first, words))
        reply = xml_reply(call, b"")
        reply.body = long.begin(first)
        return reply

    return Bodiless(finish)


class _LongListing:
    """A page in parts (see `localzure.services.interface.BodySource`)."""

    def __init__(self, call: Call, command: ListBlobs, words: frozenset[str]) -> None:
        self._call = call
        self._words = words
        self._command = msgspec.structs.replace(command)
        self._left = command.limit
        self._steps_left = listing.STEPS_MAX
        self._next_start: str | None = None
        self._ready = b""
        self.is_whole = False
        """Nothing comes behind the parts so far."""

    @property
    def length(self) -> None:
        """Nobody knows before the end."""
        return

    def next_part(self) -> BlobPage:
        """Look at the next part. Raises BlobError."""
        parts = self._call.parts
        self._command.limit = min(self._left, PART_ITEMS)
        steps_max = min(PART_STEPS, self._steps_left)
        with parts.transactions.reader() as reader:
            page = listing.list_page(parts.engine, reader, self._command, parts.reading(), steps_max)
        self._left -= len(page.items)
        self._steps_left -= steps_max
        self._next_start = page.next_start
        self.is_whole = page.next_start is None or self._left <= 0 or self._steps_left <= 0
        self._command.start = page.next_start or ""
        return page

    def begin(self, first: BlobPage) -> _LongListing:
        """Write the beginning, up to the first part; what follows is read."""
        self._ready = documents.listing_head(self._call) + documents.listed(self._call, first, self._words)
        return self

    def read(self, limit: int) -> bytes:
        """The next bytes, at most `limit`; empty at the end."""
        if not self._ready and not self.is_whole:
            try:
                # A part that shows nothing is not the end: white space between elements means nothing.
                self._ready = documents.listed(self._call, self.next_part(), self._words) or b"\n"
            except BlobError:  # the container was deleted while it was listed
                self.is_whole, self._next_start = True, None
            if self.is_whole:
                self._ready += documents.listing_tail(self._next_start)
        piece, self._ready = self._ready[:limit], self._ready[limit:]
        return piece

    def close(self) -> None:
        """See `BodySource`: it pins nothing."""
