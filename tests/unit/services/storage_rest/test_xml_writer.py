"""Writing XML that reads back."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from urllib.parse import unquote

from hypothesis import given
from hypothesis import strategies as st

from localzure.services.storage_rest.xml_writer import element, escape_text, name_element

WRITABLE = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn"]) | st.sampled_from("\r\n\t<>&\"'"))


@given(WRITABLE)
def test_text_reads_back_as_it_was(text: str) -> None:
    assert (ET.fromstring(f"<a>{escape_text(text)}</a>").text or "") == text


@given(WRITABLE)
def test_text_reads_back_from_an_attribute_but_for_its_lines(text: str) -> None:
    assert ET.fromstring(f'<a b="{escape_text(text)}"/>').get("b") == text.replace("\n", " ").replace("\t", " ")


def test_tabs_and_line_feeds_stand_as_they_are() -> None:
    assert escape_text("a\tb\nc\r\n") == "a\tb\nc&#13;\n"


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_names_read_back_whatever_they_hold(name: str) -> None:
    written = ET.fromstring(name_element(name))
    text = written.text or ""
    assert (unquote(text) if written.get("Encoded") == "true" else text) == name


def test_what_xml_cannot_hold_is_replaced() -> None:
    assert escape_text("a\x00\x1f\ufffe") == "a\ufffd\ufffd\ufffd"


def test_an_element_without_text_is_empty() -> None:
    assert element("A", None) == element("A", "") == "<A />"
    assert element("A", "b&c") == "<A>b&amp;c</A>"
