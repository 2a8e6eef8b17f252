"""Writing XML: escaping text, and names that XML cannot hold."""

from __future__ import annotations

import re
from urllib.parse import quote

_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def escape_text(text: str) -> str:
    """Escape text for an element or a quoted attribute; characters that XML cannot hold become U+FFFD.

    Tabs and line feeds stand as they are, as Azure writes them: the JavaScript SDK reads no character references. In an
    attribute they would be read as spaces, but there are only names and URLs in ours.
    """
    if "&" in text:
        text = text.replace("&", "&amp;")
    if "<" in text:
        text = text.replace("<", "&lt;")
    if ">" in text:
        text = text.replace(">", "&gt;")
    if '"' in text:
        text = text.replace('"', "&quot;")
    if not text.isprintable():
        text = _UNWRITABLE.sub("\ufffd", text)
        text = text.replace("\r", "&#13;")  # parsers take it for a line feed
    return text


def element(name: str, text: str | None) -> str:
    """Return `<name>text</name>`; an empty element for no text."""
    return f"<{name}>{escape_text(text)}</{name}>" if text else f"<{name} />"


def name_element(name: str) -> str:
    """Return a resource's `<Name>`, percent-encoded and marked so where XML cannot hold it (since 2021-02-12)."""
    if not name.isprintable() and _UNWRITABLE.search(name):
        return f'<Name Encoded="true">{escape_text(quote(name))}</Name>'
    return f"<Name>{escape_text(name)}</Name>"
