"""Tables, through requests and replies."""

from __future__ import annotations

import pytest

from tests.storage_world import ACCOUNT
from tests.table_world import BASE_URL, FULL, MINIMAL, NONE, TableWorld, continuation_of, entity_path


@pytest.fixture
def world() -> TableWorld:
    return TableWorld()


def names(world: TableWorld, query: str = "") -> list[str]:
    answer = world.ask("GET", "Tables", query)
    assert answer.status == 200, answer
    return [item["TableName"] for item in answer.json["value"]]


def test_create_tells_what_it_made(world: TableWorld) -> None:
    answer = world.ask("POST", "Tables", body={"TableName": "Things"})
    assert answer.status == 201
    assert answer.headers["location"] == f"{BASE_URL}/Tables('Things')"
    assert answer.headers["content-type"] == "application/json;odata=minimalmetadata;streaming=true;charset=utf-8"
    assert "preference-applied" not in answer.headers
    assert answer.json == {"odata.metadata": f"{BASE_URL}/$metadata#Tables/@Element", "TableName": "Things"}


def test_create_as_the_client_prefers(world: TableWorld) -> None:
    quiet = world.ask("POST", "Tables", headers={"Prefer": "return-no-content"}, body={"TableName": "one"})
    assert (quiet.status, quiet.body) == (204, b"")
    assert quiet.headers["preference-applied"] == "return-no-content"
    assert quiet.headers["location"] == quiet.headers["dataserviceid"] == f"{BASE_URL}/Tables('one')"
    telling = world.ask("POST", "Tables", headers={"Prefer": "return-content"}, body={"TableName": "two"})
    assert telling.status == 201
    assert telling.headers["preference-applied"] == "return-content"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (NONE, {"TableName": "things"}),
        (MINIMAL, {"odata.metadata": f"{BASE_URL}/$metadata#Tables/@Element", "TableName": "things"}),
        (
            FULL,
            {
                "odata.metadata": f"{BASE_URL}/$metadata#Tables/@Element",
                "odata.type": f"{ACCOUNT}.Tables",
                "odata.id": f"{BASE_URL}/Tables('things')",
                "odata.editLink": "Tables('things')",
                "TableName": "things",
            },
        ),
    ],
    ids=["none", "minimal", "full"],
)
def test_a_table_at_each_level_of_metadata(world: TableWorld, accept: str, expected: dict[str, str]) -> None:
    world.table()
    assert world.ask("GET", "Tables('THINGS')", headers={"Accept": accept}).json == expected
    listed = world.ask("GET", "Tables", headers={"Accept": accept}).json
    if accept != NONE:
        assert listed["odata.metadata"] == f"{BASE_URL}/$metadata#Tables"
    expected.pop("odata.metadata", None)
    assert listed["value"] == [expected]


def test_names_are_the_same_in_any_case_and_keep_theirs(world: TableWorld) -> None:
    world.table("Things")
    assert world.ask("POST", "Tables", body={"TableName": "thingS"}).refusal == (409, "TableAlreadyExists")
    world.insert("THINGS")
    answer = world.ask("GET", entity_path("things", "p", "r"))
    assert answer.json["odata.metadata"] == f"{BASE_URL}/$metadata#Things/@Element"
    assert names(world) == ["Things"]


@pytest.mark.parametrize("name", ["abc", "A1b", "x" * 63])
def test_names_that_azure_takes(world: TableWorld, name: str) -> None:
    world.table(name)
    assert names(world) == [name]


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("ab", "OutOfRangeInput", "The specified resource name length is not within the permissible limits."),
        ("a" * 64, "OutOfRangeInput", "The specified resource name length is not within the permissible limits."),
        ("1abc", "InvalidResourceName", "The specifed resource name contains invalid characters."),
        ("ab-c", "InvalidResourceName", "The specifed resource name contains invalid characters."),
        ("ab_c", "InvalidResourceName", "The specifed resource name contains invalid characters."),
        ("tablé", "InvalidResourceName", "The specifed resource name contains invalid characters."),
        ("abc\n", "InvalidResourceName", "The specifed resource name contains invalid characters."),
        ("", "InvalidResourceName", "The specifed resource name contains invalid characters."),
        ("tables", "InvalidInput", "One of the request inputs is not valid."),
        (None, "PropertiesNeedValue", "The values are not specified for all properties in the entity."),
        (5, "InvalidInput", "One of the request inputs is not valid."),
    ],
)
def test_names_that_azure_refuses(world: TableWorld, name: object, code: str, message: str) -> None:
    answer = world.ask("POST", "Tables", body={"TableName": name})
    assert (answer.refusal, answer.message) == ((400, code), message)
    assert names(world) == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"5", b"\xff", b'{"TableName": "a', b"<entry />"])
def test_bodies_that_describe_no_table(world: TableWorld, body: bytes) -> None:
    assert world.ask("POST", "Tables", body=body).refusal == (400, "InvalidInput")


def test_delete_forgets_a_table_at_once(world: TableWorld) -> None:
    world.table()
    world.insert()
    assert world.ask("DELETE", "Tables('Things')").status == 204
    assert names(world) == []
    assert world.ask("GET", entity_path("things", "p", "r")).refusal == (404, "TableNotFound")
    assert world.ask("GET", "things").refusal == (404, "TableNotFound")
    assert world.ask("DELETE", "Tables('things')").refusal == (404, "ResourceNotFound")
    assert world.ask("GET", "Tables('things')").refusal == (404, "ResourceNotFound")


