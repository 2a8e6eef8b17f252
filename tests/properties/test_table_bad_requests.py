"""Whatever a request holds, the Table service answers as Azure does, and what it refuses changes nothing."""

from __future__ import annotations

import json
from urllib.parse import quote

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from localzure.services.table.errors import TABLE_ERRORS
from localzure.services.table.operations import OPERATIONS
from tests.storage_world import Answer
from tests.table_batches import Inner, change_set, insert, multipart
from tests.table_world import BASE_URL, TableWorld, entity_path

LATIN = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=20)
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)

HEADERS = (
    "accept", "authorization", "content-id", "content-length", "content-type", "dataserviceversion", "date",
    "if-match", "if-none-match", "maxdataserviceversion", "origin", "prefer", "access-control-request-method",
    "x-http-method", "x-ms-client-request-id", "x-ms-date", "x-ms-version",
)  # fmt: skip

HEADER_VALUES = LATIN | st.sampled_from(
    [
        "", "*", "0", "-1", "5", "application/json", "application/json;odata=fullmetadata", "application/atom+xml",
        "application/xml", "*/*;q=0.1", "application/json;odata=", ";;,", "return-content", "return-no-content",
        "MERGE", "PATCH", "PUT", "DELETE", "GET", "MERGE,PUT", "W/\"datetime'2026-01-01T00%3A00%3A00Z'\"", 'W/"x"',
        '"x"', "2019-02-02", "multipart/mixed; boundary=batch_1", "multipart/mixed; boundary=", "http://x", "9" * 30,
    ]
)  # fmt: skip

PARAMETERS = (
    "$filter", "$format", "$inlinecount", "$select", "$top", "comp", "NextPartitionKey", "NextRowKey",
    "NextTableName", "restype", "sig", "timeout",
)  # fmt: skip

PARAMETER_VALUES = ANY_TEXT | st.sampled_from(
    [
        "", "0", "-1", "1", "1001", "9" * 30, "1!4!YQ--", "1!0!", "1!4!____", "a eq 1", "a eq 'x",
        "PartitionKey eq 'p'", "((((", "a,b", "*", ",", "a b", "json",
        "application/json;odata=nometadata", "acl", "properties", "stats", "service", "batch",
    ]
)  # fmt: skip

NAMES = ANY_TEXT | st.sampled_from(
    ["PartitionKey", "RowKey", "Timestamp", "TableName", "a", "a@odata.type", "PartitionKey@odata.type", "odata.etag"]
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    ANY_TEXT,
    st.sampled_from(
        [
            "Edm.Int64", "Edm.Int32", "Edm.Double", "Edm.Guid", "Edm.Binary", "Edm.DateTime", "Edm.Boolean",
            "Edm.String", "p", "q", "5", "NaN", "YQ==", "2026-01-01", "x" * 1025, "a/b", "abc",
        ]
    ),
)  # fmt: skip
MEMBERS = st.dictionaries(NAMES, SCALARS | st.lists(SCALARS, max_size=2), max_size=5)
ENTITIES = MEMBERS.map(lambda members: {"PartitionKey": "p", "RowKey": "new", **members})
DOCUMENTS = (MEMBERS | ENTITIES).map(lambda members: json.dumps(members).encode())

RULES = b"<StorageServiceProperties><Cors /></StorageServiceProperties>"
POLICIES = b"<SignedIdentifiers><SignedIdentifier><Id>a</Id></SignedIdentifier></SignedIdentifiers>"
BATCH = multipart("batch_1", [change_set([insert("a"), insert("b")])])

BODIES = st.one_of(
    DOCUMENTS,
    st.binary(max_size=100),
    st.sampled_from(
        [RULES, POLICIES, BATCH, BATCH[:-20], b"<a>" * 50, b'<!DOCTYPE a [<!ENTITY b "b">]><a/>', b"[" * 5000]
    ),
)

ENTITY = entity_path("things", "p", "r")
PATHS = st.sampled_from(
    [
        "", "/", "Tables", "Tables()", "Tables('things')", "Tables('x", "things", "things()", "things/", "THINGS",
        "$batch", ENTITY, entity_path("things", "p", "new"), "things(PartitionKey='p')", "things('x')", "nothing()",
        "things/x", "things(PartitionKey='a%2Fb',RowKey='r')", "things%ff",
        "things(PartitionKey='%00',RowKey='')", "$metadata",
    ]
) | LATIN.filter(lambda path: "?" not in path and "#" not in path)  # fmt: skip

REQUESTS = {
    "service": "",
    "batch": "$batch",
    "tables": "Tables",
    "table": "Tables('things')",
    "entities": "things",
    "entity": ENTITY,
}


