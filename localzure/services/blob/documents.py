"""The XML documents of the Blob service: listings and block lists, written and read."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING

from localzure.auth.dates import http_date
from localzure.services.blob.errors import BlobError
from localzure.services.blob.model import BLOCK_COUNT_MAX, BlockSource
from localzure.services.blob.replies import ACCOUNT_SCOPE, DEFAULT_TIER, SMART_TIER, md5_text
from localzure.services.storage_rest.times import format_etag
from localzure.services.storage_rest.xml_reader import GuardedParser, XmlError
from localzure.services.storage_rest.xml_writer import element, escape_text, name_element

if TYPE_CHECKING:
    from localzure.services.blob.call import Call
    from localzure.services.blob.model import (
        BlobPage,
        BlobRecord,
        Block,
        BlockLists,
        ContainerPage,
        ContainerRecord,
    )

_DECLARATION = '<?xml version="1.0" encoding="utf-8"?>'
_ECHOED = (("prefix", "Prefix"), ("marker", "Marker"), ("maxresults", "MaxResults"), ("delimiter", "Delimiter"))


def container_listing(call: Call, page: ContainerPage, *, with_metadata: bool) -> bytes:
    """Write List Containers."""
    items = "".join(_container(name, record, with_metadata) for name, record in page.containers)
    return (
        f'{_DECLARATION}<EnumerationResults ServiceEndpoint="{_endpoint(call)}">{_echo(call)}'
        f"<Containers>{items}</Containers>{_next_marker(page.next_start)}</EnumerationResults>"
    ).encode()


def blob_listing(call: Call, page: BlobPage, *, with_metadata: bool) -> bytes:
    """Write List Blobs."""
    items = "".join(
        _blob_prefix(name) if record is None else _blob(name, record, with_metadata) for name, record in page.items
    )
    return (
        f'{_DECLARATION}<EnumerationResults ServiceEndpoint="{_endpoint(call)}" '
        f'ContainerName="{escape_text(call.container)}">{_echo(call)}'
        f"<Blobs>{items}</Blobs>{_next_marker(page.next_start)}</EnumerationResults>"
    ).encode()


def _endpoint(call: Call) -> str:
    return escape_text(f"{call.address.base_url}/")


def _echo(call: Call) -> str:
    """Repeat the query, as every listing does; what was not given is left out, but for the prefix and the marker."""
    query = call.query
    return "".join(
        element(name, query.get(parameter))
        for parameter, name in _ECHOED
        if query.get(parameter) or parameter in {"prefix", "marker"}
    )


def _next_marker(next_start: str | None) -> str:
    if next_start is None:
        return "<NextMarker />"
    return f"<NextMarker>{urlsafe_b64encode(next_start.encode()).decode('ascii')}</NextMarker>"


def _metadata(metadata: dict[str, str]) -> str:
    if not metadata:
        return "<Metadata />"
    return f"<Metadata>{''.join(element(name, value) for name, value in metadata.items())}</Metadata>"


def _container(name: str, record: ContainerRecord, with_metadata: bool) -> str:
    access = f"<PublicAccess>{record.public_access}</PublicAccess>" if record.public_access else ""
    scope = escape_text(record.default_encryption_scope or ACCOUNT_SCOPE)
    deny = "true" if record.deny_encryption_scope_override else "false"
    return (
        f"<Container>{name_element(name)}<Properties><Last-Modified>{http_date(record.modified)}</Last-Modified>"
        f"<Etag>{escape_text(format_etag(record.etag))}</Etag><LeaseStatus>unlocked</LeaseStatus>"
        f"<LeaseState>available</LeaseState>{access}<DefaultEncryptionScope>{scope}</DefaultEncryptionScope>"
        f"<DenyEncryptionScopeOverride>{deny}</DenyEncryptionScopeOverride>"
        "<HasImmutabilityPolicy>false</HasImmutabilityPolicy><HasLegalHold>false</HasLegalHold>"
        "<ImmutableStorageWithVersioningEnabled>false</ImmutableStorageWithVersioningEnabled></Properties>"
        f"{_metadata(record.metadata) if with_metadata else ''}</Container>"
    )


def _blob_prefix(name: str) -> str:
    return f"<BlobPrefix>{name_element(name)}</BlobPrefix>"


def _blob(name: str, record: BlobRecord, with_metadata: bool) -> str:
    content = record.headers
    digest = md5_text(content.content_md5) if content.content_md5 else None
    return (
        f"<Blob>{name_element(name)}<Properties><Creation-Time>{http_date(record.created)}</Creation-Time>"
        f"<Last-Modified>{http_date(record.modified)}</Last-Modified><Etag>0x{record.etag:X}</Etag>"
        f"<Content-Length>{record.length}</Content-Length>{element('Content-Type', content.content_type)}"
        f"{element('Content-Encoding', content.content_encoding)}"
        f"{element('Content-Language', content.content_language)}<Content-CRC64 />{element('Content-MD5', digest)}"
        f"{element('Cache-Control', content.cache_control)}"
        f"{element('Content-Disposition', content.content_disposition)}<BlobType>BlockBlob</BlobType>{_tier(record)}"
        "<LeaseStatus>unlocked</LeaseStatus><LeaseState>available</LeaseState><ServerEncrypted>true</ServerEncrypted>"
        f"</Properties>{_metadata(record.metadata) if with_metadata else ''}<OrMetadata /></Blob>"
    )


def _tier(record: BlobRecord) -> str:
    if record.tier is None:
        return f"<AccessTier>{DEFAULT_TIER}</AccessTier><AccessTierInferred>true</AccessTierInferred>"
    changed = element("AccessTierChangeTime", http_date(record.tier_changed or record.created))
    smart = element("SmartAccessTier", DEFAULT_TIER) if record.tier == SMART_TIER else ""
    return f"<AccessTier>{record.tier}</AccessTier>{smart}{changed}"


def block_lists(lists: BlockLists) -> bytes:
    """Write Get Block List."""
    parts = [
        f"<{name}>{''.join(map(_block, blocks))}</{name}>"
        for name, blocks in (("CommittedBlocks", lists.committed), ("UncommittedBlocks", lists.uncommitted))
        if blocks is not None
    ]
    return f"{_DECLARATION}<BlockList>{''.join(parts)}</BlockList>".encode()


def _block(block: Block) -> str:
    return f"<Block><Name>{block.name}</Name><Size>{block.size}</Size></Block>"


class BlockListReader:
    """Reads the body of Put Block List as it arrives: 50,000 blocks come in many pieces and leave no tree."""

    def __init__(self) -> None:
        self._parser = GuardedParser(self._start, self._text, self._end)
        self._depth = 0
        self._source: BlockSource | None = None
        self._name: list[str] = []
        self.blocks: list[tuple[BlockSource, str]] = []

    def feed(self, data: bytes) -> None:
        """Take a piece of the body. Raises BlobError."""
        try:
            self._parser.feed(data)
        except XmlError as error:
            raise BlobError("InvalidXmlDocument", Reason=str(error)) from error

    def close(self) -> list[tuple[BlockSource, str]]:
        """Return the blocks in order. Raises BlobError where the document is incomplete."""
        try:
            self._parser.close()
        except XmlError as error:
            raise BlobError("InvalidXmlDocument", Reason=str(error)) from error
        return self.blocks

    def _start(self, name: str) -> None:
        self._depth += 1
        if self._depth == 1 and name == "BlockList":
            return
        if self._depth != 2 or name not in _SOURCES:
            raise BlobError("UnsupportedXmlNode", XmlNodeName=name)
        if len(self.blocks) == BLOCK_COUNT_MAX:
            raise BlobError("BlockListTooLong")
        self._source = _SOURCES[name]
        self._name.clear()

    def _text(self, data: str) -> None:
        if self._source is not None:
            self._name.append(data)

    def _end(self) -> None:
        self._depth -= 1
        if self._source is not None:
            self.blocks.append((self._source, "".join(self._name).strip()))
            self._source = None


_SOURCES = {source.value: source for source in BlockSource}
