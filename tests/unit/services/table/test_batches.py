"""Entity group transactions: all or nothing, and the number of the change that failed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.table_batches import Inner, change, change_set, insert, multipart, replies, send, transact
from tests.table_world import BASE_URL, FULL, NONE, TableWorld, entity_path


@pytest.fixture
def world() -> TableWorld:
    world = TableWorld()
    world.table()
    return world


def failed(world: TableWorld, *changes: Inner) -> tuple[int, str, str]:
    """The status, code and message of a change set's only reply; and it has changed nothing."""
    before = world.stored()
    (reply,) = transact(world, *changes)
    assert world.stored() == before
    return reply.status, reply.code, reply.message


def values(world: TableWorld) -> dict[str, Any]:
    return {item["RowKey"]: item.get("a") for page in world.pages() for item in page}


def test_every_kind_of_change_at_once(world: TableWorld) -> None:
    etags = {row: world.insert(row=row, a=0, b=0).headers["etag"] for row in "12345"}
    answers = transact(
        world,
        insert("new", a=1),
        change("PUT", "1", {"a": 2}, etags["1"]),
        change("MERGE", "2", {"a": 3}, "*"),
        change("PATCH", "3", {"a": 4}),
        change("PUT", "upserted", {"a": 5}),
        change("DELETE", "4", etag=etags["4"]),
        Inner("POST", f"{BASE_URL}/{entity_path('things', 'p', '5')}", {"a": 6}, {"X-HTTP-Method": "MERGE"}),
    )
    assert [answer.status for answer in answers] == [204] * 7
    assert [answer.headers["content-id"] for answer in answers] == list("0123456")
    assert ["etag" in answer.headers for answer in answers] == [True] * 5 + [False, True]
    assert values(world) == {"1": 2, "2": 3, "3": 4, "5": 6, "new": 1, "upserted": 5}
    assert "b" not in world.get(row="1")
    assert world.get(row="2")["b"] == 0
    assert answers[0].headers["preference-applied"] == "return-no-content"
    assert answers[0].headers["dataserviceid"] == f"{BASE_URL}/{entity_path('things', 'p', 'new')}"
    assert answers[1].headers["etag"] == world.ask("GET", entity_path("things", "p", "1")).headers["etag"]


def test_a_batch_is_answered_as_multipart(world: TableWorld) -> None:
    answer = send(world, multipart("batch_1", [change_set([insert("1")])]))
    assert answer.status == 202
    assert answer.headers["content-type"].startswith("multipart/mixed; boundary=batchresponse_")
    assert answer.headers["cache-control"] == "no-cache"


def test_what_was_inserted_is_given_back_where_it_is_wanted(world: TableWorld) -> None:
    wanted = Inner("POST", f"{BASE_URL}/things", {"PartitionKey": "p", "RowKey": "1", "a": 1}, {"Accept": FULL})
    bare = Inner("POST", f"{BASE_URL}/things", {"PartitionKey": "p", "RowKey": "2"}, {"Accept": NONE})
    first, second = transact(world, wanted, bare)
    assert (first.status, first.json) == (201, world.get(row="1", accept=FULL))
    assert first.headers["content-type"].startswith("application/json;odata=fullmetadata")
    assert (second.status, second.json) == (201, world.get(row="2"))


def test_a_hundred_changes(world: TableWorld) -> None:
    answers = transact(world, *(insert(f"{number:03}", a=number) for number in range(100)))
    assert [answer.status for answer in answers] == [204] * 100
    assert len(values(world)) == 100


def test_more_changes_are_refused(world: TableWorld) -> None:
    changes = [insert(f"{number:03}") for number in range(101)]
    assert failed(world, *changes) == (
        400,
        "InvalidInput",
        "0:The batch request operation exceeds the maximum 100 changes per change set.",
    )


NOT_VALID = "One of the request inputs is not valid."
MISSING = "The specified resource does not exist."
STALE = "W/\"datetime'2020-01-01T00%3A00%3A00Z'\""

FAILING = [
    (insert("there"), 409, "EntityAlreadyExists", "The specified entity already exists."),
    (change("PUT", "missing", {}, "*"), 404, "ResourceNotFound", MISSING),
    (change("DELETE", "missing", etag="*"), 404, "ResourceNotFound", MISSING),
    (
        change("PATCH", "there", {}, STALE),
        412,
        "UpdateConditionNotSatisfied",
        "The update condition specified in the request was not satisfied.",
    ),
    (
        insert("other", a="x" * 40_000),
        400,
        "PropertyValueTooLarge",
        (
            "The property value exceeds the maximum allowed size (64KB). If the property value is a string, it is "
            "UTF-16 encoded and the maximum number of characters should be 32K or less."
        ),
    ),
    (Inner("GET", f"{BASE_URL}/things"), 400, "InvalidInput", NOT_VALID),
    (Inner("PUT", f"{BASE_URL}/{entity_path('things', 'p', 'other')}", b"{"), 400, "InvalidInput", NOT_VALID),
    (Inner("POST", f"{BASE_URL}/Tables", {"TableName": "x"}), 400, "InvalidInput", NOT_VALID),
    (
        Inner("PUT", f"{BASE_URL}/things(PartitionKey='p')"),
        400,
        "InvalidInput",
        "Bad Request - Error in query syntax.",
    ),
    (
        Inner("PUT", f"{BASE_URL}/things", {}),
        405,
        "MethodNotAllowed",
        "The requested method is not allowed on the specified resource.",
    ),
]


