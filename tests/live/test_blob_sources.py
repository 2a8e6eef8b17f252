"""Sources of copies: this server by all of its names, and other servers where that is allowed."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import urlsplit

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobServiceClient, ContainerClient

from localzure.testing import LocalZure

BODY = bytes(range(256)) * 4000


class Elsewhere(BaseHTTPRequestHandler):
    """A web server with one file."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/broken":
            self.send_response(200)
            self.send_header("content-length", str(len(BODY)))
            self.end_headers()
            self.wfile.write(BODY[:1000])
            self.close_connection = True
            return
        if self.path != "/file?key=1":
            self.send_error(404)
            return
        if self.headers.get("if-none-match") == '"tag"':
            self.send_response(304)
            self.end_headers()
            return
        first, last = 0, len(BODY) - 1
        if (asked := self.headers.get("range")) is not None:
            first, last = (int(part) for part in asked.removeprefix("bytes=").split("-"))
        self.send_response(200 if asked is None else 206)
        self.send_header("content-type", "image/png")
        self.send_header("etag", '"tag"')
        self.send_header("content-length", str(last - first + 1))
        self.end_headers()
        self.wfile.write(BODY[first : last + 1])

    def log_message(self, *_args: object) -> None:
        """Stay silent."""


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def azure() -> Iterator[LocalZure]:
    with LocalZure(env={"LOCALZURE_ALLOW_EXTERNAL_SOURCES": "true"}) as server:
        yield server


@pytest.fixture(scope="module")
def box(azure: LocalZure) -> Iterator[ContainerClient]:
    with BlobServiceClient.from_connection_string(azure.blob_connection_string, retry_total=0) as service:
        yield service.create_container("box", public_access="blob")


def test_this_server_by_all_of_its_names(azure: LocalZure, box: ContainerClient) -> None:
    box.upload_blob("source", BODY)
    ports = {name: urlsplit(azure.endpoints[name]).port for name in ("blob", "queue", "gateway")}
    for number, prefix in enumerate(
        [
            f"http://127.0.0.1:{ports['blob']}/devstoreaccount1",
            f"https://localhost:{ports['blob']}/devstoreaccount1",
            f"http://localzure:{ports['blob']}/devstoreaccount1",
            f"http://127.0.0.1:{ports['gateway']}/blob/devstoreaccount1",
            f"http://devstoreaccount1.blob.localhost:{ports['queue']}",
            "https://devstoreaccount1.blob.core.windows.net",
            "https://devstoreaccount1-secondary.blob.core.windows.net",
        ]
    ):
        copy = box.get_blob_client(f"copy{number}")
        copy.upload_blob_from_url(f"{prefix}/box/source")
        assert copy.download_blob().readall() == BODY, prefix


def test_a_file_of_another_server(elsewhere: str, box: ContainerClient) -> None:
    url = f"{elsewhere}/file?key=1"
    put = box.get_blob_client("put")
    put.upload_blob_from_url(url)
    assert put.download_blob().readall() == BODY
    assert put.get_blob_properties().content_settings.content_type == "image/png"
    copied = box.get_blob_client("copied")
    assert copied.start_copy_from_url(url)["copy_status"] == "success"
    assert copied.get_blob_properties().copy.source == url
    staged = box.get_blob_client("staged")
    staged.stage_block_from_url("YQ==", url, source_offset=100, source_length=500_000)
    staged.commit_block_list(["YQ=="])  # type: ignore[list-item]  # the SDK takes ids too
    assert staged.download_blob().readall() == BODY[100:500_100]
    appended = box.get_blob_client("appended")
    appended.create_append_blob()
    appended.append_block_from_url(url, source_offset=0, source_length=5000)
    assert appended.download_blob().readall() == BODY[:5000]
    pages = box.get_blob_client("pages")
    pages.create_page_blob(1024)
    pages.upload_pages_from_url(url, offset=0, length=1024, source_offset=512)
    assert pages.download_blob().readall() == BODY[512:1536]


def test_what_another_server_refuses(elsewhere: str, box: ContainerClient) -> None:
    blob = box.get_blob_client("refused")
    for path, status in (("/nothing", 404), ("/broken", 403)):
        with pytest.raises(HttpResponseError) as refused:
            blob.upload_blob_from_url(elsewhere + path)
        assert (refused.value.status_code, refused.value.error_code) == (status, "CannotVerifyCopySource")  # type: ignore[attr-defined]  # set by the SDK
    with pytest.raises(HttpResponseError, match="SourceConditionNotMet"):
        blob.upload_blob_from_url(
            f"{elsewhere}/file?key=1", source_etag='"tag"', source_match_condition=MatchConditions.IfModified
        )
    with pytest.raises(HttpResponseError, match="Md5Mismatch"):
        blob.upload_blob_from_url(f"{elsewhere}/file?key=1", source_content_md5=bytearray(16))
    assert not blob.exists()


def test_other_servers_are_not_asked_unless_that_is_allowed(elsewhere: str) -> None:
    with (
        LocalZure() as azure,
        BlobServiceClient.from_connection_string(azure.blob_connection_string, retry_total=0) as service,
    ):
        blob = service.create_container("box").get_blob_client("blob")
        with pytest.raises(HttpResponseError, match="CannotVerifyCopySource"):
            blob.upload_blob_from_url(f"{elsewhere}/file?key=1")
