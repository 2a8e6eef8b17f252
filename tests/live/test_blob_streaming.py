"""Blobs over raw HTTP: players that seek, headers that a signature gives, clients that vanish, and two at once."""

from __future__ import annotations

import hashlib
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPResponse
from typing import Any
from urllib.parse import urlsplit

import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import (
    AccountSasPermissions,
    BlobClient,
    BlobSasPermissions,
    BlobServiceClient,
    ContainerClient,
    ResourceTypes,
    RetentionPolicy,
    generate_account_sas,
    generate_blob_sas,
)

from localzure.testing import LocalZure

MIB = 1024 * 1024
SECONDS_MAX = 20.0
BODY = bytes(range(251)) * 20_000
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


@pytest.fixture(scope="module")
def azure() -> Iterator[LocalZure]:
    with LocalZure(in_memory=False) as server:
        yield server


@pytest.fixture(scope="module")
def box(azure: LocalZure) -> Iterator[ContainerClient]:
    with BlobServiceClient.from_connection_string(azure.blob_connection_string, retry_total=0) as service:
        yield service.create_container("box")


def signature() -> str:
    return generate_account_sas(
        "devstoreaccount1",
        KEY,
        ResourceTypes(object=True),
        AccountSasPermissions(read=True, write=True, create=True),
        datetime.now(UTC) + timedelta(hours=1),
    )


@contextmanager
def asking(blob: BlobClient, method: str = "GET", **headers: str) -> Iterator[HTTPResponse]:
    """The reply to a request for a blob, whose connection is closed in the end, however much has been read."""
    url = urlsplit(f"{blob.url}?{signature()}")
    connection = HTTPConnection(url.hostname or "", url.port)
    connection.request(method, f"{url.path}?{url.query}", headers=headers)
    yield connection.getresponse()
    connection.close()


def test_a_player_that_seeks(box: ContainerClient) -> None:
    blob = box.upload_blob("film", BODY)
    with asking(blob, "HEAD") as head:
        assert (head.status, head.getheader("accept-ranges"), head.getheader("content-length")) == (
            200,
            "bytes",
            str(len(BODY)),
        )
    for first in (0, 1, MIB, len(BODY) - 1):
        with asking(blob, range=f"bytes={first}-") as rest:
            told = (rest.status, rest.getheader("content-range"))
            assert told == (206, f"bytes {first}-{len(BODY) - 1}/{len(BODY)}")
            assert rest.read(1000) == BODY[first : first + 1000]
    with asking(blob, range="bytes=100-199") as part:
        assert (part.status, part.read()) == (206, BODY[100:200])
    with asking(blob, range=f"bytes={len(BODY)}-") as none:
        assert (none.status, none.getheader("content-range")) == (416, f"bytes */{len(BODY)}")
    with asking(blob) as whole:
        assert (whole.status, hashlib.sha256(whole.read()).digest()) == (200, hashlib.sha256(BODY).digest())


def test_a_signature_gives_headers(azure: LocalZure, box: ContainerClient) -> None:
    del azure
    blob = box.upload_blob("page", b"text", overwrite=True)
    given: dict[str, Any] = {
        "cache_control": "no-store",
        "content_disposition": 'attachment; filename="a.txt"',
        "content_encoding": "identity",
        "content_language": "de",
        "content_type": "text/plain; charset=utf-8",
    }
    token = generate_blob_sas(
        "devstoreaccount1",
        "box",
        "page",
        account_key=KEY,
        permission=BlobSasPermissions(read=True),
        expiry=datetime.now(UTC) + timedelta(hours=1),
        **given,
    )
    url = urlsplit(f"{blob.url}?{token}")
    for method in ("GET", "HEAD"):
        connection = HTTPConnection(url.hostname or "", url.port)
        connection.request(method, f"{url.path}?{url.query}")
        reply = connection.getresponse()
        assert {name: reply.getheader(name.replace("_", "-")) for name in given} == given
        connection.close()


