"""Static websites: which blob a path stands for, and what browsers get of it."""

from __future__ import annotations

import pytest

from localzure.gateway.address import resolve
from localzure.services.interface import HttpRequest, ServiceError
from tests.blob_world import BlobWorld
from tests.storage_world import ACCOUNT, Answer

HOST = f"{ACCOUNT}.z13.web.core.windows.net"


@pytest.fixture
def world() -> BlobWorld:
    world = BlobWorld("verify")
    world.level = "off"
    world.start()
    return world


def enable(world: BlobWorld, more: str = "<IndexDocument>index.html</IndexDocument>") -> None:
    body = f"<StorageServiceProperties><StaticWebsite><Enabled>true</Enabled>{more}</StaticWebsite>"
    properties = f"{body}</StorageServiceProperties>".encode()
    assert world.ask("PUT", "", "restype=service&comp=properties", body=properties).status == 202


def put(world: BlobWorld, name: str, body: bytes, kind: str = "text/html") -> None:
    assert world.put(f"$web/{name}", body, {"content-type": kind}).status == 201


def browse(
    world: BlobWorld, path: str, headers: dict[str, str] | None = None, *, method: str = "GET", host: str = HOST
) -> Answer:
    request = HttpRequest(method, path, "v=1", headers or {}, "http", host, "127.0.0.1", "an-id")
    service, address = resolve(None, request)
    assert service == "web"
    website = world.service.website
    try:
        return world.settle(request, website.accept(request, address).finish())
    except ServiceError as error:
        return world.settle(request, website.refuse(request, error))


@pytest.mark.parametrize(
    ("host", "path"),
    [
        (HOST, "/page"),
        (f"{ACCOUNT}.web.localhost:8080", "/page"),
        (f"{ACCOUNT}.web.core.windows.net", "/page"),
        (f"{ACCOUNT}-secondary.z22.web.core.windows.net", "/page"),
        ("127.0.0.1:8080", f"/web/{ACCOUNT}/page"),
    ],
)
def test_every_way_to_a_site(world: BlobWorld, host: str, path: str) -> None:
    enable(world)
    put(world, "page", b"hello")
    assert browse(world, path, host=host).body == b"hello"


def test_enabling_a_site_makes_its_container(world: BlobWorld) -> None:
    enable(world)
    enable(world)
    assert [name.text for name in world.ask("GET", "", "comp=list").xml.iter("Name")] == ["$web"]


def test_what_paths_stand_for(world: BlobWorld) -> None:
    enable(world)
    put(world, "index.html", b"root")
    put(world, "docs/index.html", b"docs")
    put(world, "docs", b"a blob")
    put(world, "guide/index.html", b"guide")
    put(world, "a%20b.css", b"body {}", "text/css")
    for path, body in {
        "/": b"root",
        "": b"root",
        "/index.html": b"root",
        "/docs/": b"docs",
        "/docs": b"a blob",
        "/guide": b"guide",
        "/a%20b.css": b"body {}",
    }.items():
        assert browse(world, path).body == body, path
    assert browse(world, "/a%20b.css").headers["content-type"] == "text/css"
    assert browse(world, "/Index.html").status == 404


def test_a_default_index_for_every_folder(world: BlobWorld) -> None:
    enable(world, "<DefaultIndexDocumentPath>app/main.html</DefaultIndexDocumentPath>")
    put(world, "app/main.html", b"app")
    assert browse(world, "/").body == b"app"
    assert browse(world, "/any/folder/").body == b"app"
    assert browse(world, "/nothing").status == 404


def test_the_error_document(world: BlobWorld) -> None:
    enable(world, "<ErrorDocument404Path>errors/404.html</ErrorDocument404Path>")
    missing = browse(world, "/nothing")
    assert (missing.status, missing.code) == (404, "WebContentNotFound")
    assert b"The requested content does not exist." in missing.body
    put(world, "errors/404.html", b"sorry")
    missing = browse(world, "/nothing", {"range": "bytes=0-1", "if-none-match": "*"})
    assert (missing.status, missing.body, missing.headers["content-type"]) == (404, b"sorry", "text/html")


def test_conditions_and_ranges(world: BlobWorld) -> None:
    enable(world)
    put(world, "page", b"0123456789")
    page = browse(world, "/page")
    tag = page.headers["etag"]
    assert not [name for name in page.headers if name.startswith("x-ms-") and name != "x-ms-version"]
    unchanged = browse(world, "/page", {"if-none-match": tag})
    assert (unchanged.status, unchanged.body) == (304, b"")
    assert browse(world, "/page", {"if-match": '"other"'}).status == 412
    part = browse(world, "/page", {"range": "bytes=2-4"})
    assert (part.status, part.body, part.headers["content-range"]) == (206, b"234", "bytes 2-4/10")
    assert browse(world, "/page", {"range": "bytes=2-4", "if-range": tag}).body == b"0123456789"
    assert browse(world, "/page", {"range": "bytes=20-"}).status == 416


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "OPTIONS"])
def test_a_site_is_only_read(world: BlobWorld, method: str) -> None:
    enable(world)
    refused = browse(world, "/page", {"origin": "https://example.com"}, method=method)
    assert (refused.status, refused.code, refused.headers["allow"]) == (405, "UnsupportedHttpVerb", "GET, HEAD")


def test_heads(world: BlobWorld) -> None:
    enable(world)
    put(world, "page", b"0123456789")
    head = browse(world, "/page", method="HEAD")
    assert (head.status, head.headers["content-length"], head.body) == (200, "10", b"")
    missing = browse(world, "/nothing", method="HEAD")
    assert (missing.status, missing.body, int(missing.headers["content-length"]) > 0) == (404, b"", True)


def test_no_site(world: BlobWorld) -> None:
    assert browse(world, "/").code == "WebContentNotFound"
    enable(world)
    assert browse(world, "/").code == "WebContentNotFound"
    assert browse(world, "/", host="nobody.web.localhost").code == "WebContentNotFound"
    assert browse(world, "/%ff").status == 400
    body = (
        b"<StorageServiceProperties><StaticWebsite><Enabled>false</Enabled></StaticWebsite></StorageServiceProperties>"
    )
    put(world, "index.html", b"root")
    world.ask("PUT", "", "restype=service&comp=properties", body=body)
    assert browse(world, "/").status == 404
