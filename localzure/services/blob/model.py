"""What the Blob service keeps, is asked and answers.

Records are MessagePack arrays: a field may be appended with a default, never moved or removed. Instants are whole
microseconds, entity tags 100-nanosecond ticks (see `storage_rest.times`).
"""

from __future__ import annotations

from enum import Enum
from typing import Literal

from msgspec import Struct

from localzure.services.interface import Instant  # noqa: TC001 - msgspec reads the annotations
from localzure.services.storage_rest.times import Ticks  # noqa: TC001 - msgspec reads the annotations
from localzure_storage.extents import ExtentId  # noqa: TC001 - msgspec reads the annotations

PublicAccess = Literal["container", "blob"]
"""What anonymous callers may read: the container and its blobs, or only blobs whose names they know."""

BLOCK_COUNT_MAX = 50_000
"""Most blocks in a committed blob ("Put Block List")."""

UNCOMMITTED_BLOCK_COUNT_MAX = 100_000
"""Most blocks that wait to be committed to one blob ("Put Block")."""


# --- records ------------------------------------------------------------------------------------------------------


class ContainerRecord(Struct, array_like=True):
    """A container. Each incarnation of a name has an id of its own, under which its blobs are kept."""

    id: int
    etag: Ticks
    modified: Instant
    metadata: dict[str, str]
    public_access: PublicAccess | None = None
    default_encryption_scope: str | None = None
    deny_encryption_scope_override: bool = False


class ContentHeaders(Struct, array_like=True):
    """The system properties of a blob that clients set as headers and get back as headers."""

    content_type: str | None = "application/octet-stream"
    content_encoding: str | None = None
    content_language: str | None = None
    content_md5: bytes | None = None
    cache_control: str | None = None
    content_disposition: str | None = None


class BlobRecord(Struct, array_like=True):
    """A blob: its properties, and where its content is.

    The content is in one place of three: `inline` in the record itself, `extent` as one extent, or `content` as a
    list of blocks. With `is_committed` false the blob does not exist for anybody but those who list uncommitted
    blobs: it only carries the blocks that wait under `staging`.
    """

    etag: Ticks
    created: Instant
    modified: Instant
    length: int
    headers: ContentHeaders
    metadata: dict[str, str]
    inline: bytes | None = None
    extent: ExtentId | None = None
    content: int | None = None
    staging: int | None = None
    is_committed: bool = True
    tier: str | None = None
    """The access tier as it was set; None where it follows the account's."""
    tier_changed: Instant | None = None
    """When the tier was set; None where it was not."""


class Block(Struct, array_like=True):
    """A block of a blob, waiting or committed: a run of bytes in an extent."""

    name: str
    """The block's id in base64, as the client gave it."""
    size: int
    extent: ExtentId
    offset: int = 0


class StagingRecord(Struct, array_like=True):
    """What is known of all blocks that wait to be committed to one blob."""

    count: int
    name_length: int
    """Characters in a block's id: the same for all blocks of a blob."""


class Remains(Struct, array_like=True):
    """What a delete or an overwrite left to be swept. One of the fields is set."""

    container: int | None = None
    """All blobs of this incarnation."""
    content: int | None = None
    """This list of blocks."""
    staging: int | None = None
    """These waiting blocks."""
    extents: list[ExtentId] | None = None
    """A reference to each of these extents."""
    is_referring: bool = True
    """For `content` and `staging`: whether the blocks hold references to their extents, or have passed them on."""


# --- what is asked ------------------------------------------------------------------------------------------------


class Conditions(Struct, frozen=True):
    """The conditional headers of a request; entity tags without their quotes."""

    if_match: tuple[str, ...] = ()
    if_none_match: tuple[str, ...] = ()
    if_modified_since: Instant | None = None
    if_unmodified_since: Instant | None = None


UNCONDITIONAL = Conditions()


class CreateContainer(Struct):
    """Create Container."""

    account: str
    container: str
    metadata: dict[str, str]
    public_access: PublicAccess | None
    default_encryption_scope: str | None
    deny_encryption_scope_override: bool


class OnContainer(Struct):
    """An operation that needs no more than its container."""

    account: str
    container: str
    conditions: Conditions = UNCONDITIONAL
    lease_id: str | None = None


class SetContainerMetadata(Struct):
    """Set Container Metadata."""

    target: OnContainer
    metadata: dict[str, str]


class ListContainers(Struct):
    """List Containers."""

    account: str
    prefix: str
    start: str
    """The first name of the page, from its marker."""
    limit: int


class OnBlob(Struct):
    """An operation that needs no more than its blob."""

    account: str
    container: str
    blob: str
    conditions: Conditions = UNCONDITIONAL
    lease_id: str | None = None
    is_current: bool = True
    """False where the request names a snapshot or a version, of which there are none."""


class ByteRange(Struct):
    """A range of bytes, both ends included; an open end is None."""

    first: int
    last: int | None


class BlobProperties(Struct):
    """What an upload sets beside the content."""

    headers: ContentHeaders
    metadata: dict[str, str]
    tier: str | None


class SetBlobMetadata(Struct):
    """Set Blob Metadata."""

    target: OnBlob
    metadata: dict[str, str]


class SetBlobHeaders(Struct):
    """Set Blob Properties."""

    target: OnBlob
    headers: ContentHeaders


class StageBlock(Struct):
    """Put Block."""

    target: OnBlob
    block: str


class BlockSource(Enum):
    """Where Put Block List looks for a block."""

    COMMITTED = "Committed"
    UNCOMMITTED = "Uncommitted"
    LATEST = "Latest"


class CommitBlocks(Struct):
    """Put Block List."""

    target: OnBlob
    properties: BlobProperties
    blocks: list[tuple[BlockSource, str]]


class BlockListKind(Enum):
    """Which blocks Get Block List is asked for."""

    COMMITTED = "committed"
    UNCOMMITTED = "uncommitted"
    ALL = "all"


class GetBlockList(Struct):
    """Get Block List."""

    target: OnBlob
    kind: BlockListKind


class ListBlobs(Struct):
    """List Blobs, flat, or by hierarchy where there is a delimiter."""

    account: str
    container: str
    prefix: str
    delimiter: str
    start: str
    """The first name of the page, from its marker or `startFrom`."""
    stop: str | None
    """The first name after the listing, from `endBefore`."""
    limit: int
    with_uncommitted: bool


# --- what is answered ---------------------------------------------------------------------------------------------


class ContainerPage(Struct):
    """A page of a listing of containers."""

    containers: list[tuple[str, ContainerRecord]]
    next_start: str | None
    """Where the next page begins; None at the end."""


class BlobPage(Struct):
    """A page of a listing of blobs, in order; a prefix stands without a record."""

    items: list[tuple[str, BlobRecord | None]]
    next_start: str | None


class BlockLists(Struct):
    """The blocks of a blob."""

    record: BlobRecord
    committed: list[Block] | None
    """None where they were not asked for."""
    uncommitted: list[Block] | None