def test_a_client_that_vanishes_while_it_uploads(box: ContainerClient) -> None:
    blob = box.upload_blob("kept", b"old content", overwrite=True)
    url = urlsplit(f"{blob.url}?{signature()}")
    head = (
        f"PUT {url.path}?{url.query} HTTP/1.1\r\nHost: {url.netloc}\r\nx-ms-blob-type: BlockBlob\r\n"
        f"x-ms-version: 2026-02-06\r\nContent-Length: {8 * MIB}\r\n\r\n"
    ).encode()
    for sent in (0, 1000, 5 * MIB):
        with socket.create_connection((url.hostname, url.port)) as connection:
            connection.sendall(head + bytes(sent))
        assert blob.download_blob().readall() == b"old content"
    blob.upload_blob(BODY, overwrite=True)
    assert blob.download_blob().readall() == BODY


def test_a_client_that_vanishes_while_it_downloads(box: ContainerClient) -> None:
    blob = box.upload_blob("read", BODY, overwrite=True)
    for _ in range(3):
        with asking(blob) as reply:
            assert reply.read(100_000) == BODY[:100_000]
    blob.upload_blob(b"new", overwrite=True)
    assert blob.download_blob().readall() == b"new"


def test_a_download_keeps_its_bytes(box: ContainerClient) -> None:
    blob = box.upload_blob("long", BODY * 4, overwrite=True)
    with asking(blob) as reply:
        begun = reply.read(1000)
        blob.upload_blob(b"new", overwrite=True)
        blob.delete_blob()
        assert begun + reply.read() == BODY * 4


def test_two_uploads_to_one_name(azure: LocalZure, box: ContainerClient) -> None:
    bodies = [bytes([number]) * (6 * MIB + number) for number in range(4)]

    def upload(body: bytes) -> str | None:
        """Its entity tag; None where another's commit took its blocks away first, as on Azure."""
        with BlobServiceClient.from_connection_string(
            azure.blob_connection_string, max_single_put_size=4 * MIB * (body[0] % 2 + 1), max_block_size=MIB
        ) as service:
            blob = service.get_blob_client("box", "contended")
            try:
                return str(blob.upload_blob(body, overwrite=True)["etag"])
            except HttpResponseError as error:
                assert "InvalidBlockList" in str(error)
                return None

    with ThreadPoolExecutor(4) as pool:
        tags = list(pool.map(upload, bodies))
    found = box.download_blob("contended")
    assert found.readall() in bodies
    assert found.properties.etag in tags


def test_retention_follows_the_servers_clock(azure: LocalZure, box: ContainerClient) -> None:
    with BlobServiceClient.from_connection_string(azure.blob_connection_string, retry_total=0) as service:
        service.set_service_properties(delete_retention_policy=RetentionPolicy(enabled=True, days=3))
        blob = box.upload_blob("deleted", BODY, overwrite=True)
        blob.delete_blob()
        staged = box.get_blob_client("staged")
        staged.stage_block("YQ==", BODY)
        names = ["deleted", "uncommittedblobs"]
        assert [item.name for item in box.list_blobs("deleted", include=names)] == ["deleted"]
        azure.clock.advance(timedelta(days=2))
        blob.undelete_blob()
        blob.delete_blob()
        azure.clock.advance(timedelta(days=4))
        assert [item.name for item in box.list_blobs("deleted", include=names)] == []
        assert [item.name for item in box.list_blobs("staged", include=names)] == ["staged"]
        azure.clock.advance(timedelta(days=4))
        started = time.monotonic()
        while list(box.list_blobs("staged", include=names)):
            assert time.monotonic() - started < SECONDS_MAX, "blocks that nobody committed for a week are swept"
        with pytest.raises(HttpResponseError, match="BlobNotFound"):
            blob.undelete_blob()
        azure.clock.reset()