@pytest.mark.parametrize("position", [0, 1, 2])
@pytest.mark.parametrize(("inner", "status", "code", "message"), FAILING)
def test_one_failing_change_undoes_all(
    world: TableWorld, position: int, inner: Inner, status: int, code: str, message: str
) -> None:
    world.insert(row="there")
    changes = [insert("a"), insert("b")]
    changes.insert(position, inner)
    assert failed(world, *changes) == (status, code, f"{position}:{message}")
    (reply,) = transact(world, *changes)
    assert reply.headers["content-id"] == str(position)
    assert reply.headers["content-type"].startswith("application/json")


@pytest.mark.parametrize(
    ("inner", "message"),
    [
        (insert("there"), "The specified entity already exists."),
        (change("PUT", "missing", {}, "*"), "The specified resource does not exist."),
        (change("PUT", "there", {}, 'W/"x"'), "The update condition specified in the request was not satisfied."),
        (insert("x", table="nothing"), "0:The table specified does not exist."),
        (change("DELETE", "there"), "0:Since entity type"),
    ],
)
def test_a_change_alone_is_refused_in_its_own_words(world: TableWorld, inner: Inner, message: str) -> None:
    world.insert(row="there")
    assert failed(world, inner)[2].startswith(message)


def test_a_batch_is_for_one_partition(world: TableWorld) -> None:
    expected = "1:All commands in a batch must operate on same entity group."
    assert failed(world, insert("a"), insert("b", partition="q")) == (
        400,
        "CommandsInBatchActOnDifferentPartitions",
        expected,
    )
    world.table("others")
    assert failed(world, insert("a"), insert("b", table="others"))[2] == expected
    assert [answer.status for answer in transact(world, insert("a"), insert("b", table="THINGS"))] == [204, 204]


def test_an_entity_appears_once(world: TableWorld) -> None:
    assert failed(world, insert("a"), insert("b"), change("PUT", "a", {})) == (
        400,
        "InvalidDuplicateRow",
        (
            "2:The batch request contains multiple changes with same row key. "
            "An entity can appear only once in a batch request."
        ),
    )


def test_a_table_that_is_not_there(world: TableWorld) -> None:
    assert failed(world, insert("a", table="nothing"), insert("b", table="nothing")) == (
        404,
        "TableNotFound",
        "0:The table specified does not exist.",
    )


@pytest.mark.parametrize(
    "prefix",
    [BASE_URL, "https://elsewhere.example/devstoreaccount1", "/devstoreaccount1", "", "http://127.0.0.1:10002"],
)
def test_addresses_within_are_whole_or_not(world: TableWorld, prefix: str) -> None:
    path = f"{prefix}/things".lstrip("/") if not prefix else f"{prefix}/things"
    inner = Inner("POST", path, {"PartitionKey": "p", "RowKey": "r"}, {"Prefer": "return-no-content"})
    assert [answer.status for answer in transact(world, inner)] == [204]
    assert world.rows() == [("p", "r")]


def test_keys_within_are_read_as_outside(world: TableWorld) -> None:
    key = "it's a/é".replace("/", "-")
    inner = Inner("PUT", f"{BASE_URL}/{entity_path('things', key, key)}", {"a": 1})
    assert transact(world, inner)[0].status == 204
    assert world.rows() == [(key, key)]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (entity_path("things", "p", "1"), 1),
        ("things()?$filter=RowKey%20ge%20'2'", 2),
        ("things()", 3),
        ("Tables", 1),
    ],
)
def test_a_query_may_be_alone_in_a_batch(world: TableWorld, path: str, expected: int) -> None:
    for row in "123":
        world.insert(row=row)
    part = Inner("GET", f"{BASE_URL}/{path}", headers={"Accept": NONE}).write(7)
    ((reply,),) = replies(send(world, multipart("batch_1", [part])))
    assert reply.status == 200
    assert reply.headers["content-id"] == "7"
    assert len(reply.json.get("value", [reply.json])) == expected


def test_a_query_within_that_finds_too_much_goes_on(world: TableWorld) -> None:
    for row in "123":
        world.insert(row=row)
    part = Inner("GET", f"{BASE_URL}/things()?$top=2").write(0)
    ((reply,),) = replies(send(world, multipart("batch_1", [part])))
    assert "x-ms-continuation-nextrowkey" in reply.headers


