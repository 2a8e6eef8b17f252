"""Containers, through requests and replies."""

from __future__ import annotations

import pytest

from localzure.auth.dates import http_date
from localzure.services.blob.documents import _next_marker
from tests.blob_world import BlobWorld

HTTP_START = "Thu, 01 Jan 2026 00:00:00 GMT"


@pytest.fixture
def world() -> BlobWorld:
    return BlobWorld()


def names(world: BlobWorld, query: str = "") -> list[str | None]:
    answer = world.ask("GET", "", f"comp=list{query}")
    assert answer.status == 200, answer
    return [name.text for name in answer.xml.iterfind("Containers/Container/Name")]


def test_create_and_get(world: BlobWorld) -> None:
    created = world.ask("PUT", "box", "restype=container", {"x-ms-meta-Colour": "blue", "x-ms-client-request-id": "me"})
    assert (created.status, created.body) == (201, b"")
    assert created.headers["last-modified"] == HTTP_START
    assert created.headers["x-ms-client-request-id"] == "me"
    for method in ("GET", "HEAD"):
        got = world.ask(method, "box", "restype=container")
        assert (got.status, got.body) == (200, b"")
        assert got.headers["etag"] == created.headers["etag"]
        assert got.metadata == {"Colour": "blue"}
        assert got.headers["x-ms-lease-state"] == "available"
        assert got.headers["x-ms-lease-status"] == "unlocked"
        assert got.headers["x-ms-has-immutability-policy"] == "false"
        assert got.headers["x-ms-default-encryption-scope"] == "$account-encryption-key"
        assert "x-ms-blob-public-access" not in got.headers
        assert world.ask(method, "box", "restype=container&comp=metadata").metadata == {"Colour": "blue"}


def test_a_trailing_slash_changes_nothing(world: BlobWorld) -> None:
    assert world.ask("PUT", "box/", "restype=container").status == 201
    assert world.ask("GET", "box/", "restype=container").status == 200


def test_options_of_create_are_kept(world: BlobWorld) -> None:
    headers = {
        "x-ms-blob-public-access": "Blob",
        "x-ms-default-encryption-scope": "mine",
        "x-ms-deny-encryption-scope-override": "true",
    }
    world.ask("PUT", "box", "restype=container", headers)
    got = world.ask("GET", "box", "restype=container").headers
    assert got["x-ms-blob-public-access"] == "blob"
    assert got["x-ms-default-encryption-scope"] == "mine"
    assert got["x-ms-deny-encryption-scope-override"] == "true"
    properties = world.ask("GET", "", "comp=list").xml.find("Containers/Container/Properties")
    assert properties is not None
    assert properties.findtext("PublicAccess") == "blob"
    assert properties.findtext("DefaultEncryptionScope") == "mine"


@pytest.mark.parametrize("header", ["x-ms-blob-public-access", "x-ms-deny-encryption-scope-override"])
def test_options_of_another_form_are_refused(world: BlobWorld, header: str) -> None:
    answer = world.ask("PUT", "box", "restype=container", {header: "perhaps"})
    assert (answer.status, answer.code) == (400, "InvalidHeaderValue")
    assert answer.xml.findtext("HeaderName") == header
    assert names(world) == []


def test_a_container_is_created_once(world: BlobWorld) -> None:
    world.container("box")
    answer = world.ask("PUT", "box", "restype=container")
    assert (answer.status, answer.code) == (409, "ContainerAlreadyExists")


@pytest.mark.parametrize("name", ["abc", "a-b-c", "123", "a" * 63, "$root", "$web", "$logs"])
def test_names_that_azure_takes(world: BlobWorld, name: str) -> None:
    assert world.ask("PUT", name, "restype=container").status == 201
    assert names(world, "&include=system") == sorted({name, "$logs"})


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("ab", "OutOfRangeInput"),
        ("a" * 64, "OutOfRangeInput"),
        ("Box", "InvalidResourceName"),
        ("a--b", "InvalidResourceName"),
        ("-ab", "InvalidResourceName"),
        ("ab-", "InvalidResourceName"),
        ("a_b", "InvalidResourceName"),
        ("%C3%A9%C3%A9%C3%A9", "InvalidResourceName"),
        ("$other", "InvalidResourceName"),
        ("%ff", "InvalidUri"),
    ],
)
def test_names_that_azure_refuses(world: BlobWorld, name: str, code: str) -> None:
    for method, query in (
        ("PUT", "restype=container"),
        ("GET", "restype=container&comp=list"),
        ("DELETE", "restype=container"),
    ):
        answer = world.ask(method, name, query)
        assert (answer.status, answer.code) == (400, code)


