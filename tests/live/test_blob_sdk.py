"""The unmodified azure-storage-blob package against a real server, with the well-known development account."""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from io import BytesIO
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.storage.blob import (
    BlobBlock,
    BlobClient,
    BlobPrefix,
    BlobServiceClient,
    ContainerClient,
    ContentSettings,
    StandardBlobTier,
    StaticWebsite,
)
from azure.storage.blob import aio as blob_aio

from localzure.testing import LocalZure

MIB = 1024 * 1024
WRONG_KEY = "d3Jvbmcga2V5IG9mIHRoZSBkZXZlbG9wbWVudCBhY2NvdW50"


@pytest.fixture(scope="module")
def azure() -> Iterator[LocalZure]:
    with LocalZure(in_memory=False) as server:
        yield server


@pytest.fixture
def service(azure: LocalZure) -> Iterator[BlobServiceClient]:
    with BlobServiceClient.from_connection_string(azure.blob_connection_string, retry_total=0) as client:
        yield client


@pytest.fixture
def box(service: BlobServiceClient, request: pytest.FixtureRequest) -> Iterator[ContainerClient]:
    name = "box-" + hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:16]
    container = service.create_container(name)
    yield container
    container.delete_container()


def noise(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


def test_containers(service: BlobServiceClient) -> None:
    names = [f"list-{number}" for number in range(5)]
    for name in names:
        service.create_container(name, metadata={"Name": name})
    listed = list(service.list_containers(name_starts_with="list-", include_metadata=True, results_per_page=2))
    assert [container.name for container in listed] == names
    assert [container.metadata for container in listed] == [{"Name": name} for name in names]
    pages = service.list_containers(name_starts_with="list-", results_per_page=2).by_page()
    assert [len(list(page)) for page in pages] == [2, 2, 1]
    container = service.get_container_client("list-0")
    properties = container.get_container_properties()
    assert (properties.name, properties.etag) == ("list-0", listed[0].etag)
    assert properties.lease.state == "available"
    container.set_container_metadata({"UPPER": "Case"})
    assert container.get_container_properties().metadata == {"UPPER": "Case"}
    with pytest.raises(ResourceExistsError) as exists:
        service.create_container("list-0")
    assert exists.value.error_code == "ContainerAlreadyExists"  # type: ignore[attr-defined]  # set by the SDK
    for name in names:
        service.delete_container(name)
    with pytest.raises(ResourceNotFoundError):
        container.get_container_properties()
    assert not container.exists()
    service.create_container("list-0")
    service.delete_container("list-0")


@pytest.mark.parametrize("size", [0, 1, 1000, 5000, 300_000, 33 * MIB])
def test_upload_and_download(box: ContainerClient, size: int) -> None:
    body = noise(size)
    blob = box.get_blob_client("dir/blob")
    written = blob.upload_blob(body)
    assert blob.download_blob().readall() == body
    properties = blob.get_blob_properties()
    assert properties.size == size
    assert properties.etag == written["etag"]
    assert bytes(properties.content_settings.content_md5 or b"") == hashlib.md5(body).digest()
    assert properties.blob_tier == "Hot"
    assert properties.lease.status == "unlocked"
    blob.delete_blob()
    assert not blob.exists()


def test_the_largest_upload_in_parallel_blocks(azure: LocalZure, box: ContainerClient) -> None:
    """256 MiB, which the SDK stages as blocks, over several connections."""
    body = os.urandom(MIB) * 256
    blob = box.get_blob_client("large")
    blob.upload_blob(body, max_concurrency=4)
    committed, uncommitted = blob.get_block_list("all")
    assert len(committed) == 64
    assert uncommitted == []
    assert blob.get_blob_properties().size == len(body)
    assert hashlib.sha256(blob.download_blob(max_concurrency=4).readall()).digest() == hashlib.sha256(body).digest()
    assert blob.download_blob(offset=100 * MIB - 5, length=10).readall() == body[100 * MIB - 5 : 100 * MIB + 5]


def test_a_stream_of_unknown_length(box: ContainerClient) -> None:
    pieces = [noise(100_000, seed) for seed in range(50)]
    box.upload_blob("stream", iter(pieces), max_concurrency=1)
    assert box.download_blob("stream").readall() == b"".join(pieces)


NAMES = [
    "plain",
    "with space/and+plus/and%20percent/and%",
    "ünïcödé/日本語/\U0001f600",
    "question?hash#amp&equals=semi;colon:at@dollar$",
    "quotes\"'`<>[]{}|\\^",
    "double//slash/",
    "tilde~.-_!*()",
    "x" * 1024,
    "é" * 1024,
    "/".join(["s"] * 200),
]


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[:24])
def test_names(azure: LocalZure, box: ContainerClient, name: str) -> None:
    box.upload_blob(name, b"mine")
    assert box.download_blob(name).readall() == b"mine"
    assert [blob.name for blob in box.list_blobs()] == [name]
    assert [blob.name for blob in box.list_blobs(name_starts_with=name)] == [name]

    async def asynchronously() -> bytes:
        client = blob_aio.BlobServiceClient.from_connection_string(azure.blob_connection_string)
        async with client, client.get_blob_client(box.container_name, name) as blob:
            return bytes(await (await blob.download_blob()).readall())

    assert asyncio.run(asynchronously()) == b"mine"


