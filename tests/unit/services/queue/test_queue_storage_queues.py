"""Queues: create, delete, metadata, stored access policies, listings."""

from __future__ import annotations

from urllib.parse import quote
from xml.etree import ElementTree as ET

import pytest

from tests.queue_world import QueueWorld
from tests.storage_world import Answer


@pytest.fixture
def world() -> QueueWorld:
    return QueueWorld()


def test_create_and_create_again(world: QueueWorld) -> None:
    assert world.ask("PUT", "jobs").status == 201
    assert world.ask("PUT", "jobs").status == 204
    other = world.ask("PUT", "jobs", headers={"x-ms-meta-a": "1"})
    assert (other.status, other.code) == (409, "QueueAlreadyExists")
    assert world.ask("GET", "jobs", "comp=metadata").metadata == {}


def test_create_with_metadata_is_the_same_in_any_order_and_case(world: QueueWorld) -> None:
    assert world.ask("PUT", "jobs", headers={"x-ms-meta-One": "1", "x-ms-meta-two": "2"}).status == 201
    assert world.ask("PUT", "jobs", headers={"x-ms-meta-Two": "2", "x-ms-meta-one": "1"}).status == 204
    assert world.ask("PUT", "jobs", headers={"x-ms-meta-one": "1"}).status == 409
    assert world.ask("PUT", "jobs", headers={"x-ms-meta-one": "1", "x-ms-meta-two": "3"}).status == 409
    assert world.ask("GET", "jobs", "comp=metadata").metadata == {"One": "1", "two": "2"}


def test_metadata_is_replaced_whole(world: QueueWorld) -> None:
    world.queue(x_ms_meta_a="1")
    world.put()
    answer = world.ask("PUT", "jobs", "comp=metadata", {"x-ms-meta-B": "2", "x-ms-meta-c": "3"})
    assert (answer.status, answer.body) == (204, b"")
    answer = world.ask("GET", "jobs", "comp=metadata")
    assert (answer.status, answer.body, answer.metadata) == (200, b"", {"B": "2", "c": "3"})
    assert answer.headers["x-ms-approximate-messages-count"] == "1"
    assert answer.headers["cache-control"] == "no-cache"
    assert world.ask("HEAD", "jobs", "comp=metadata").headers == answer.headers
    world.ask("PUT", "jobs", "comp=metadata")
    assert world.ask("GET", "jobs", "comp=metadata").metadata == {}


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("x-ms-meta-", "x", "EmptyMetadataKey"),
        ("x-ms-meta-a-b", "x", "InvalidMetadata"),
        ("x-ms-meta-1", "x", "InvalidMetadata"),
        ("x-ms-meta-a", "x" * 8192, "MetadataTooLarge"),
    ],
)
def test_metadata_that_cannot_be(world: QueueWorld, name: str, value: str, code: str) -> None:
    world.queue()
    for path, query in (("jobs", "comp=metadata"), ("new", "")):
        answer = world.ask("PUT", path, query, {name: value})
        assert (answer.status, answer.code) == (400, code)
    assert world.ask("GET", "new", "comp=metadata").status == 404


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("abc", ""),
        ("0-1", ""),
        ("a" * 63, ""),
        ("ab", "OutOfRangeInput"),
        ("a" * 64, "OutOfRangeInput"),
        ("Abc", "InvalidResourceName"),
        ("a_b", "InvalidResourceName"),
        ("-ab", "InvalidResourceName"),
        ("ab-", "InvalidResourceName"),
        ("a--b", "InvalidResourceName"),
        ("a.b", "InvalidResourceName"),
        ("$logs", "InvalidResourceName"),
        (quote("啊齄丂狛狜"), "InvalidResourceName"),
        ("abc%0a", "InvalidResourceName"),
        ("%ff%ff%ff", "InvalidUri"),
    ],
)
def test_names(world: QueueWorld, name: str, code: str) -> None:
    answer = world.ask("PUT", name)
    assert (answer.status, answer.code) == (400 if code else 201, code)


