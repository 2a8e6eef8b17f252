"""Headers that all storage services share."""

from __future__ import annotations

import pytest

from localzure.services.interface import HttpRequest
from localzure.services.storage_rest.headers import (
    CLIENT_REQUEST_ID_MAX,
    LATEST_VERSION,
    METADATA_BYTES_MAX,
    is_version,
    metadata_fault,
    read_metadata,
    reply_headers,
)


def request(**headers: str) -> HttpRequest:
    return HttpRequest("GET", "/", "", headers, "http", "h", "", "id")


def test_replies_name_a_version() -> None:
    assert reply_headers(request()) == [("x-ms-version", LATEST_VERSION)]
    assert reply_headers(request(**{"x-ms-version": "2099-01-01"})) == [("x-ms-version", "2099-01-01")]


@pytest.mark.parametrize(
    ("length", "is_repeated"), [(0, True), (CLIENT_REQUEST_ID_MAX, True), (CLIENT_REQUEST_ID_MAX + 1, False)]
)
def test_long_client_request_ids_are_dropped(length: int, is_repeated: bool) -> None:
    headers = reply_headers(request(**{"x-ms-client-request-id": "x" * length}))
    assert ("x-ms-client-request-id" in dict(headers)) is is_repeated


@pytest.mark.parametrize(
    ("text", "expected"), [("2026-10-06", True), ("9999-99-99", True), ("2026-10-6", False), ("x", False)]
)
def test_versions_are_dates(text: str, expected: bool) -> None:
    assert is_version(text) is expected


def test_metadata_names_keep_their_case() -> None:
    asked = request(**{"x-ms-meta-up": "1", "x-ms-meta-low": "2", "x-ms-metal": "3"})
    asked.metadata_names = {"x-ms-meta-up": "X-Ms-Meta-Up"}
    assert read_metadata(asked) == {"Up": "1", "low": "2"}


@pytest.mark.parametrize(
    ("metadata", "fault"),
    [
        ({}, None),
        ({"a": "1", "_b2": "", "CamelCase": "x"}, None),
        ({"": "1"}, "EmptyMetadataKey"),
        ({"a-b": "1"}, "InvalidMetadata"),
        ({"1a": "1"}, "InvalidMetadata"),
        ({"é": "1"}, "InvalidMetadata"),
        ({"a": "x" * (METADATA_BYTES_MAX - 1)}, None),
        ({"a": "x" * METADATA_BYTES_MAX}, "MetadataTooLarge"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_metadata_that_azure_refuses(metadata: dict[str, str], fault: str | None) -> None:
    assert metadata_fault(metadata) == fault