def test_listing(box: ContainerClient) -> None:
    names = sorted(f"{directory}/{number}" for directory in ("a", "b", "c/d") for number in range(4))
    for name in names:
        box.upload_blob(name, name.encode(), metadata={"Of": name.replace("/", "_")})
    assert [blob.name for blob in box.list_blobs(results_per_page=5)] == names
    assert list(box.list_blob_names(name_starts_with="b/")) == [name for name in names if name.startswith("b/")]
    listed = list(box.list_blobs(include=["metadata", "tags", "snapshots"]))
    assert [blob.metadata for blob in listed] == [{"Of": name.replace("/", "_")} for name in names]
    assert [(type(item) is BlobPrefix, item.name) for item in box.walk_blobs()] == [
        (True, "a/"),
        (True, "b/"),
        (True, "c/"),
    ]
    assert [item.name for item in box.walk_blobs(name_starts_with="a/")] == names[:4]
    first = listed[0]
    assert first.etag == box.get_blob_client(first.name).get_blob_properties().etag.strip('"')
    assert (first.size, first.blob_type.value) == (3, "BlockBlob")
    pages = box.list_blobs(results_per_page=5).by_page()
    assert [len(list(page)) for page in pages] == [5, 5, 2]
    paged: Any = box.list_blobs(results_per_page=5).by_page()
    assert len(list(next(paged))) == 5
    rest = next(box.list_blobs().by_page(paged.continuation_token))
    assert [blob.name for blob in rest] == names[5:]


def test_overwrite_and_conditions(box: ContainerClient) -> None:
    blob = box.get_blob_client("blob")
    first = blob.upload_blob(b"first")
    with pytest.raises(ResourceExistsError) as exists:
        blob.upload_blob(b"second")
    assert exists.value.error_code == "BlobAlreadyExists"  # type: ignore[attr-defined]  # set by the SDK
    second = blob.upload_blob(b"second", overwrite=True)
    with pytest.raises(ResourceModifiedError):
        blob.upload_blob(b"x", overwrite=True, etag=first["etag"], match_condition=MatchConditions.IfNotModified)
    blob.upload_blob(b"third", overwrite=True, etag=second["etag"], match_condition=MatchConditions.IfNotModified)
    with pytest.raises(ResourceModifiedError):
        blob.delete_blob(if_unmodified_since=datetime.now(UTC) - timedelta(hours=1))
    with pytest.raises(HttpResponseError) as not_modified:
        blob.download_blob(if_modified_since=datetime.now(UTC) + timedelta(hours=1))
    assert not_modified.value.status_code == 304
    assert blob.download_blob().readall() == b"third"


def test_properties_and_metadata(box: ContainerClient) -> None:
    settings = ContentSettings(
        content_type="text/plain; charset=utf-8",
        content_encoding="identity",
        content_language="de",
        content_disposition="attachment",
        cache_control="no-cache",
    )
    blob = box.get_blob_client("blob")
    blob.upload_blob(
        b"x", content_settings=settings, metadata={"Mixed": "Case"}, standard_blob_tier=StandardBlobTier.COOL
    )
    properties = blob.get_blob_properties()
    assert properties.metadata == {"Mixed": "Case"}
    assert properties.blob_tier == "Cool"
    got = properties.content_settings
    assert (got.content_type, got.content_encoding, got.content_language) == (
        "text/plain; charset=utf-8",
        "identity",
        "de",
    )
    assert (got.content_disposition, got.cache_control) == ("attachment", "no-cache")
    blob.set_blob_metadata({"Only": "this"})
    blob.set_http_headers(ContentSettings(content_type="image/png"))
    properties = blob.get_blob_properties()
    assert properties.metadata == {"Only": "this"}
    assert (properties.content_settings.content_type, properties.content_settings.cache_control) == ("image/png", None)


