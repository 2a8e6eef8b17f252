"""Conditional headers: what they ask of a resource, and what is answered where it does not hold.

Reads follow the expression of version 2013-08-15, `If-Match && If-Unmodified-Since && (If-None-Match ||
If-Modified-Since)`, with lists of tags. Writes take one tag, and of two headers only the pairs If-None-Match with
If-Modified-Since and If-Match with If-Unmodified-Since, where the tag decides ("Specifying conditional headers for
Blob service operations"). Times count in whole seconds, as clients have them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure.services.blob.errors import BlobError
from localzure.services.blob.model import UNCONDITIONAL, ContainerRecord
from localzure.services.interface import SECOND

if TYPE_CHECKING:
    from localzure.services.blob.model import BlobRecord, Conditions
    from localzure.services.interface import Instant

ANY = ("*",)
"""What `*` is read as."""


def check_read(conditions: Conditions, record: BlobRecord | ContainerRecord) -> None:
    """Raise BlobError where a resource that exists must not be read: 412, 304, or 400 for `If-None-Match: *`."""
    if conditions is UNCONDITIONAL:
        return
    _check_tags(conditions, record)
    if conditions.if_none_match == ANY:
        raise BlobError("UnsatisfiableCondition")
    tag = _tag(record)
    if conditions.if_match and conditions.if_match != ANY and tag not in conditions.if_match:
        raise BlobError("ConditionNotMet")
    if conditions.if_unmodified_since is not None and _is_modified(record, conditions.if_unmodified_since):
        raise BlobError("ConditionNotMet")
    is_new = not conditions.if_none_match or tag not in conditions.if_none_match
    is_newer = conditions.if_modified_since is None or _is_modified(record, conditions.if_modified_since)
    if conditions.if_none_match and conditions.if_modified_since is not None:
        may_read = is_new or is_newer
    else:
        may_read = is_new and is_newer
    if not may_read:
        raise BlobError("ConditionNotMet", status=304)


def check_absent_read(conditions: Conditions) -> None:
    """Raise BlobError where a condition asks for a resource that does not exist: 412, before any 404."""
    if conditions.if_match:
        raise BlobError("ConditionNotMet")


def check_write(conditions: Conditions, record: BlobRecord | ContainerRecord | None) -> None:
    """Raise BlobError where a resource must not be written: 412, or 400 for headers that do not go together."""
    if conditions is UNCONDITIONAL:
        return
    _check_tags(conditions, record)
    _check_combination(conditions)
    if conditions.if_none_match:
        if record is not None and (conditions.if_none_match == ANY or _tag(record) in conditions.if_none_match):
            raise BlobError("ConditionNotMet")
    elif conditions.if_match:
        if record is None or (conditions.if_match != ANY and _tag(record) not in conditions.if_match):
            raise BlobError("ConditionNotMet")
    elif record is not None:
        _check_times(conditions, record)


def _check_tags(conditions: Conditions, record: BlobRecord | ContainerRecord | None) -> None:
    """A blob that does not exist has no tags to fulfil a condition with."""
    if conditions.if_tags is None:
        return
    if isinstance(record, ContainerRecord) or record is None or not conditions.if_tags.holds(record.tags):
        raise BlobError("ConditionNotMet")


def _check_times(conditions: Conditions, record: BlobRecord | ContainerRecord) -> None:
    since = conditions.if_modified_since
    if since is not None and not _is_modified(record, since):
        raise BlobError("ConditionNotMet")
    since = conditions.if_unmodified_since
    if since is not None and _is_modified(record, since):
        raise BlobError("ConditionNotMet")


def _check_combination(conditions: Conditions) -> None:
    if len(conditions.if_match) > 1 or len(conditions.if_none_match) > 1:
        raise BlobError("MultipleConditionHeadersNotSupported")
    is_cache = bool(conditions.if_none_match), conditions.if_modified_since is not None
    is_guard = bool(conditions.if_match), conditions.if_unmodified_since is not None
    if any(is_cache) and any(is_guard):
        raise BlobError("MultipleConditionHeadersNotSupported")


def _tag(record: BlobRecord | ContainerRecord) -> str:
    return f"0x{record.etag:X}"


def _is_modified(record: BlobRecord | ContainerRecord, since: Instant) -> bool:
    return record.modified // SECOND > since // SECOND
