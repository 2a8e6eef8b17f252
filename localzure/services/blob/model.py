"""What the Blob service keeps, is asked and answers.

Records are MessagePack arrays: a field may be appended with a default, never moved or removed. Instants are whole
microseconds, entity tags 100-nanosecond ticks (see `storage_rest.times`).
"""

from __future__ import annotations

from enum import Enum
from typing import Literal

from msgspec import Struct

from localzure.services.blob.engine.tag_conditions import TagCondition  # noqa: TC001 - msgspec reads the annotations
from localzure.services.interface import Instant
from localzure.services.storage_rest.access_policies import AccessPolicy  # noqa: TC001 - msgspec reads the annotations
from localzure.services.storage_rest.times import Ticks
from localzure_storage.extents import ExtentId  # noqa: TC001 - msgspec reads the annotations

PublicAccess = Literal["container", "blob"]
"""What anonymous callers may read: the container and its blobs, or only blobs whose names they know."""

BLOCK_COUNT_MAX = 50_000
"""Most blocks in a committed blob ("Put Block List")."""

UNCOMMITTED_BLOCK_COUNT_MAX = 100_000
"""Most blocks that wait to be committed to one blob ("Put Block")."""

BlobKind = Literal["BlockBlob", "AppendBlob", "PageBlob"]
"""The kinds of blobs, as `x-ms-blob-type` names them."""

ENDLESS = -1
"""The duration of a lease that does not expire, in place of seconds."""

DELETED_BASE = Ticks(2**62)
"""Stands in place of a snapshot's time for a base blob that was deleted and may come back: behind all of them."""


# --- records ------------------------------------------------------------------------------------------------------


class Lease(Struct, array_like=True):
    """A lease that was acquired and not released; `engine.leases` says what it means at an instant."""

    id: str
    duration: int
    """Seconds, or -1 for one without an end."""
    ends: Instant | None
    """When it expires, or where it is breaking when it is broken; None for never."""
    is_breaking: bool = False


class CopyState(Struct, array_like=True):
    """The last copy whose destination a blob was."""

    id: str
    source: str
    """The URL as the client gave it."""
    status: Literal["success", "pending", "aborted", "failed"]
    length: int
    started: Instant
    is_incremental: bool = False
    snapshot: Ticks | None = None
    """The snapshot that an incremental copy made."""


class Rehydration(Struct, array_like=True):
    """An archived blob on its way to another tier."""

    tier: str
    priority: str
    done: Instant


class ContainerRecord(Struct, array_like=True):
    """A container. Each incarnation of a name has an id of its own, under which its blobs are kept."""

    id: int
    etag: Ticks
    modified: Instant
    metadata: dict[str, str]
    public_access: PublicAccess | None = None
    default_encryption_scope: str | None = None
    deny_encryption_scope_override: bool = False
    lease: Lease | None = None
    policies: list[AccessPolicy] = []
    deleted: Instant | None = None
    """When it was deleted; None for one that exists."""
    version: str | None = None
    """What names a deleted container among those of its name."""
    restorable_until: Instant | None = None
    has_immutable: bool = False
    """Whether any blob in it was ever under an immutability policy or a legal hold."""


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

    The content is in one place of four: `inline` in the record itself, `extent` as one extent, `content` as a list of
    blocks, or `layer` as the topmost of a page blob's layers. With `is_committed` false the blob does not exist for
    anybody but those who list uncommitted blobs: it only carries the blocks that wait under `staging`.
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
    kind: BlobKind = "BlockBlob"
    lease: Lease | None = None
    tags: dict[str, str] = {}
    snapshot: Ticks | None = None
    """When this snapshot was taken; None for what is none."""
    version: Ticks | None = None
    """The id of this version; None where the account kept none when it was written."""
    copy: CopyState | None = None
    layer: int | None = None
    sequence_number: int = 0
    """A page blob's."""
    block_count: int = 0
    """An append blob's committed blocks."""
    is_sealed: bool = False
    is_content_own: bool = True
    """Whether an append blob may add to its list of blocks in place: false for a copy that shares another's."""
    expires: Instant | None = None
    immutable_until: Instant | None = None
    immutability_mode: str | None = None
    legal_hold: bool = False
    encryption_scope: str | None = None
    key_sha256: str | None = None
    """Of the customer's key with which the blob was written, in base64."""
    rehydration: Rehydration | None = None
    deleted: Instant | None = None
    """When it was deleted; None for what exists."""
    restorable_until: Instant | None = None
    """When what was deleted is gone for good."""
    read: Instant | None = None
    """When it was last read, where the account follows that."""
    is_replaced: bool = False
    """For a version: whether it is not the last one."""


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
    touched: Instant = Instant(0)
    """When the last block was staged."""
    due: Instant = Instant(0)
    """Where the due index has it; 0 for nowhere."""
    encryption_scope: str | None = None
    """Of all the blocks."""
    key_sha256: str | None = None
    """Of the customer's key with which all of them were sent, in base64."""


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
    layer: int | None = None
    """This layer of a page blob, and its reference to the one below."""