def test_blocks(box: ContainerClient) -> None:
    blob = box.get_blob_client("blocks")
    for number in range(3):
        blob.stage_block(f"{number:032}", bytes([number]) * 70_000, validate_content=True)
    committed, uncommitted = blob.get_block_list("all")
    assert (committed, [block.size for block in uncommitted]) == ([], [70_000] * 3)
    blob.commit_block_list([BlobBlock(f"{number:032}") for number in (2, 0, 1)], metadata={"A": "b"})
    assert blob.download_blob().readall() == b"\2" * 70_000 + b"\0" * 70_000 + b"\1" * 70_000
    with pytest.raises(HttpResponseError) as unknown:
        blob.commit_block_list([BlobBlock("9" * 32)])
    assert unknown.value.error_code == "InvalidBlockList"  # type: ignore[attr-defined]  # set by the SDK


def test_ranges_and_their_md5(box: ContainerClient) -> None:
    body = noise(5 * MIB)
    blob = box.get_blob_client("blob")
    blob.upload_blob(body, validate_content=True)
    assert blob.download_blob(offset=10, length=5).readall() == body[10:15]
    assert blob.download_blob(offset=4 * MIB).readall() == body[4 * MIB :]
    assert blob.download_blob(validate_content=True).readall() == body
    with pytest.raises(HttpResponseError) as behind:
        blob.download_blob(offset=len(body), length=1)
    assert (behind.value.status_code, behind.value.error_code) == (416, "InvalidRange")  # type: ignore[attr-defined]  # as above


def test_sums_are_checked_on_both_ends(box: ContainerClient) -> None:
    blob = box.get_blob_client("blob")
    data = random.Random(3).randbytes(9 * MIB + 7)
    told: list[Any] = []

    def note(response: Any) -> None:
        told.append(response.http_response.headers)

    blob.stage_block("1", BytesIO(data), validate_content="crc64", raw_response_hook=note)
    blob.commit_block_list([BlobBlock("1")])
    assert blob.download_blob(validate_content="crc64", raw_response_hook=note).readall() == data
    assert all(headers["x-ms-structured-body"] == "XSM/1.0; properties=crc64" for headers in told)
    assert len(told) > 1


def test_listings_as_arrow(box: ContainerClient) -> None:
    for name in ("a", "b/one", "b/two"):
        box.upload_blob(name, b"content", metadata={"name": name})
    found = list(box.list_blobs(include=["metadata"], response_format="arrow"))
    assert [(blob.name, blob.size, blob.metadata["name"]) for blob in found] == [
        (name, 7, name) for name in ("a", "b/one", "b/two")
    ]
    assert [item.name for item in box.walk_blobs(response_format="arrow")] == ["a", "b/"]


def test_a_wrong_key_is_refused(azure: LocalZure, box: ContainerClient) -> None:
    url = f"{azure.endpoints['blob']}/devstoreaccount1"
    credential = {"account_name": "devstoreaccount1", "account_key": WRONG_KEY}
    with (
        BlobServiceClient(url, credential=credential, retry_total=0) as stranger,
        pytest.raises(ClientAuthenticationError) as refused,
    ):
        stranger.get_container_client(box.container_name).upload_blob("blob", b"x")
    assert (refused.value.status_code, refused.value.error_code) == (403, "AuthenticationFailed")  # type: ignore[attr-defined]  # as above
    assert list(box.list_blobs()) == []
    assert WRONG_KEY not in str(refused.value)


def test_without_credentials(azure: LocalZure, service: BlobServiceClient) -> None:
    url = f"{azure.endpoints['blob']}/devstoreaccount1"
    service.create_container("public-blobs", public_access="blob").upload_blob("blob", b"for all")
    with BlobServiceClient(url, retry_total=0) as anybody:
        assert anybody.get_blob_client("public-blobs", "blob").download_blob().readall() == b"for all"
        with pytest.raises(ClientAuthenticationError) as refused:
            list(anybody.get_container_client("public-blobs").list_blobs())
    assert refused.value.status_code == 401
    service.delete_container("public-blobs")


@pytest.mark.parametrize("style", ["host", "gateway", "gateway host"])
def test_the_other_ways_to_an_account(azure: LocalZure, box: ContainerClient, style: str) -> None:
    """By host name, behind the gateway's path prefix, and both; `*.localhost` is this machine to every resolver."""
    key = azure.blob_connection_string.partition("AccountKey=")[2].partition(";")[0]
    port = urlsplit(azure.endpoints["blob" if style == "host" else "gateway"]).port
    url = f"http://127.0.0.1:{port}/blob/devstoreaccount1"
    headers = {}
    if "host" in style:
        url = f"http://127.0.0.1:{port}"
        headers = {"Host": f"devstoreaccount1.blob.localhost:{port}"}
    credential = {"account_name": "devstoreaccount1", "account_key": key}
    with BlobClient(url, box.container_name, "dir/blöb", credential=credential, retry_total=0) as blob:
        blob.upload_blob(style.encode(), overwrite=True, headers=dict(headers))
        assert blob.get_blob_properties(headers=dict(headers)).size == len(style)
    assert box.download_blob("dir/blöb").readall() == style.encode()


