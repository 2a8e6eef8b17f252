"""The document of Query Blob Contents: the expression, and what goes in and comes out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from localzure.services.blob.errors import BlobError
from localzure.services.blob.query.formats import Arrow, ArrowField, Delimited, Format, JsonText

if TYPE_CHECKING:
    from localzure.services.storage_rest.xml_reader import Element

EXPRESSION_BYTES_MAX = 256 * 1024
"""Longest expression ("Query Blob Contents", request body)."""

ARROW_KINDS = frozenset({"bool", "int64", "string", "double", "decimal", "timestamp[ms]"})
"""The types of columns of an Arrow stream."""

SEPARATOR_CHARS_MAX = 16
"""Longest separator, quote or escape that is taken."""


class QueryRequest(Struct):
    """What is asked."""

    expression: str
    source: Format
    result: Format


def read_request(document: Element) -> QueryRequest:
    """Read the document. Raises BlobError."""
    if document.name != "QueryRequest":
        raise BlobError("InvalidXmlDocument", XmlNodeName=document.name)
    parts = {part.name: part for part in document.children}
    kind, expression = parts.get("QueryType"), parts.get("Expression")
    if kind is None or expression is None:
        raise BlobError("InvalidXmlDocument", XmlNodeName="QueryType" if kind is None else "Expression")
    if kind.text.strip().upper() != "SQL":
        raise _bad_value(kind)
    if not expression.text.strip() or len(expression.text.encode()) > EXPRESSION_BYTES_MAX:
        raise _bad_value(expression)
    source = _read_side(parts.get("InputSerialization"))
    if isinstance(source, Arrow):
        raise BlobError("InvalidXmlNodeValue", XmlNodeName="Type", XmlNodeValue="arrow")
    return QueryRequest(expression.text, source, _read_side(parts.get("OutputSerialization")))


def _read_side(side: Element | None) -> Format:
    """Read a format; without one it is CSV without headers."""
    if side is None:
        return Delimited()
    form = _child(side, "Format")
    kind = _child(form, "Type")
    text = kind.text.strip().lower()
    if text == "delimited":
        return _delimited(_maybe_child(form, "DelimitedTextConfiguration"))
    if text == "json":
        return JsonText(_separator(_maybe_child(form, "JsonTextConfiguration"), "RecordSeparator", "\n"))
    if text == "arrow":
        return Arrow(tuple(map(_arrow_field, _child(_child(form, "ArrowConfiguration"), "Schema").children)))
    if text == "parquet":
        raise BlobError("NotImplemented", Operation="Blob_Query", Format="parquet")
    raise _bad_value(kind)


def _delimited(configuration: Element | None) -> Delimited:
    if configuration is None:
        return Delimited()
    has_headers = _maybe_child(configuration, "HasHeaders")
    form = Delimited(
        _separator(configuration, "ColumnSeparator", ","),
        _separator(configuration, "FieldQuote", "", may_be_empty=True),
        _separator(configuration, "RecordSeparator", "\n"),
        _separator(configuration, "EscapeChar", "", may_be_empty=True),
        has_headers is not None and has_headers.text.strip().lower() == "true",
    )
    if form.column_separator == form.record_separator:
        raise BlobError("InvalidXmlNodeValue", XmlNodeName="RecordSeparator", XmlNodeValue=form.record_separator)
    return form


def _separator(configuration: Element | None, name: str, default: str, *, may_be_empty: bool = False) -> str:
    """Read a separator, whose white space counts."""
    part = None if configuration is None else _maybe_child(configuration, name)
    if part is None:
        return default
    text = part.text
    if len(text) > SEPARATOR_CHARS_MAX:
        raise _bad_value(part)
    return text if text or may_be_empty else default


def _arrow_field(element: Element) -> ArrowField:
    kind = _child(element, "Type")
    text = kind.text.strip().lower()
    if text not in ARROW_KINDS:
        raise _bad_value(kind)
    name = _maybe_child(element, "Name")
    return ArrowField(
        text,
        "" if name is None else name.text,
        _natural(_maybe_child(element, "Precision")),
        _natural(_maybe_child(element, "Scale")),
    )


def _natural(element: Element | None) -> int:
    if element is None:
        return 0
    text = element.text.strip()
    if not text.isascii() or not text.isdecimal() or len(text) > 4:
        raise _bad_value(element)
    return int(text)


def _child(element: Element, name: str) -> Element:
    found = _maybe_child(element, name)
    if found is None:
        raise BlobError("InvalidXmlDocument", XmlNodeName=name)
    return found


def _maybe_child(element: Element, name: str) -> Element | None:
    return next((child for child in element.children if child.name == name), None)


def _bad_value(element: Element) -> BlobError:
    return BlobError("InvalidXmlNodeValue", XmlNodeName=element.name, XmlNodeValue=element.text[:64])