def filled() -> TableWorld:
    world = TableWorld()
    world.table()
    world.insert(a=1)
    return world


def check(
    world: TableWorld, method: str, path: str, query: dict[str, str], headers: dict[str, str], body: bytes
) -> Answer:
    raw_query = "&".join(f"{quote(name, safe='$')}={quote(value, safe='')}" for name, value in query.items())
    before = world.stored()
    answer = world.send(world.describe(method, path, raw_query, headers), [body])
    if answer.status < 300:
        assert answer.status in {200, 201, 202, 204}
    else:
        assert 400 <= answer.status < 500 or answer.status == 501, answer
        assert answer.code in TABLE_ERRORS or answer.code == "InvalidAuthenticationInfo"
        assert world.stored() == before
        check_shape(method, answer)
    return answer


def check_shape(method: str, answer: Answer) -> None:
    if method == "HEAD":
        assert answer.body == b""
    elif answer.headers["content-type"] == "application/xml":
        assert answer.xml[0].text == answer.code
    else:
        assert answer.refusal == (answer.status, answer.code)
        assert answer.json["odata.error"]["message"]["value"]


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    operation=st.sampled_from(OPERATIONS),
    headers=st.dictionaries(st.sampled_from(HEADERS), HEADER_VALUES, max_size=4),
    query=st.dictionaries(st.sampled_from(PARAMETERS), PARAMETER_VALUES, max_size=3),
    body=BODIES,
)
def test_requests_for_every_operation(
    operation: object, headers: dict[str, str], query: dict[str, str], body: bytes
) -> None:
    row = next(row for row in OPERATIONS if row is operation)
    for name, value in (("restype", row.restype), ("comp", row.comp)):
        query.pop(name, None)
        if value:
            query[name] = value
    headers.pop("x-http-method", None)
    if row.has_condition:
        headers.setdefault("if-match", "*")
    if row.has_condition is False:
        headers.pop("if-match", None)
    check(filled(), row.method, REQUESTS[row.resource], query, headers, body)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    method=st.sampled_from(["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "MERGE", "TRACE"]),
    path=PATHS,
    headers=st.dictionaries(st.sampled_from(HEADERS), HEADER_VALUES, max_size=6),
    query=st.dictionaries(st.sampled_from(PARAMETERS) | ANY_TEXT, PARAMETER_VALUES, max_size=4),
    body=BODIES,
)
def test_any_request(method: str, path: str, headers: dict[str, str], query: dict[str, str], body: bytes) -> None:
    check(filled(), method, path, query, headers, body)


@settings(max_examples=200, deadline=None)
@given(raw_query=st.text(st.characters(max_codepoint=255), max_size=40), path=LATIN)
def test_any_query_and_path_as_sent(raw_query: str, path: str) -> None:
    world = filled()
    for method in ("GET", "PUT"):
        answer = world.send(world.describe(method, path, raw_query))
        assert answer.status < 500 or answer.status == 501
    assert world.get()["a"] == 1


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, len(BATCH)), st.integers(0, 5), st.binary(max_size=5)), min_size=1, max_size=4)
)
def test_any_damage_to_a_batch(damages: list[tuple[int, int, bytes]]) -> None:
    body = BATCH
    for start, length, patch in damages:
        body = body[:start] + patch + body[start + length :]
    headers = {"content-type": "multipart/mixed; boundary=batch_1"}
    world = filled()
    answer = check(world, "POST", "$batch", {}, headers, body)
    made = {row for _, row in world.rows()} - {"r"}
    assert len(made) in {0, 1, 2}
    if answer.status == 202 and b"odata.error" in answer.body and b"HTTP/1.1 204" not in answer.body:
        assert not made, "all or nothing"


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["GET", "POST", "PUT", "PATCH", "MERGE", "DELETE", "HEAD"]),
            st.sampled_from(
                ["things", ENTITY, entity_path("things", "p", "new"), "Tables", "$batch", "nothing", "x y"]
            ),
            MEMBERS,
            st.dictionaries(
                st.sampled_from(HEADERS), HEADER_VALUES.filter(lambda text: text.isprintable()), max_size=3
            ),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_any_change_set(changes: list[tuple[str, str, dict[str, object], dict[str, str]]]) -> None:
    world = filled()
    inner = [Inner(method, f"{BASE_URL}/{path}", body, headers) for method, path, body, headers in changes]
    body = multipart("batch_1", [change_set(inner)])
    before = world.stored()
    headers = {"content-type": "multipart/mixed; boundary=batch_1"}
    answer = check(world, "POST", "$batch", {}, headers, body)
    if answer.status == 202 and b"odata.error" in answer.body:
        assert answer.body.count(b"HTTP/1.1 ") == 1
        assert world.stored() == before, "all or nothing"
