"""Reading XML from clients, and refusing what no client of Azure sends."""

from __future__ import annotations

import pytest

from localzure.services.storage_rest.xml_reader import DEPTH_MAX, Element, XmlError, XmlReader, parse_document


def test_a_tree_of_names_and_texts() -> None:
    document = b'<?xml version="1.0" encoding="utf-8"?><a x="1">one<b>&lt;two&#233;&gt;</b><b/> three</a>'
    assert parse_document(document) == Element("a", "one three", [Element("b", "<twoé>"), Element("b")])


def test_any_split_of_the_bytes_gives_the_same() -> None:
    document = "<a><b>é&amp;ü</b><c>text</c></a>".encode()
    whole = parse_document(document)
    for at in range(1, len(document)):
        reader = XmlReader()
        reader.feed(document[:at])
        reader.feed(document[at:])
        assert reader.close() == whole


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "latin-1"])
def test_encodings_are_those_that_the_document_names(encoding: str) -> None:
    assert parse_document(f'<?xml version="1.0" encoding="{encoding}"?><a>é</a>'.encode(encoding)).text == "é"


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b" ",
        b"text",
        b"<a>",
        b"<a></b>",
        b"<a/><b/>",
        b"<a>\xff</a>",
        b"<a>\x00</a>",
        b"<a>&unknown;</a>",
        b'<?xml version="1.0" encoding="martian"?><a/>',
        b"<!DOCTYPE a><a/>",
        b'<!DOCTYPE a [<!ENTITY b "boom">]><a>&b;</a>',
        b'<!DOCTYPE a SYSTEM "http://127.0.0.1/x"><a/>',
        b"<a>" * (DEPTH_MAX + 1) + b"</a>" * (DEPTH_MAX + 1),
    ],
)
def test_what_is_refused(document: bytes) -> None:
    with pytest.raises(XmlError):
        parse_document(document)


def test_the_deepest_nesting() -> None:
    assert parse_document(b"<a>" * DEPTH_MAX + b"</a>" * DEPTH_MAX).name == "a"