# --- what is asked ------------------------------------------------------------------------------------------------


class Conditions(Struct, frozen=True):
    """The conditional headers of a request; entity tags without their quotes."""

    if_match: tuple[str, ...] = ()
    if_none_match: tuple[str, ...] = ()
    if_modified_since: Instant | None = None
    if_unmodified_since: Instant | None = None
    if_tags: TagCondition | None = None


UNCONDITIONAL = Conditions()


class LeaseAction(Enum):
    """The actions, by the names of `x-ms-lease-action`."""

    ACQUIRE = "acquire"
    RENEW = "renew"
    CHANGE = "change"
    RELEASE = "release"
    BREAK = "break"


class LeaseCommand(Struct):
    """One action on a lease."""

    action: LeaseAction
    lease_id: str = ""
    """The lease that is held; for acquire the id that the new one shall have."""
    proposed_id: str = ""
    """For change: the id that the lease shall have from now on."""
    duration: int = ENDLESS
    """For acquire, in seconds."""
    break_period: int | None = None
    """For break, in seconds; None where the client gave none."""


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


class SetContainerAccess(Struct):
    """Set Container ACL."""

    target: OnContainer
    public_access: PublicAccess | None
    policies: list[AccessPolicy]


class LeaseContainer(Struct):
    """Lease Container."""

    target: OnContainer
    lease: LeaseCommand


class RestoreContainer(Struct):
    """Restore Container."""

    account: str
    container: str
    name: str
    """The name that it had."""
    version: str


class RenameContainer(Struct):
    """Rename Container."""

    account: str
    container: str
    """The name that it shall have."""
    source: str
    source_lease_id: str | None


class ListContainers(Struct):
    """List Containers."""

    account: str
    prefix: str
    start: str
    """The first name of the page, from its marker."""
    limit: int
    with_deleted: bool = False
    with_system: bool = False


class OnBlob(Struct):
    """An operation that needs no more than its blob."""

    account: str
    container: str
    blob: str
    conditions: Conditions = UNCONDITIONAL
    lease_id: str | None = None
    snapshot: Ticks | None = None
    """The snapshot that is meant; None for the base blob or a version."""
    version: Ticks | None = None
    key_sha256: str | None = None
    """Of the customer's key that the request bears, in base64."""
    encryption_scope: str | None = None

    @property
    def is_base(self) -> bool:
        """Whether the blob itself is meant, not a snapshot or a version of it."""
        return self.snapshot is None and self.version is None


class LeaseBlob(Struct):
    """Lease Blob."""

    target: OnBlob
    lease: LeaseCommand


class ByteRange(Struct):
    """A range of bytes, both ends included; an open end is None."""

    first: int
    last: int | None


class BlobProperties(Struct):
    """What an upload sets beside the content."""

    headers: ContentHeaders
    metadata: dict[str, str]
    tier: str | None
    tags: dict[str, str] = {}
    kind: BlobKind = "BlockBlob"
    immutable_until: Instant | None = None
    immutability_mode: str | None = None
    legal_hold: bool = False


class SetBlobMetadata(Struct):
    """Set Blob Metadata."""

    target: OnBlob
    metadata: dict[str, str]


class SetBlobTags(Struct):
    """Set Blob Tags."""

    target: OnBlob
    tags: dict[str, str]


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
    with_snapshots: bool = False
    with_versions: bool = False
    with_deleted: bool = False
    with_outlived: bool = False
    """Blobs that are gone but have versions, each by its last one."""


# --- what is answered ---------------------------------------------------------------------------------------------


class ContainerPage(Struct):
    """A page of a listing of containers."""

    containers: list[tuple[str, ContainerRecord]]
    next_start: str | None
    """Where the next page begins; None at the end."""


class ListedBlob(Struct):
    """A line of a listing of blobs; a prefix stands without a record."""

    name: str
    record: BlobRecord | None
    is_current: bool = True
    """False for snapshots, for versions but the last, and for what was deleted."""


class BlobPage(Struct):
    """A page of a listing of blobs, in order."""

    items: list[ListedBlob]
    next_start: str | None


class BlockLists(Struct):
    """The blocks of a blob."""

    record: BlobRecord
    committed: list[Block] | None
    """None where they were not asked for."""
    uncommitted: list[Block] | None