@pytest.mark.parametrize(
    ("metadata", "code"),
    [
        ({"x-ms-meta-": "1"}, "EmptyMetadataKey"),
        ({"x-ms-meta-a.b": "1"}, "InvalidMetadata"),
        ({"x-ms-meta-a": "x" * 8193}, "MetadataTooLarge"),
    ],
    ids=str,
)
def test_metadata_that_azure_refuses(world: BlobWorld, metadata: dict[str, str], code: str) -> None:
    assert world.ask("PUT", "box", "restype=container", metadata).code == code
    world.container("box")
    assert world.ask("PUT", "box", "restype=container&comp=metadata", metadata).code == code
    assert world.ask("GET", "box", "restype=container").metadata == {}


def test_set_metadata_replaces_all_of_it(world: BlobWorld) -> None:
    world.container("box", **{"x-ms-meta-a": "1", "x-ms-meta-b": "2"})
    before = world.ask("GET", "box", "restype=container").headers
    now = world.clock.advance(10)
    answer = world.ask("PUT", "box", "restype=container&comp=metadata", {"x-ms-meta-B": "3"})
    assert (answer.status, answer.body) == (200, b"")
    after = world.ask("GET", "box", "restype=container")
    assert after.metadata == {"B": "3"}
    assert after.headers["etag"] == answer.headers["etag"] != before["etag"]
    assert after.headers["last-modified"] == http_date(now)


def test_set_metadata_takes_only_if_modified_since(world: BlobWorld) -> None:
    world.container("box")
    query = "restype=container&comp=metadata"
    assert world.ask("PUT", "box", query, {"if-modified-since": HTTP_START}).code == "ConditionNotMet"
    assert world.ask("PUT", "box", query, {"if-modified-since": "Wed, 31 Dec 2025 23:59:59 GMT"}).status == 200
    for header in ("if-match", "if-none-match", "if-unmodified-since"):
        assert world.ask("PUT", "box", query, {header: HTTP_START}).code == "ConditionHeadersNotSupported"


def test_delete(world: BlobWorld) -> None:
    world.container("box")
    world.put("box/a")
    assert world.ask("DELETE", "box", "restype=container").status == 202
    for answer in (
        world.ask("DELETE", "box", "restype=container"),
        world.ask("GET", "box", "restype=container"),
        world.ask("GET", "box", "restype=container&comp=list"),
        world.ask("PUT", "box", "restype=container&comp=metadata"),
        world.get("box/a"),
        world.put("box/a"),
    ):
        assert (answer.status, answer.code) == (404, "ContainerNotFound")


def test_delete_takes_times(world: BlobWorld) -> None:
    world.container("box")
    assert world.ask("DELETE", "box", "restype=container", {"if-modified-since": HTTP_START}).status == 412
    assert world.ask("DELETE", "box", "restype=container", {"if-match": "*"}).code == "ConditionHeadersNotSupported"
    assert world.ask("DELETE", "box", "restype=container", {"if-unmodified-since": HTTP_START}).status == 202


def test_a_deleted_name_can_be_taken_at_once_and_is_empty(world: BlobWorld) -> None:
    world.container("box")
    world.put("box/old")
    world.ask("DELETE", "box", "restype=container")
    world.container("box")
    world.put("box/new")
    assert world.get("box/old").status == 404
    world.sweep()
    assert world.get("box/new").body == b"content"


def test_there_are_no_leases(world: BlobWorld) -> None:
    world.container("box")
    lease = {"x-ms-lease-id": "00000000-0000-0000-0000-000000000000"}
    for method, query in (("GET", ""), ("DELETE", ""), ("PUT", "&comp=metadata")):
        answer = world.ask(method, "box", f"restype=container{query}", lease)
        assert (answer.status, answer.code) == (412, "LeaseNotPresentWithContainerOperation")


def test_list_in_order_by_prefix_and_in_pages(world: BlobWorld) -> None:
    given = [f"box-{number}" for number in range(7)] + ["abc", "zzz"]
    for name in reversed(given):
        world.container(name)
    assert names(world) == sorted(given)
    assert names(world, "&prefix=box-") == given[:7]
    assert names(world, "&prefix=nothing") == []
    seen: list[str | None] = []
    marker = ""
    pages = 0
    while True:
        answer = world.ask("GET", "", f"comp=list&prefix=box-&maxresults=3{marker and '&marker=' + marker}").xml
        page = [name.text for name in answer.iterfind("Containers/Container/Name")]
        assert len(page) <= 3
        assert answer.findtext("Marker") == marker
        assert answer.findtext("MaxResults") == "3"
        assert answer.findtext("Prefix") == "box-"
        seen += page
        pages += 1
        marker = answer.findtext("NextMarker") or ""
        if not marker:
            break
    assert (seen, pages) == (given[:7], 3)


