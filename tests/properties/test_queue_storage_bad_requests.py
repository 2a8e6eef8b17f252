"""Whatever a request holds, the Queue service answers as Azure does, and what it refuses changes nothing."""

from __future__ import annotations

from urllib.parse import quote

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from localzure.services.queue.errors import QUEUE_ERRORS
from localzure.services.queue.operations import OPERATIONS, Operation
from tests.queue_world import Got, QueueWorld, message_body

LATIN = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=20)
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)

HEADERS = (
    "access-control-request-headers", "access-control-request-method", "authorization", "content-encoding",
    "content-length", "content-md5", "content-type", "date", "if-match", "if-none-match", "origin", "range",
    "x-ms-client-request-id", "x-ms-date", "x-ms-lease-id", "x-ms-meta-", "x-ms-meta-a", "x-ms-meta-a.b",
    "x-ms-version",
)  # fmt: skip

HEADER_VALUES = LATIN | st.sampled_from(
    [
        "", "*", "0", "-1", "5", "PUT", "http://app.example", "Thu, 01 Jan 2026 00:00:00 GMT", '"0x8D"', "YQ==",
        "2026-10-06", "9" * 30, "SharedKey devstoreaccount1:YQ==", "Bearer a.b.c", "x" * 9000,
    ]
)  # fmt: skip

PARAMETERS = (
    "comp", "include", "marker", "maxresults", "messagettl", "numofmessages", "peekonly", "popreceipt", "prefix",
    "restype", "timeout", "visibilitytimeout", "sig", "sv",
)  # fmt: skip

PARAMETER_VALUES = ANY_TEXT | st.sampled_from(
    [
        "", "0", "-1", "1", "32", "33", "604800", "604801", "99999999999999999999", "1e3", "٣", "true", "false", "YQ==",
        "list", "metadata", "properties", "stats", "acl", "service", "/devstoreaccount1/jobs", "receipt",
    ]
)  # fmt: skip

POLICY = (
    b"<SignedIdentifiers><SignedIdentifier><Id>a</Id><AccessPolicy>{}</AccessPolicy></SignedIdentifier>"
    b"</SignedIdentifiers>"
)

DOCUMENTS = [
    message_body(""),
    message_body("<&>\U0001f600" * 50),
    message_body("x" * 65537),
    b"<QueueMessage/>",
    b"<QueueMessage><MessageText>",
    b"<QueueMessage><MessageText>&#1;</MessageText></QueueMessage>",
    b'<!DOCTYPE a [<!ENTITY b "b">]><QueueMessage><MessageText>&b;</MessageText></QueueMessage>',
    b"<a>" * 50,
    b"<SignedIdentifiers/>",
    b"<SignedIdentifiers><SignedIdentifier><Id>a</Id></SignedIdentifier></SignedIdentifiers>",
    POLICY.replace(b"{}", b"<Start>soon</Start>"),
    POLICY.replace(b"{}", b"<Permission>rwdl</Permission>"),
    b"<StorageServiceProperties/>",
    b"<StorageServiceProperties><Cors/></StorageServiceProperties>",
    b"<StorageServiceProperties><Cors><CorsRule/></Cors></StorageServiceProperties>",
    b"<StorageServiceProperties><Logging><Version>2.0</Version></Logging></StorageServiceProperties>",
    b"\xff\xfe<\x00a\x00/\x00>\x00",
]
BODIES = st.binary(max_size=200) | st.sampled_from(DOCUMENTS)

PATHS = st.sampled_from(
    [
        "", "/", "jobs", "jobs/", "jobs/messages", "jobs/messages/", "jobs/messages/x", "jobs/messages/{id}",
        "jobs/messages/{id}/y", "nojobs", "nojobs/messages", "JOBS", "jobs/%ff", "jobs/messages/%", "jobs//messages",
    ]
) | LATIN.filter(lambda path: not set(path) & set("?#{}"))  # fmt: skip

TARGETS = {"service": "", "queue": "jobs", "messages": "jobs/messages", "message": "jobs/messages/{id}"}


def filled() -> tuple[QueueWorld, Got]:
    world = QueueWorld()
    world.queue(x_ms_meta_a="1")
    return world, world.put("before")


def check(
    world: QueueWorld,
    message: Got,
    method: str,
    path: str,
    query: dict[str, str],
    headers: dict[str, str],
    body: bytes,
) -> None:
    """Ask, and hold the answer and what is stored to what a refusal may do: nothing."""
    given = {name: message.receipt if value == "receipt" else value for name, value in query.items()}
    raw_query = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in given.items())
    request = world.describe(method, path.replace("{id}", message.id), raw_query, headers)
    before = stored(world)
    answer = world.send(request, [body])
    assert answer.status in {200, 201, 202, 204, 501} or 400 <= answer.status < 500, answer
    if answer.status < 300:
        return
    assert answer.code in QUEUE_ERRORS
    assert stored(world) == before
    if method == "HEAD":
        assert answer.body == b""
    else:
        assert answer.xml.tag == "Error"
        assert answer.xml.findtext("Code") == answer.code
        assert request.request_id in (answer.xml.findtext("Message") or "")


def stored(world: QueueWorld) -> list[tuple[bytes, bytes]]:
    with world.store.read() as reader:
        return list(reader.scan(b"", b"\xff"))


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    operation=st.sampled_from(OPERATIONS),
    headers=st.dictionaries(st.sampled_from(HEADERS), HEADER_VALUES, max_size=4),
    query=st.dictionaries(st.sampled_from(PARAMETERS), PARAMETER_VALUES, max_size=4),
    body=BODIES,
)
def test_requests_for_every_operation(
    operation: Operation, headers: dict[str, str], query: dict[str, str], body: bytes
) -> None:
    query = {name: value for name, value in query.items() if name not in {"restype", "comp"}}
    fixed = {"restype": operation.restype, "comp": operation.comp}
    query |= {name: value for name, value in fixed.items() if value}
    world, message = filled()
    check(world, message, operation.method, TARGETS[operation.resource], query, headers, body)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    method=st.sampled_from(["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "MERGE", "TRACE"]),
    path=PATHS,
    headers=st.dictionaries(st.sampled_from(HEADERS), HEADER_VALUES, max_size=5),
    query=st.dictionaries(st.sampled_from(PARAMETERS) | ANY_TEXT, PARAMETER_VALUES, max_size=4),
    body=BODIES,
)
def test_any_request(method: str, path: str, headers: dict[str, str], query: dict[str, str], body: bytes) -> None:
    check(*filled(), method, path, query, headers, body)


@settings(max_examples=150, deadline=None)
@given(raw_query=st.text(st.characters(max_codepoint=255), max_size=40), path=LATIN)
def test_any_query_and_path_as_sent(raw_query: str, path: str) -> None:
    world, _ = filled()
    for method in ("GET", "PUT"):
        answer = world.send(world.describe(method, path, raw_query, {"content-length": "0"}))
        assert answer.status < 500
    assert world.texts() == ["before"]


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("\t\n"), max_size=200))
def test_any_text_comes_back_as_it_is(text: str) -> None:
    world, _ = filled()
    answer = world.try_put(text)
    if set(text) & {"\ufffe", "\uffff"}:
        assert answer.code == "InvalidXmlDocument"
        return
    assert answer.status == 201
    assert world.texts() == ["before", text]