ON_QUEUE = [
    ("DELETE", "none", "", None),
    ("GET", "none", "comp=metadata", None),
    ("HEAD", "none", "comp=metadata", None),
    ("PUT", "none", "comp=metadata", b""),
    ("GET", "none", "comp=acl", None),
    ("PUT", "none", "comp=acl", b""),
    ("POST", "none/messages", "", b"<QueueMessage><MessageText/></QueueMessage>"),
    ("GET", "none/messages", "", None),
    ("GET", "none/messages", "peekonly=true", None),
    ("DELETE", "none/messages", "", None),
    ("PUT", "none/messages/x", "popreceipt=YQ==&visibilitytimeout=0", b""),
    ("DELETE", "none/messages/x", "popreceipt=YQ==", None),
]


@pytest.mark.parametrize(("method", "path", "query", "body"), ON_QUEUE)
def test_a_queue_that_is_not_there(world: QueueWorld, method: str, path: str, query: str, body: bytes | None) -> None:
    world.queue()
    answer = world.ask(method, path, query, body=body)
    assert (answer.status, answer.code) == (404, "QueueNotFound")
    assert (answer.body == b"") is (method == "HEAD")


def test_a_deleted_queue_can_be_made_anew_at_once_and_is_empty(world: QueueWorld) -> None:
    world.queue(x_ms_meta_a="1")
    old = world.put("old", "visibilitytimeout=5")
    assert world.ask("DELETE", "jobs").status == 204
    assert world.ask("DELETE", "jobs").code == "QueueNotFound"
    world.queue()
    assert (world.count(), world.ask("GET", "jobs", "comp=metadata").metadata) == (0, {})
    world.put("new")
    world.clock.advance(6)
    assert world.texts() == ["new"]
    assert world.delete(old).code == "MessageNotFound"
    world.sweep()
    assert (world.texts(), world.count()) == (["new"], 1)


def test_deleting_leaves_nothing_behind(world: QueueWorld) -> None:
    world.queue()
    before = world.stored_keys()
    world.queue("other")
    for number in range(100):
        world.put("x" * (5000 if number % 3 == 0 else 5), "messagettl=-1" if number % 2 else "", "other")
    world.get("numofmessages=32", "other")
    world.ask("DELETE", "other")
    world.sweep()
    assert world.stored_keys() == before


def test_accounts_do_not_see_each_others_queues(world: QueueWorld) -> None:
    world.queue()
    assert world.ask("PUT", "jobs", account="other").status == 201
    world.put()
    assert world.ask("GET", "jobs", "comp=metadata", account="other").headers["x-ms-approximate-messages-count"] == "0"
    assert names_in(world.ask("GET", "", "comp=list", account="other")) == ["jobs"]


# --- stored access policies ---------------------------------------------------------------------------------------


def policies(*items: str) -> bytes:
    return f"<SignedIdentifiers>{''.join(items)}</SignedIdentifiers>".encode()


def policy(name: str, terms: str = "") -> str:
    return f"<SignedIdentifier><Id>{name}</Id><AccessPolicy>{terms}</AccessPolicy></SignedIdentifier>"


FULL = policy(
    "full",
    "<Start>2026-01-01T00:00:00.0000000Z</Start><Expiry>2026-02-01T00:00:00.0000000Z</Expiry>"
    "<Permission>raup</Permission>",
)


def test_policies(world: QueueWorld) -> None:
    world.queue()
    answer = world.ask("GET", "jobs", "comp=acl")
    assert (answer.status, answer.xml.tag, len(answer.xml)) == (200, "SignedIdentifiers", 0)
    body = policies(FULL, policy("partial", "<Permission>r</Permission>"), policy("empty"))
    assert world.ask("PUT", "jobs", "comp=acl", body=body).status == 204
    answer = world.ask("GET", "jobs", "comp=acl")
    assert [item.findtext("Id") for item in answer.xml] == ["full", "partial", "empty"]
    assert ET.tostring(answer.xml[0]) == FULL.encode()
    head = world.ask("HEAD", "jobs", "comp=acl")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(len(answer.body)))
    assert world.ask("PUT", "jobs", "comp=acl", body=b"").status == 204
    assert len(world.ask("GET", "jobs", "comp=acl").xml) == 0


@pytest.mark.parametrize(
    "body",
    [
        policies(*[policy(f"id{number}") for number in range(6)]),
        policies(policy("x" * 65)),
        policies(policy("")),
        policies(policy("a"), policy("a")),
        policies(policy("a", "<Permission>rwdl</Permission>")),
        policies("<Other/>"),
        b"<Other/>",
        b"<SignedIdentifiers>",
    ],
)
def test_policies_that_cannot_be(world: QueueWorld, body: bytes) -> None:
    world.queue()
    world.ask("PUT", "jobs", "comp=acl", body=policies(FULL))
    answer = world.ask("PUT", "jobs", "comp=acl", body=body)
    assert (answer.status, answer.code) == (400, "InvalidXmlDocument")
    assert ET.tostring(world.ask("GET", "jobs", "comp=acl").xml[0]) == FULL.encode()