def test_a_page_that_ends_the_list_has_no_marker(world: BlobWorld) -> None:
    for name in ("box-a", "box-b"):
        world.container(name)
    assert not world.ask("GET", "", "comp=list&maxresults=2").xml.findtext("NextMarker")


def test_list_shows_the_endpoint_and_metadata_where_it_is_asked_for(world: BlobWorld) -> None:
    world.container("box", **{"x-ms-meta-Note": "a<b"})
    plain = world.ask("GET", "", "comp=list").xml
    assert plain.get("ServiceEndpoint") == "http://127.0.0.1:10000/devstoreaccount1/"
    assert plain.find("Containers/Container/Metadata") is None
    full = world.ask("GET", "", "comp=list&include=metadata").xml
    assert full.findtext("Containers/Container/Metadata/Note") == "a<b"
    etag = world.ask("GET", "box", "restype=container").headers["etag"]
    assert full.findtext("Containers/Container/Properties/Etag") == etag


@pytest.mark.parametrize("include", ["", "metadata", "deleted", "system", "metadata,deleted,system"])
def test_list_includes_what_azure_knows(world: BlobWorld, include: str) -> None:
    assert names(world, f"&include={include}") == (["$logs"] if "system" in include else [])


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("&include=frogs", "InvalidQueryParameterValue"),
        ("&maxresults=x", "InvalidQueryParameterValue"),
        ("&maxresults=0", "OutOfRangeQueryParameterValue"),
        ("&maxresults=-1", "OutOfRangeQueryParameterValue"),
        ("&maxresults=" + "9" * 19, "InvalidQueryParameterValue"),
        ("&marker=!", "InvalidQueryParameterValue"),
        ("&marker=_w==", "InvalidQueryParameterValue"),
    ],
)
def test_list_refuses_what_azure_does_not_know(world: BlobWorld, query: str, code: str) -> None:
    answer = world.ask("GET", "", f"comp=list{query}")
    assert (answer.status, answer.code) == (400, code)


def test_accounts_do_not_see_each_other(world: BlobWorld) -> None:
    world.container("box")
    assert world.ask("PUT", "box", "restype=container", account="other").status == 201
    world.put("box/a")
    assert world.ask("GET", "box/a", account="other").status == 404
    world.ask("DELETE", "box", "restype=container", account="other")
    assert world.get("box/a").status == 200


def test_an_account_that_is_not_configured(world: BlobWorld) -> None:
    answer = world.ask("GET", "", "comp=list", account="nobody")
    assert (answer.status, answer.code) == (404, "ResourceNotFound")


def test_the_secondary_is_read_only(world: BlobWorld) -> None:
    world.container("box")
    world.put("box/a")
    assert world.ask("GET", "box/a", account="devstoreaccount1-secondary").body == b"content"
    for method in ("PUT", "DELETE"):
        answer = world.ask(method, "box", "restype=container", account="devstoreaccount1-secondary")
        assert (answer.status, answer.code) == (403, "InsufficientAccountPermissions")


def test_markers_are_opaque_but_exact() -> None:
    assert _next_marker("é") == "<NextMarker>w6k=</NextMarker>"


@pytest.mark.parametrize("version", ["2009-09-19", "2026-10-06", "2027-12-31"])
def test_any_version_is_taken_and_repeated(world: BlobWorld, version: str) -> None:
    answer = world.ask("GET", "", "comp=list", {"x-ms-version": version})
    assert (answer.status, answer.headers["x-ms-version"]) == (200, version)


def test_a_version_is_a_date(world: BlobWorld) -> None:
    assert world.ask("GET", "", "comp=list", {"x-ms-version": "newest"}).code == "InvalidHeaderValue"


def test_the_container_of_logs_is_shown_to_those_who_ask_for_it(world: BlobWorld) -> None:
    logging = (
        b"<StorageServiceProperties><Logging><Version>1.0</Version><Delete>false</Delete><Read>true</Read>"
        b"<Write>false</Write><RetentionPolicy><Enabled>false</Enabled></RetentionPolicy></Logging></StorageServiceProperties>"
    )
    assert world.ask("PUT", "", "restype=service&comp=properties", body=logging).status == 202
    assert world.ask("HEAD", "$logs", "restype=container").status == 200
    assert names(world) == []
    assert names(world, "&include=system") == ["$logs"]
    assert names(world, "&include=system&prefix=x") == []
