"""Reading XML from clients: no document type, no entities but the five that XML defines, bounded depth.

`open_parser` gives the guarded parser to feed as a body arrives, for documents with many elements; `XmlReader` builds
a small tree with it, for the others. Whoever feeds them bounds the size of the whole.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from xml.parsers import expat

if TYPE_CHECKING:
    from collections.abc import Callable

DEPTH_MAX = 32
"""Deepest nesting. The deepest document of the storage services has six levels."""


class XmlError(Exception):
    """The document is not well formed, or holds what no client of Azure sends."""


class GuardedParser:
    """An expat parser that refuses document types, entities and deep nesting."""

    def __init__(
        self,
        start: Callable[[str], None],
        text: Callable[[str], None],
        end: Callable[[], None],
    ) -> None:
        """`start` gets an element's name, `text` a run of character data (maybe in pieces), `end` nothing."""
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = text
        self._parser.StartDoctypeDeclHandler = _refuse_doctype
        self._on_start = start
        self._on_end = end
        self._depth = 0

    def feed(self, data: bytes) -> None:
        """Take the next bytes. Raises XmlError."""
        self._parse(data, last=False)

    def close(self) -> None:
        """The document is complete. Raises XmlError where it is not."""
        self._parse(b"", last=True)

    def _parse(self, data: bytes, *, last: bool) -> None:
        try:
            self._parser.Parse(data, last)
        except (expat.ExpatError, UnicodeError, LookupError, ValueError) as error:
            raise XmlError(str(error)) from error

    def _start(self, name: str, _attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise XmlError(f"elements are nested more than {DEPTH_MAX} deep")
        self._on_start(name)

    def _end(self, _name: str) -> None:
        self._depth -= 1
        self._on_end()


def _refuse_doctype(*_declaration: object) -> None:
    raise XmlError("document types are not accepted")


@dataclass(slots=True)
class Element:
    """An element: its own text joined, its children in order."""

    name: str
    text: str = ""
    children: list[Element] = field(default_factory=list)


class XmlReader:
    """Builds the tree of a document that is fed in pieces."""

    def __init__(self) -> None:
        self._parser = GuardedParser(self._start, self._text, self._end)
        self._open: list[Element] = [Element("")]

    def feed(self, data: bytes) -> None:
        """Take the next bytes. Raises XmlError."""
        self._parser.feed(data)

    def close(self) -> Element:
        """Return the root. Raises XmlError where the document is incomplete."""
        self._parser.close()
        return self._open[0].children[0]

    def _start(self, name: str) -> None:
        child = Element(name)
        self._open[-1].children.append(child)
        self._open.append(child)

    def _text(self, data: str) -> None:
        self._open[-1].text += data

    def _end(self) -> None:
        self._open.pop()


def parse_document(data: bytes) -> Element:
    """Return the root of a whole document. Raises XmlError."""
    reader = XmlReader()
    reader.feed(data)
    return reader.close()
