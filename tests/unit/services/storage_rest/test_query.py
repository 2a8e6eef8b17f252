"""Percent-decoding of paths and queries."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localzure.services.storage_rest.query import PARAMETERS_MAX, UriError, decode_path, parse_query

TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@given(TEXT)
def test_paths_decode_to_what_was_encoded(text: str) -> None:
    assert decode_path(quote(text, safe="/~")) == text


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("a+b", "a+b"),
        ("a%2Bb", "a+b"),
        ("a%2Fb", "a/b"),
        ("a%252Fb", "a%2Fb"),
        ("100%", "100%"),
        ("%zz", "%zz"),
        ("Ã©", "é"),
    ],
)
def test_paths(raw: str, name: str) -> None:
    assert decode_path(raw) == name


@pytest.mark.parametrize("raw", ["%ff", "%c3", "%ed%a0%80", "\xff"])
def test_paths_are_utf8(raw: str) -> None:
    with pytest.raises(UriError):
        decode_path(raw)


@given(st.dictionaries(TEXT.map(str.lower).filter(lambda name: name.lower() == name), TEXT, max_size=5))
def test_queries_decode_to_what_was_encoded(parameters: dict[str, str]) -> None:
    raw = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in parameters.items())
    expected = parameters if raw != "=" else {"": ""}
    assert parse_query(raw) == expected


@pytest.mark.parametrize(
    ("raw", "parameters"),
    [
        ("", {}),
        ("&&", {}),
        ("comp", {"comp": ""}),
        ("COMP=List", {"comp": "List"}),
        ("prefix=a+b%2B", {"prefix": "a b+"}),
        ("a=b=c", {"a": "b=c"}),
    ],
)
def test_queries(raw: str, parameters: dict[str, str]) -> None:
    assert parse_query(raw) == parameters


@pytest.mark.parametrize("raw", ["a=%ff", "%ff=a", "a=1&A=2", "&".join(f"a{n}" for n in range(PARAMETERS_MAX + 1))])
def test_queries_that_are_refused(raw: str) -> None:
    with pytest.raises(UriError):
        parse_query(raw)
