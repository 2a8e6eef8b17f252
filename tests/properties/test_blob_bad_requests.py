"""Whatever a request holds, the Blob service answers as Azure does, and what it refuses changes nothing."""

from __future__ import annotations

from urllib.parse import quote

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from localzure.services.blob.errors import BLOB_ERRORS
from localzure.services.blob.operations import CONDITION_HEADERS, OPERATIONS
from tests.blob_world import BlobWorld, block_id

LATIN = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=20)
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)

HEADERS = (
    "accept", "authorization", "content-encoding", "content-language", "content-length", "content-md5", "content-type",
    "date", "range", "x-ms-access-tier", "x-ms-blob-cache-control", "x-ms-blob-content-length",
    "x-ms-blob-content-md5", "x-ms-blob-content-type", "x-ms-blob-public-access", "x-ms-blob-type",
    "x-ms-client-request-id", "x-ms-content-crc64", "x-ms-copy-action", "x-ms-copy-source", "x-ms-date",
    "x-ms-default-encryption-scope", "x-ms-delete-snapshots", "x-ms-deny-encryption-scope-override",
    "x-ms-encryption-algorithm", "x-ms-encryption-key", "x-ms-encryption-key-sha256", "x-ms-encryption-scope",
    "x-ms-immutability-policy-mode", "x-ms-immutability-policy-until-date", "x-ms-lease-action", "x-ms-lease-id",
    "x-ms-legal-hold", "x-ms-meta-", "x-ms-meta-a", "x-ms-meta-a.b", "x-ms-page-write", "x-ms-range",
    "x-ms-range-get-content-crc64", "x-ms-range-get-content-md5", "x-ms-requires-sync", "x-ms-sequence-number-action",
    "x-ms-source-container-name", "x-ms-source-content-crc64", "x-ms-structured-body",
    "x-ms-structured-content-length", "x-ms-version",
)  # fmt: skip

HEADER_VALUES = LATIN | st.sampled_from(
    [
        "", "*", "0", "-1", "5", "true", "false", "BlockBlob", "PageBlob", "acquire", "update", "bytes=0-", "bytes=3-1",
        "bytes=999999-", "bytes=0-1,2-3", "bytes=-1", "Thu, 01 Jan 2026 00:00:00 GMT", '"0x8D"', "W/\"x\",*", "YQ==",
        "1B2M2Y8AsgTpgAmY7PhCfg==", "2026-10-06", "9" * 30, "Archive", "container", "abort", "include",
        "AES256", "application/vnd.apache.arrow.stream", "box", "Fri, 01 Jan 2100 00:00:00 GMT", "Locked",
        "XSM/1.0; properties=crc64", "AAAAAAAAAAA=",
    ]
)  # fmt: skip

PARAMETERS = (
    "blockid", "blocklisttype", "comp", "copyid", "delimiter", "endbefore", "include", "marker", "maxresults",
    "prefix", "prevsnapshot", "restype", "snapshot", "startfrom", "timeout", "versionid", "where",
)  # fmt: skip

PARAMETER_VALUES = ANY_TEXT | st.sampled_from(
    [
        "", "0", "-1", "1", "3", "99999999999999999999", block_id("1"), "YQ==", "all", "committed", "/", "list",
        "metadata", "block", "blocklist", "properties", "container", "service", "account", "tags",
        "2026-01-01T00:00:00.0000000Z",
    ]
)  # fmt: skip

BODIES = st.binary(max_size=200) | st.sampled_from(
    [
        b"<BlockList/>", b"<BlockList><Latest>YQ==</Latest></BlockList>", b"<BlockList><Latest>", b"<a>" * 50,
        b'<!DOCTYPE a [<!ENTITY b "b">]><BlockList/>',
        f"<BlockList><Latest>{block_id('1')}</Latest></BlockList>".encode(),
    ]
)  # fmt: skip

PATHS = st.sampled_from(
    [
        "",
        "/",
        "box",
        "box/",
        "box/blob",
        "box//",
        "nobox",
        "nobox/blob",
        "$root",
        "BOX/a",
        "box/%ff",
        "box/%",
        "a/b/c/d",
    ]
) | LATIN.filter(lambda path: "?" not in path and "#" not in path)


def fits(row_name: str, headers: dict[str, str], query: dict[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Add what makes a request one for the operation, so that what is random reaches the code behind."""
    row = next(row for row in OPERATIONS if row.name == row_name)
    for has in row.when:
        (query if has.is_parameter else headers)[has.name] = has.value or "x"
    for name, value in (("restype", row.restype), ("comp", row.comp)):
        query.pop(name, None)
        if value:
            query[name] = value
    for name in CONDITION_HEADERS - row.conditions:
        headers.pop(name, None)
    return headers, query


def filled() -> BlobWorld:
    world = BlobWorld()
    world.container()
    world.put("box/blob", b"before", {"x-ms-meta-a": "1"})
    world.stage("box/blob", "1", b"waits")
    return world


def check(
    world: BlobWorld, method: str, path: str, query: dict[str, str], headers: dict[str, str], body: bytes
) -> None:
    headers.setdefault("content-length", str(len(body)))
    raw_query = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in query.items())
    request = world.describe(method, path, raw_query, headers)
    before = world.stored_keys()
    answer = world.send(request, [body])
    assert answer.status in {200, 201, 202, 206, 304} or (400 <= answer.status < 500) or answer.status == 501, answer
    if answer.status >= 300:
        assert answer.code in BLOB_ERRORS or answer.code in {"InvalidAuthenticationInfo"}
        world.sweep()
        assert world.stored_keys() == before
        assert world.get("box/blob").body == b"before"
    if answer.status >= 400 and method != "HEAD":
        assert answer.xml.findtext("Code") == answer.code
        assert answer.xml.findtext("Message")


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    operation=st.sampled_from([row.name for row in OPERATIONS]),
    headers=st.dictionaries(st.sampled_from([*HEADERS, *sorted(CONDITION_HEADERS)]), HEADER_VALUES, max_size=6),
    query=st.dictionaries(st.sampled_from(PARAMETERS), PARAMETER_VALUES, max_size=4),
    body=BODIES,
)
def test_requests_for_what_is_built(
    operation: str, headers: dict[str, str], query: dict[str, str], body: bytes
) -> None:
    row = next(row for row in OPERATIONS if row.name == operation)
    path = {"service": "", "container": "box", "blob": "box/blob"}[row.resource]
    headers, query = fits(operation, headers, query)
    check(filled(), row.method, path, query, headers, body)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    method=st.sampled_from(["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "MERGE", "TRACE"]),
    path=PATHS,
    headers=st.dictionaries(st.sampled_from([*HEADERS, *sorted(CONDITION_HEADERS)]), HEADER_VALUES, max_size=6),
    query=st.dictionaries(st.sampled_from(PARAMETERS) | ANY_TEXT, PARAMETER_VALUES, max_size=4),
    body=BODIES,
)
def test_any_request(method: str, path: str, headers: dict[str, str], query: dict[str, str], body: bytes) -> None:
    check(filled(), method, path, query, headers, body)


@settings(max_examples=150, deadline=None)
@given(raw_query=st.text(st.characters(max_codepoint=255), max_size=40), path=LATIN)
def test_any_query_and_path_as_sent(raw_query: str, path: str) -> None:
    world = filled()
    for method in ("GET", "PUT"):
        answer = world.send(
            world.describe(method, path, raw_query, {"x-ms-blob-type": "BlockBlob", "content-length": "0"})
        )
        assert answer.status < 500 or answer.status == 501
    assert world.get("box/blob").body == b"before"
