"""The namespace itself, and its queues page by page."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from tests.servicebus_admin_world import AdminWorld


@pytest.fixture
def admin() -> AdminWorld:
    return AdminWorld()


def test_the_namespace_is_described(admin: AdminWorld) -> None:
    admin.world.advance(60)
    got = admin.call("GET", "/$namespaceinfo?api-version=2024-05")
    assert got.status == 200
    (described,) = got.root[-1]
    assert [child.tag.partition("}")[2] for child in described] == [
        "CreatedTime",
        "MessagingSKU",
        "ModifiedTime",
        "Name",
        "NamespaceType",
    ]
    assert [child.text for child in described] == [
        "2026-01-01T00:00:00.0000000Z",
        "Standard",
        "2026-01-01T00:00:00.0000000Z",
        "sbemulatorns",
        "Messaging",
    ]
    assert dict(got.reply.headers)["content-type"] == "application/atom+xml;type=entry;charset=utf-8"


def test_a_host_name_names_the_namespace(admin: AdminWorld) -> None:
    got = admin.call("GET", "/$NamespaceInfo", host="mine.servicebus.windows.net", listener=None)
    assert got.value("Name") == "mine"


def test_the_gateway_serves_it_below_its_name(admin: AdminWorld) -> None:
    assert admin.call("PUT", "/servicebus/a/b?api-version=2021-05", ENTRY, listener=None).status == 201
    got = admin.call("GET", "/servicebus/a/b?api-version=2021-05", listener=None)
    assert "<id>https://localhost:5300/servicebus/a/b?api-version=2021-05</id>" in got.text
    assert '<title type="text">a/b</title>' in got.text


def test_a_page_that_is_the_last_has_one_link(admin: AdminWorld) -> None:
    admin.create("b")
    admin.create("A")
    got = admin.call("GET", "/$Resources/queues?$skip=0&$top=100&api-version=2021-05")
    assert got.status == 200
    assert got.titles == ["A", "b", "kept"]
    assert got.links == [("self", "https://localhost:5300/$Resources/queues?api-version=2021-05&$skip=0&$top=100")]


def test_pages_follow_one_another_by_the_second_link(admin: AdminWorld) -> None:
    names = sorted(f"q{number:03}" for number in range(7))
    for name in names:
        admin.create(name)
    admin.delete("kept")
    found, pages, url = [], 0, "/$Resources/queues?$skip=0&$top=3&api-version=2017-04"
    while url:
        got = admin.call("GET", url)
        found += got.titles
        pages += 1
        assert len(got.links) in {1, 2}
        relation, following = got.links[-1]
        url = ""
        if len(got.links) == 2:
            assert relation == "next"
            query = parse_qs(urlsplit(following).query)
            assert query == {"api-version": ["2017-04"], "$skip": [str(3 * pages)], "$top": ["3"]}
            url = following.removeprefix("https://localhost:5300")
    assert found == names
    assert pages == 3


def test_a_page_has_a_hundred_entities_at_most(admin: AdminWorld) -> None:
    for number in range(105):
        admin.create(f"q{number}")
    for query in ("", "?$top=1000"):
        got = admin.call("GET", f"/$resources/Queues{query}")
        assert len(got.titles) == 100
        assert got.links[1][1].endswith("$skip=100&$top=100")
    assert len(admin.call("GET", "/$Resources/queues?$skip=100&$top=100").titles) == 6


@pytest.mark.parametrize("query", ["$skip=50", "$skip=999999999", "$top=0", "$skip=1"])
def test_a_page_with_nothing_on_it_is_a_feed(admin: AdminWorld, query: str) -> None:
    got = admin.call("GET", f"/$Resources/queues?{query}")
    assert got.status == 200
    assert got.titles == []
    assert len(got.links) == 1
    assert '<title type="text">Queues</title>' in got.text


@pytest.mark.parametrize("query", ["$skip=-1", "$top=-1", "$top=ten", "$skip=9999999999", "$skip=1&$skip=2"])
def test_a_page_that_cannot_be_is_refused(admin: AdminWorld, query: str) -> None:
    assert admin.call("GET", f"/$Resources/queues?{query}").status == 400


@pytest.mark.parametrize("version", ["2017-04", "2021-05", "2024-05", "2031-12", "none"])
def test_the_version_is_taken_as_it_is(admin: AdminWorld, version: str) -> None:
    got = admin.call("GET", f"/kept?api-version={version}")
    assert got.status == 200
    assert f"?api-version={version}</id>" in got.text


ENTRY = (
    '<entry xmlns="http://www.w3.org/2005/Atom"><content type="application/xml"><QueueDescription '
    'xmlns="http://schemas.microsoft.com/netservices/2010/10/servicebus/connect"/></content></entry>'
)