def test_a_query_that_fails(world: TableWorld) -> None:
    part = Inner("GET", f"{BASE_URL}/{entity_path('things', 'p', 'missing')}").write(0)
    ((reply,),) = replies(send(world, multipart("batch_1", [part])))
    assert (reply.refusal, reply.message) == ((404, "ResourceNotFound"), "The specified resource does not exist.")
    part = insert("x").write(0)
    ((reply,),) = replies(send(world, multipart("batch_1", [part])))
    assert reply.refusal == (400, "InvalidInput")
    assert world.rows() == []


def test_a_second_change_set_is_too_many(world: TableWorld) -> None:
    parts = [change_set([insert("a")]), change_set([insert("b")]), change_set([insert("c")])]
    first, second = replies(send(world, multipart("batch_1", parts)))
    assert (first[0].status, second[0].refusal) == (204, (400, "InvalidInput"))
    assert world.rows() == [("p", "a")]


@pytest.mark.parametrize(
    ("content_type", "status", "code"),
    [
        ("application/json", 415, "MediaTypeNotSupported"),
        ("multipart/mixed", 415, "MediaTypeNotSupported"),
        ("multipart/form-data; boundary=batch_1", 415, "MediaTypeNotSupported"),
        ("multipart/mixed; boundary=", 415, "MediaTypeNotSupported"),
        ("multipart/mixed; boundary=other", 400, "InvalidInput"),
        ('multipart/mixed; boundary="batch_1"', 202, ""),
        ("Multipart/Mixed;charset=utf-8;Boundary=batch_1", 202, ""),
    ],
)
def test_what_type_a_batch_has(world: TableWorld, content_type: str, status: int, code: str) -> None:
    answer = send(world, multipart("batch_1", [change_set([insert("a")])]), content_type)
    assert (answer.status, answer.code) == (status, code)
    assert len(world.rows()) == (status == 202)


WHOLE = multipart("batch_1", [change_set([insert("a"), insert("b")])])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--batch_1--\r\n",
        b"no parts",
        WHOLE.replace(b"--batch_1--", b""),
        WHOLE.replace(b"--changeset_1--", b""),
        multipart("batch_1", [b"Content-Type: multipart/mixed; boundary=changeset_1\r\n\r\n--changeset_1--\r\n"]),
        WHOLE.replace(b"HTTP/1.1", b"SPDY/3"),
        WHOLE.replace(b"POST http", b"http"),
        WHOLE.replace(b"Accept: ", b"Accept "),
        WHOLE.replace(b"Content-Transfer-Encoding: ", b"Content-Transfer-Encoding "),
        multipart("batch_1", [change_set([insert("a")])] * 300),
        multipart("batch_1", [b"\r\n\r\n"]),
        multipart("batch_1", [b"x"]),
    ],
)
def test_bodies_that_are_no_batch(world: TableWorld, body: bytes) -> None:
    answer = send(world, body)
    assert answer.refusal == (400, "InvalidInput")
    assert world.rows() == []


def test_lines_may_end_without_carriage_returns(world: TableWorld) -> None:
    assert send(world, WHOLE.replace(b"\r\n", b"\n")).status == 202
    assert world.rows() == [("p", "a"), ("p", "b")]


def test_what_stands_before_and_behind_the_parts_is_passed_over(world: TableWorld) -> None:
    assert send(world, b"preamble\r\n" + WHOLE + b"epilogue\r\n--batch_1").status == 202
    assert len(world.rows()) == 2


def test_an_uri_within_that_is_none(world: TableWorld) -> None:
    (reply,) = transact(world, Inner("PUT", "http://[/things", {"a": 1}))
    assert reply.refusal == (400, "InvalidUri")


def test_a_batch_has_4_mib(world: TableWorld) -> None:
    headers = {"Content-Type": "multipart/mixed; boundary=batch_1", "Content-Length": str(4 * 1024 * 1024 + 1)}
    assert world.send(world.describe("POST", "$batch", headers=headers)).refusal == (413, "RequestBodyTooLarge")
    del headers["Content-Length"]
    pieces = [b"x" * (2 * 1024 * 1024)] * 3
    assert world.send(world.describe("POST", "$batch", headers=headers), pieces).status == 413


def test_the_changes_of_a_batch_are_stamped_together(world: TableWorld) -> None:
    transact(world, insert("a"), insert("b"))
    assert world.get(row="a")["Timestamp"] == world.get(row="b")["Timestamp"]
    etag = world.ask("GET", entity_path("things", "p", "a")).headers["etag"]
    (reply, _) = transact(world, change("PUT", "a", {}, etag), insert("c"))
    assert reply.headers["etag"] > etag
