"""Atom as the administration API speaks it: reading what clients send, writing what they read.

Reading is tolerant: clients differ in prefixes, in the order of elements and in what they put around a description, so
elements and attributes are known by their local names alone. There are no document types and no entities but XML's own
five. Writing is exact: JavaScript takes the name of an entity from `<id>`, wants `CountDetails` to declare one prefix
and its children to have it; Python takes the name from `<title>` and the next page from the second of exactly two
`<link>`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from xml.parsers import expat

from localzure.services.interface import SECOND
from localzure.services.storage_rest.xml_writer import escape_text

if TYPE_CHECKING:
    from collections.abc import Iterable

ATOM = "http://www.w3.org/2005/Atom"
DESCRIPTIONS = "http://schemas.microsoft.com/netservices/2010/10/servicebus/connect"
"""The namespace of entity descriptions."""
COUNTS = "http://schemas.microsoft.com/netservices/2011/06/servicebus"
"""The namespace of what is inside `CountDetails`."""
INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"

DEPTH_MAX = 32
"""Deepest nesting that is read. The deepest entry that a client sends has seven levels."""

NEVER = "0001-01-01T00:00:00Z"
"""How Azure writes an instant that has not been."""

NOT_FOUND_TITLE = "Publicly Listed Services"
"""The title of the empty feed that a client gets for an entity that is not there; the Go SDK looks for it."""


class AtomError(Exception):
    """What a client sent is not well-formed, or holds what no client sends."""


@dataclass(slots=True)
class Element:
    """An element: its local name, attributes by local name, its own text, and its children in order."""

    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def child(self, name: str) -> Element | None:
        """The first child called `name`."""
        return next((child for child in self.children if child.name == name), None)

    @property
    def is_nil(self) -> bool:
        """It says that it has no value, by `i:nil`."""
        return self.attributes.get("nil", "").strip() in {"true", "1"}


class _Builder:
    """Builds a tree from what expat tells."""

    def __init__(self) -> None:
        self.root = Element("")
        self._open = [self.root]
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.StartDoctypeDeclHandler = _refuse_doctype

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._open) > DEPTH_MAX:
            raise AtomError(f"elements are nested more than {DEPTH_MAX} deep")
        # A declaration of a prefix is no attribute; it may not hide one of the same name.
        found = {_local(key): value for key, value in attributes.items() if not key.startswith("xmlns")}
        element = Element(_local(name), found)
        self._open[-1].children.append(element)
        self._open.append(element)

    def _end(self, _name: str) -> None:
        self._open.pop()

    def _text(self, data: str) -> None:
        self._open[-1].text += data


def parse(data: bytes) -> Element:
    """Return the root of a document. Raises AtomError."""
    builder = _Builder()
    try:
        builder.parser.Parse(data, True)
    except (expat.ExpatError, UnicodeError, LookupError, ValueError) as error:
        raise AtomError(str(error)) from error
    return builder.root.children[0]


def description_of(entry: Element) -> Element:
    """The description in an entry. Raises AtomError where there is none."""
    content = entry.child("content") if entry.name == "entry" else None
    if content is None or len(content.children) != 1:
        raise AtomError("an entry with a content that is one description is expected")
    return content.children[0]


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def _refuse_doctype(*_declaration: object) -> None:
    raise AtomError("document types are not accepted")


@dataclass(frozen=True, slots=True)
class Entry:
    """One entity in a reply."""

    title: str
    url: str
    """Where the entity is, with the query that it is got with."""
    published: int
    updated: int
    description: str
    """The encoded description, as `description` makes it."""


def element(name: str, text: str) -> str:
    """Write an element with a text."""
    return f"<{name}>{escape_text(text)}</{name}>" if text else f"<{name}/>"


def description(name: str, elements: Iterable[str]) -> str:
    """Write a description of encoded elements."""
    return f'<{name} xmlns="{DESCRIPTIONS}" xmlns:i="{INSTANCE}">{"".join(elements)}</{name}>'


def entry_document(entry: Entry, author: str) -> bytes:
    """Write an entry as a whole reply; `author` is the namespace."""
    return f'<entry xmlns="{ATOM}">{_entry(entry, author)}</entry>'.encode()


def feed_document(
    title: str, url: str, updated: int, entries: Iterable[Entry], author: str, next_url: str = ""
) -> bytes:
    """Write a page of entries; `next_url` is where the next one is, if there is one."""
    links = f'<link rel="self" href="{escape_text(url)}"/>'
    if next_url:
        links += f'<link rel="next" href="{escape_text(next_url)}"/>'
    head = (
        f'<title type="text">{escape_text(title)}</title><id>{escape_text(url)}</id>'
        f"<updated>{instant(updated)}</updated>"
    )
    body = "".join(f'<entry xml:base="{escape_text(url)}">{_entry(entry, author)}</entry>' for entry in entries)
    return f'<feed xmlns="{ATOM}">{head}{links}{body}</feed>'.encode()


def error_document(code: int, detail: str) -> bytes:
    """Write an error."""
    return f"<Error><Code>{code}</Code><Detail>{escape_text(detail)}</Detail></Error>".encode()


def _entry(entry: Entry, author: str) -> str:
    url = escape_text(entry.url)
    return (
        f'<id>{url}</id><title type="text">{escape_text(entry.title)}</title>'
        f"<published>{instant(entry.published)}</published><updated>{instant(entry.updated)}</updated>"
        f"<author><name>{escape_text(author)}</name></author>"
        f'<link rel="self" href="{url}"/><content type="application/xml">{entry.description}</content>'
    )


def boolean(value: bool) -> str:
    """Write a truth value."""
    return "true" if value else "false"


def instant(microseconds: int) -> str:
    """Write an instant with a tenth of a microsecond, as .NET does; 0 is never."""
    if not microseconds:
        return NEVER
    seconds, fraction = divmod(microseconds, SECOND)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{fraction:06}0Z"