def test_a_table_that_is_made_again_is_empty(world: TableWorld) -> None:
    world.table()
    world.insert()
    world.ask("DELETE", "Tables('things')")
    world.table()
    assert world.rows() == []
    world.insert(row="new")
    world.sweep()
    assert world.rows() == [("p", "new")]


def test_the_sweep_frees_what_is_left_in_bounded_steps(world: TableWorld) -> None:
    world.table()
    for number in range(200):
        world.insert(row=str(number))
    before = len(world.stored())
    world.ask("DELETE", "Tables('things')")
    assert len(world.stored()) >= before
    assert 4 <= world.sweep() <= 8
    assert len(world.stored()) == 1, "only the counter is left"


def test_a_listing_has_pages(world: TableWorld) -> None:
    made = [f"Table{letter}" for letter in "ACBD"]
    for name in made:
        world.table(name)
    found = []
    more: str | None = ""
    while more is not None:
        answer = world.ask("GET", "Tables", f"$top=3&{more}")
        found.append([item["TableName"] for item in answer.json["value"]])
        more = continuation_of(answer)
    assert found == [["TableA", "TableB", "TableC"], ["TableD"]]


def test_a_listing_of_other_accounts_is_another(world: TableWorld) -> None:
    world.table()
    assert world.ask("GET", "Tables", account="other").json["value"] == []
    assert world.ask("POST", "Tables", body={"TableName": "things"}, account="other").status == 201
    world.insert()
    assert world.ask("GET", "things", account="other").json["value"] == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("TableName eq 'beta'", ["beta"]),
        ("TableName ge 'beta' and TableName lt 'delta'", ["beta", "camma"]),
        ("TableName ne 'beta'", ["alpha", "camma", "delta"]),
        ("not (TableName lt 'camma')", ["camma", "delta"]),
        ("", ["alpha", "beta", "camma", "delta"]),
    ],
)
def test_a_listing_takes_a_filter(world: TableWorld, text: str, expected: list[str]) -> None:
    for name in ("alpha", "beta", "camma", "delta"):
        world.table(name)
    assert names(world, f"$filter={text}") == expected


@pytest.mark.parametrize(
    "query", ["$top=1001", "$top=-1", "$top=x", "NextTableName=x", "NextTableName=1!4!abc", "$filter=TableName"]
)
def test_options_of_a_listing_that_azure_refuses(world: TableWorld, query: str) -> None:
    answer = world.ask("GET", "Tables", query)
    if query.startswith("$filter"):
        assert answer.json["value"] == []
    else:
        assert answer.refusal == (400, "InvalidInput")


def test_the_page_of_none(world: TableWorld) -> None:
    world.table()
    answer = world.ask("GET", "Tables", "$top=0")
    assert (answer.json["value"], continuation_of(answer)) == ([], None)


@pytest.mark.parametrize("table", ["things()", "things"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_the_ways_to_write_the_entities_of_a_table(world: TableWorld, table: str, slash: str) -> None:
    world.table()
    world.insert()
    assert len(world.ask("GET", table + slash).json["value"]) == 1


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("ab", 400, "OutOfRangeInput"),
        ("a-b", 400, "InvalidResourceName"),
        ("abc", 404, "TableNotFound"),
        ("tables", 404, "TableNotFound"),
        ("%ff", 400, "InvalidInput"),
        ("Tables('a'", 400, "InvalidInput"),
        ("Tables('a','b')", 400, "InvalidInput"),
        ("a/b/c", 400, "OutOfRangeInput"),
        ("abc/b/c", 404, "TableNotFound"),
        ("a-b/c", 400, "InvalidInput"),
        ("//", 400, "InvalidInput"),
        ("$metadata", 400, "InvalidResourceName"),
    ],
)
def test_paths_that_name_nothing(world: TableWorld, path: str, status: int, code: str) -> None:
    assert world.ask("GET", path).refusal == (status, code)


@pytest.mark.parametrize("name", ["nothing", "a", "a-b", "%C3%A9"])
def test_a_table_with_a_name_that_none_can_have_is_not_there(world: TableWorld, name: str) -> None:
    assert world.ask("DELETE", f"Tables('{name}')").refusal == (404, "ResourceNotFound")


def test_a_client_that_takes_a_table_for_its_account(world: TableWorld) -> None:
    """So azure-data-tables does with a table's URL as its endpoint; its tests tell what Azure answers."""
    assert world.ask("POST", "things/Tables", body={"TableName": "x"}).refusal == (404, "TableNotFound")
    assert world.ask("DELETE", "things/Tables('x')").status == 404
    world.table()
    assert world.ask("POST", "things/Tables", body={"TableName": "x"}).refusal == (400, "PropertiesNeedValue")
    answer = world.ask("DELETE", "things/Tables('x')")
    assert answer.refusal == (400, "InvalidInput")
    assert answer.message == (
        "The number of keys specified in the URI does not match number of key properties for the resource "
        "'devstoreaccount1.things'."
    )
    assert world.ask("GET", "things/", "restype=service&comp=properties").refusal == (400, "InvalidQueryParameterValue")
    assert world.ask("POST", "things/$batch").refusal == (415, "MediaTypeNotSupported")
