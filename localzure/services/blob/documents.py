"""The XML documents of the Blob service: listings and block lists, written and read."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING, NamedTuple

from localzure.auth.dates import http_date
from localzure.services.blob.engine import leases
from localzure.services.blob.engine.blobs import DAY
from localzure.services.blob.engine.encryption import ACCOUNT_SCOPE
from localzure.services.blob.engine.tiers import DEFAULT_TIER, SMART_TIER, tier_of
from localzure.services.blob.errors import BlobError
from localzure.services.blob.model import BLOCK_COUNT_MAX, ENDLESS, BlockSource
from localzure.services.blob.replies import md5_text
from localzure.services.storage_rest.iso8601 import format_ticks_in_full
from localzure.services.storage_rest.times import format_etag
from localzure.services.storage_rest.xml_reader import GuardedParser, XmlError
from localzure.services.storage_rest.xml_writer import element, escape_text, name_element

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from localzure.services.blob.call import Call
    from localzure.services.blob.engine.pages import PageRanges
    from localzure.services.blob.engine.state import AccountFeatures
    from localzure.services.blob.engine.tag_search import FoundPage
    from localzure.services.blob.model import (
        BlobPage,
        BlobRecord,
        Block,
        BlockLists,
        ContainerPage,
        ContainerRecord,
        CopyState,
        Lease,
        ListedBlob,
    )
    from localzure.services.interface import Instant

_DECLARATION = '<?xml version="1.0" encoding="utf-8"?>'
_ECHOED = (("prefix", "Prefix"), ("marker", "Marker"), ("maxresults", "MaxResults"), ("delimiter", "Delimiter"))


def container_listing(call: Call, page: ContainerPage, *, with_metadata: bool) -> bytes:
    """Write List Containers."""
    now = call.parts.clock.now()
    is_immutable = call.parts.engine.features_of(call.address.account).has_version_immutability
    items = "".join([_container(name, record, with_metadata, now, is_immutable) for name, record in page.containers])
    return (
        f'{_DECLARATION}<EnumerationResults ServiceEndpoint="{_endpoint(call)}">{_echo(call)}'
        f"<Containers>{items}</Containers>{_next_marker(page.next_start)}</EnumerationResults>"
    ).encode()


class _Shown(NamedTuple):
    """What a listing shows of each blob."""

    words: frozenset[str]
    """What it is asked to include."""
    now: Instant
    features: AccountFeatures


def blob_listing(call: Call, page: BlobPage, words: frozenset[str]) -> bytes:
    """Write List Blobs; `words` are what it is asked to include."""
    return listing_head(call) + listed(call, page, words) + listing_tail(page.next_start)


def listing_head(call: Call) -> bytes:
    """Write what comes before the blobs of a listing."""
    return (
        f'{_DECLARATION}<EnumerationResults ServiceEndpoint="{_endpoint(call)}" '
        f'ContainerName="{escape_text(call.container)}">{_echo(call)}<Blobs>'
    ).encode()


def listed(call: Call, page: BlobPage, words: frozenset[str]) -> bytes:
    """Write the blobs of a page, or of a part of one."""
    shown = _Shown(words, call.parts.clock.now(), call.parts.engine.features_of(call.address.account))
    based = {item.name for item in page.items if item.is_current and item.record is not None}
    return "".join([_listed(item, item.name in based, shown) for item in page.items]).encode()


def listing_tail(next_start: str | None) -> bytes:
    """Write what comes behind the blobs of a listing."""
    return f"</Blobs>{_next_marker(next_start)}</EnumerationResults>".encode()


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
    return f"<NextMarker>{marker_of(next_start)}</NextMarker>"


def marker_of(next_start: str) -> str:
    """Return the marker with which a client asks for the page that begins at a name."""
    return urlsafe_b64encode(next_start.encode()).decode("ascii")


def _metadata(metadata: dict[str, str]) -> str:
    if not metadata:
        return "<Metadata />"
    return f"<Metadata>{''.join(element(name, value) for name, value in metadata.items())}</Metadata>"


def _container(name: str, record: ContainerRecord, with_metadata: bool, now: Instant, is_immutable: bool) -> str:
    access = f"<PublicAccess>{record.public_access}</PublicAccess>" if record.public_access else ""
    scope = escape_text(record.default_encryption_scope or ACCOUNT_SCOPE)
    deny = "true" if record.deny_encryption_scope_override else "false"
    immutable = "true" if is_immutable else "false"
    gone = ""
    properties = ""
    if record.deleted is not None:
        gone = f"<Deleted>true</Deleted>{element('Version', record.version)}"
        days = max(0, ((record.restorable_until or now) - now) // DAY)
        properties = f"{element('DeletedTime', http_date(record.deleted))}{_days(days)}"
    return (
        f"<Container>{name_element(name)}{gone}<Properties>"
        f"<Last-Modified>{http_date(record.modified)}</Last-Modified>"
        f"<Etag>{escape_text(format_etag(record.etag))}</Etag>{_lease(record.lease, now)}{access}"
        f"<DefaultEncryptionScope>{scope}</DefaultEncryptionScope>"
        f"<DenyEncryptionScopeOverride>{deny}</DenyEncryptionScopeOverride>"
        "<HasImmutabilityPolicy>false</HasImmutabilityPolicy><HasLegalHold>false</HasLegalHold>"
        f"<ImmutableStorageWithVersioningEnabled>{immutable}</ImmutableStorageWithVersioningEnabled>"
        f"{properties}</Properties>"
        f"{_metadata(record.metadata) if with_metadata else ''}</Container>"
    )


def _days(days: int) -> str:
    return f"<RemainingRetentionDays>{days}</RemainingRetentionDays>"


def _lease(lease: Lease | None, now: Instant) -> str:
    if lease is None:
        return "<LeaseStatus>unlocked</LeaseStatus><LeaseState>available</LeaseState>"
    state = leases.state_of(lease, now)
    is_locked = state in {leases.LeaseState.LEASED, leases.LeaseState.BREAKING}
    text = f"<LeaseStatus>{'locked' if is_locked else 'unlocked'}</LeaseStatus><LeaseState>{state.value}</LeaseState>"
    if state is leases.LeaseState.LEASED:
        text += f"<LeaseDuration>{'infinite' if lease.duration == ENDLESS else 'fixed'}</LeaseDuration>"
    return text


def _listed(item: ListedBlob, has_base: bool, shown: _Shown) -> str:
    record = item.record
    if record is None:
        return f"<BlobPrefix>{name_element(item.name)}</BlobPrefix>"
    which = ""
    if record.deleted is not None:
        which += "<Deleted>true</Deleted>"
    if record.snapshot is not None:
        which += element("Snapshot", format_ticks_in_full(record.snapshot))
    elif record.version is not None:
        which += element("VersionId", format_ticks_in_full(record.version))
        if item.is_current:
            which += "<IsCurrentVersion>true</IsCurrentVersion>"
    tail = _metadata(record.metadata) if "metadata" in shown.words else ""
    if "tags" in shown.words and record.tags:
        tail += f"<Tags>{_tag_set(record.tags)}</Tags>"
    if not item.is_current and not has_base and record.version is not None and record.snapshot is None:
        tail += "<HasVersionsOnly>true</HasVersionsOnly>"
    return (
        f"<Blob>{name_element(item.name)}{which}<Properties>{_properties(record, shown)}</Properties>"
        f"{tail}<OrMetadata /></Blob>"
    )


def _properties(record: BlobRecord, shown: _Shown) -> str:
    content = record.headers
    digest = md5_text(content.content_md5) if content.content_md5 else None
    text = (
        f"<Creation-Time>{http_date(record.created)}</Creation-Time>"
        f"<Last-Modified>{http_date(record.modified)}</Last-Modified><Etag>0x{record.etag:X}</Etag>"
        f"<Content-Length>{record.length}</Content-Length>{element('Content-Type', content.content_type)}"
        f"{element('Content-Encoding', content.content_encoding)}"
        f"{element('Content-Language', content.content_language)}<Content-CRC64 />{element('Content-MD5', digest)}"
        f"{element('Cache-Control', content.cache_control)}"
        f"{element('Content-Disposition', content.content_disposition)}<BlobType>{record.kind}</BlobType>"
    )
    text += _tier(record, shown.features)
    if record.kind == "PageBlob":
        text += f"<x-ms-blob-sequence-number>{record.sequence_number}</x-ms-blob-sequence-number>"
    elif record.is_sealed:
        text += "<Sealed>true</Sealed>"
    text += f"{_lease(record.lease, shown.now)}<ServerEncrypted>true</ServerEncrypted>"
    if record.copy is not None and "copy" in shown.words:
        text += _copy(record.copy)
    return text + _rare(record, shown.now)


def _copy(copy: CopyState) -> str:
    text = (
        f"{element('CopyId', copy.id)}{element('CopyStatus', copy.status)}{element('CopySource', copy.source)}"
        f"{element('CopyProgress', f'{copy.length}/{copy.length}')}"
        f"{element('CopyCompletionTime', http_date(copy.started))}"
    )
    if copy.is_incremental:
        text += "<IncrementalCopy>true</IncrementalCopy>"
        if copy.snapshot is not None:
            text += element("CopyDestinationSnapshot", format_ticks_in_full(copy.snapshot))
    return text


def _rare(record: BlobRecord, now: Instant) -> str:
    """What few blobs have."""
    text = ""
    if record.rehydration is not None:
        text += element("ArchiveStatus", f"rehydrate-pending-to-{record.rehydration.tier.lower()}")
        text += element("RehydratePriority", record.rehydration.priority)
    if record.key_sha256 is not None:
        text += element("CustomerProvidedKeySha256", record.key_sha256)
    if record.encryption_scope is not None:
        text += element("EncryptionScope", record.encryption_scope)
    if record.tags:
        text += f"<TagCount>{len(record.tags)}</TagCount>"
    if record.read is not None:
        text += element("LastAccessTime", http_date(record.read))
    if record.expires is not None:
        text += element("Expiry-Time", http_date(record.expires))
    if record.immutable_until is not None:
        text += element("ImmutabilityPolicyUntilDate", http_date(record.immutable_until))
        text += element("ImmutabilityPolicyMode", (record.immutability_mode or "Unlocked").lower())
    if record.legal_hold:
        text += "<LegalHold>true</LegalHold>"
    if record.deleted is not None:
        days = max(0, ((record.restorable_until or now) - now) // DAY)
        text += f"{element('DeletedTime', http_date(record.deleted))}{_days(days)}"
    return text


def _tag_set(tags: Mapping[str, str]) -> str:
    items = "".join(f"<Tag>{element('Key', name)}{element('Value', value)}</Tag>" for name, value in tags.items())
    return f"<TagSet>{items}</TagSet>" if items else "<TagSet />"


def tags(tags: Mapping[str, str]) -> bytes:
    """Write Get Blob Tags."""
    return f"{_DECLARATION}<Tags>{_tag_set(tags)}</Tags>".encode()


def found_blobs(call: Call, page: FoundPage, names: Collection[str]) -> bytes:
    """Write Find Blobs by Tags: each blob with those of its tags that the search looked at."""
    items = "".join(
        f"<Blob>{name_element(found.name)}{element('ContainerName', found.container)}"
        f"<Tags>{_tag_set({name: value for name, value in found.record.tags.items() if name in names})}</Tags></Blob>"
        for found in page.items
    )
    return (
        f'{_DECLARATION}<EnumerationResults ServiceEndpoint="{_endpoint(call)}">{element("Where", call.query["where"])}'
        f"<Blobs>{items}</Blobs>{_next_marker(page.next_start)}</EnumerationResults>"
    ).encode()


def _tier(record: BlobRecord, features: AccountFeatures) -> str:
    tier = tier_of(record, features)
    if tier is None:
        return ""
    if tier.is_inferred:
        return f"<AccessTier>{tier.name}</AccessTier><AccessTierInferred>true</AccessTierInferred>"
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


def page_ranges(ranges: PageRanges) -> bytes:
    """Write Get Page Ranges."""
    items = "".join(
        f"<{name}><Start>{run.start}</Start><End>{run.stop - 1}</End></{name}>"
        for run in ranges.ranges
        for name in ("ClearRange" if run.is_clear else "PageRange",)
    )
    marker = "" if ranges.next_marker is None else f"<NextMarker>{ranges.next_marker}</NextMarker>"
    return f"{_DECLARATION}<PageList>{items}{marker}</PageList>".encode()


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