def test_a_query_is_answered_while_it_is_read(box: ContainerClient) -> None:
    blob = box.get_blob_client("rows")
    rows = b"".join(b"%d,row %d\n" % (number, number % 100) for number in range(100_000))
    blob.upload_blob(rows)
    found = blob.query_blob("SELECT _1 from BlobStorage WHERE _2 = 'row 7'")
    assert [int(line) for line in found.readall().split()] == list(range(7, 100_000, 100))
    assert len(found) == len(rows)


def test_a_static_website(azure: LocalZure, service: BlobServiceClient) -> None:
    site = StaticWebsite(enabled=True, index_document="index.html", error_document404_path="404.html")
    service.set_service_properties(static_website=site)
    web = service.get_container_client("$web")
    page = ContentSettings(content_type="text/html")
    web.upload_blob("index.html", b"hello", content_settings=page, overwrite=True)
    web.upload_blob("404.html", b"sorry", content_settings=page, overwrite=True)
    for host, prefix in (("devstoreaccount1.web.localhost", ""), ("127.0.0.1", "/web/devstoreaccount1")):
        connection = HTTPConnection("127.0.0.1", urlsplit(azure.endpoints["gateway"]).port or 0)
        for path, status, body in (("/", 200, b"hello"), ("/nothing", 404, b"sorry")):
            connection.request("GET", prefix + path, headers={"Host": host})
            reply = connection.getresponse()
            assert (reply.status, reply.getheader("content-type"), reply.read()) == (status, "text/html", body)
        connection.close()
    service.set_service_properties(static_website=StaticWebsite(enabled=False))


def test_what_is_not_built_says_so(box: ContainerClient) -> None:
    blob = box.get_blob_client("blob")
    blob.upload_blob(b"x")
    with pytest.raises(HttpResponseError) as missing:
        blob.query_blob("SELECT * from BlobStorage", blob_format="ParquetDialect")
    assert (missing.value.status_code, missing.value.error_code) == (501, "NotImplemented")  # type: ignore[attr-defined]  # as above
    assert "Blob_Query" in str(missing.value)


def test_the_asynchronous_client(azure: LocalZure, box: ContainerClient) -> None:
    body = noise(9 * MIB)

    async def work() -> None:
        client = blob_aio.BlobServiceClient.from_connection_string(
            azure.blob_connection_string, max_single_put_size=MIB, max_block_size=MIB
        )
        async with client:
            container = client.get_container_client(box.container_name)
            await asyncio.gather(*(container.upload_blob(f"small/{n:02}", bytes([n]) * n) for n in range(40)))
            await container.upload_blob("large", body, max_concurrency=4)
            assert [blob.name async for blob in container.list_blobs(results_per_page=7)] == [
                "large",
                *(f"small/{n:02}" for n in range(40)),
            ]
            assert [item.name async for item in container.walk_blobs()] == ["small/", "large"]
            got = await asyncio.gather(*(container.download_blob(f"small/{n:02}") for n in range(40)))
            assert [await stream.readall() for stream in got] == [bytes([n]) * n for n in range(40)]
            assert await (await container.download_blob("large", max_concurrency=4)).readall() == body
            with pytest.raises(ResourceExistsError):
                await container.upload_blob("large", b"x")
            await container.delete_blob("large")
            assert not await container.get_blob_client("large").exists()

    asyncio.run(work())


def test_everything_is_there_after_a_restart(azure: LocalZure, service: BlobServiceClient) -> None:
    container = service.create_container("kept", metadata={"K": "v"})
    bodies = {"inline": b"x" * 100, "extent": noise(400_000), quote("blocks é"): noise(3 * MIB)}
    for name, body in bodies.items():
        container.upload_blob(name, body)
    container.get_blob_client("waiting").stage_block("1", b"waits")
    before = {blob.name: (blob.etag, blob.last_modified) for blob in container.list_blobs()}
    azure.restart()
    assert {blob.name: (blob.etag, blob.last_modified) for blob in container.list_blobs()} == before
    assert {name: container.download_blob(name).readall() for name in bodies} == bodies
    container.get_blob_client("waiting").commit_block_list([BlobBlock("1")])
    assert container.download_blob("waiting").readall() == b"waits"
    assert container.get_container_properties().metadata == {"K": "v"}
    service.delete_container("kept")