def test_policies_survive_metadata_and_clearing(world: QueueWorld) -> None:
    world.queue()
    world.ask("PUT", "jobs", "comp=acl", body=policies(FULL))
    world.ask("PUT", "jobs", "comp=metadata", {"x-ms-meta-a": "1"})
    world.put()
    world.ask("DELETE", "jobs/messages")
    assert len(world.ask("GET", "jobs", "comp=acl").xml) == 1
    assert world.ask("GET", "jobs", "comp=metadata").metadata == {"a": "1"}


# --- listings -----------------------------------------------------------------------------------------------------


def names_in(answer: Answer) -> list[str]:
    assert answer.status == 200, answer
    return [element.text or "" for element in answer.xml.findall("Queues/Queue/Name")]


def test_listings(world: QueueWorld) -> None:
    assert names_in(world.ask("GET", "", "comp=list")) == []
    for name in ("b-2", "a-1", "b-1", "c-1"):
        world.queue(name)
    answer = world.ask("GET", "", "comp=list")
    assert names_in(answer) == ["a-1", "b-1", "b-2", "c-1"]
    assert answer.xml.get("ServiceEndpoint") == "http://127.0.0.1:10001/devstoreaccount1/"
    assert answer.xml.findtext("NextMarker") == ""
    assert answer.xml.find("Queues/Queue/Metadata") is None
    assert names_in(world.ask("GET", "", "comp=list&prefix=b")) == ["b-1", "b-2"]
    assert names_in(world.ask("GET", "", "comp=list&prefix=b-11")) == []


def test_listings_in_pages(world: QueueWorld) -> None:
    names = [f"list-{number}" for number in range(7)]
    for name in names:
        world.queue(name)
    world.queue("other")
    seen, markers, marker = [], [], ""
    while True:
        answer = world.ask("GET", "", f"comp=list&prefix=list&maxresults=3&marker={quote(marker, safe='')}")
        assert answer.xml.findtext("MaxResults") == "3"
        assert answer.xml.findtext("Prefix") == "list"
        assert answer.xml.findtext("Marker", "") == marker
        seen.append(names_in(answer))
        marker = answer.xml.findtext("NextMarker") or ""
        if not marker:
            break
        markers.append(marker)
    assert seen == [names[:3], names[3:6], names[6:]]
    assert markers == ["/devstoreaccount1/list-3", "/devstoreaccount1/list-6"]


def test_listings_with_metadata(world: QueueWorld) -> None:
    world.queue("full", x_ms_meta_Name="a<b")
    world.queue("none")
    metadata = world.ask("GET", "", "comp=list&include=metadata").xml.findall("Queues/Queue/Metadata")
    assert [[(item.tag, item.text) for item in element] for element in metadata] == [[("Name", "a<b")], []]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("maxresults=0", "OutOfRangeQueryParameterValue"),
        ("maxresults=-1", "OutOfRangeQueryParameterValue"),
        ("maxresults=2147483648", "OutOfRangeQueryParameterValue"),
        ("maxresults=x", "InvalidQueryParameterValue"),
        ("include=frogs", "InvalidQueryParameterValue"),
        ("include=metadata,frogs", "InvalidQueryParameterValue"),
        ("marker=frogs", "InvalidMarker"),
        ("marker=/other/a", "InvalidMarker"),
    ],
)
def test_listings_that_cannot_be(world: QueueWorld, query: str, code: str) -> None:
    answer = world.ask("GET", "", f"comp=list&{query}")
    assert (answer.status, answer.code) == (400, code)


@pytest.mark.parametrize("query", ["comp=list", "comp=list&maxresults=2147483647"])
def test_a_page_is_never_longer_than_azures(world: QueueWorld, query: str) -> None:
    for number in range(5001):
        world.queue(f"q-{number:04}")
    answer = world.ask("GET", "", query)
    assert len(names_in(answer)) == 5000
    assert answer.xml.findtext("NextMarker") == "/devstoreaccount1/q-5000"
