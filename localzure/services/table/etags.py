"""Entity tags of the Table service: `W/"datetime'2026-11-20T18%3A00%3A00.1234567Z'"`, the Timestamp of an entity."""

from __future__ import annotations

import re

from localzure.services.storage_rest.iso8601 import format_ticks

_FORM = re.compile(r'W/"[^"]*"')


def format_etag(ticks: int) -> str:
    """Return the tag of an entity that was written at `ticks`."""
    return f"W/\"datetime'{format_ticks(ticks).replace(':', '%3A')}'\""


def is_condition(text: str) -> bool:
    """Whether text is what `If-Match` may hold: an asterisk or one weak entity tag."""
    return text == "*" or _FORM.fullmatch(text) is not None
