"""Entities: insert, read, update, merge, delete, their conditions and their limits."""

from __future__ import annotations

from typing import Any

import pytest

from localzure.services.interface import SECOND, Instant
from tests.storage_world import ACCOUNT, Answer
from tests.table_world import BASE_URL, FULL, MINIMAL, NONE, TableWorld, entity_path

PATH = entity_path("things", "p", "r")
SYSTEM = {"PartitionKey", "RowKey", "Timestamp"}
START = "2026-01-01T00:00:00"


@pytest.fixture
def world() -> TableWorld:
    world = TableWorld()
    world.table()
    return world


def properties(world: TableWorld, row: str = "r") -> dict[str, Any] | None:
    """An entity without its keys and its Timestamp; None where there is none."""
    found = world.get(row=row)
    return found and {name: value for name, value in found.items() if name not in SYSTEM}


def etag_of(answer: Answer) -> str:
    return answer.headers["etag"]


# --- insert -------------------------------------------------------------------------------------------------------


def test_insert_tells_what_it_made(world: TableWorld) -> None:
    world.clock.advance(1.25)
    answer = world.ask("POST", "Things", body={"PartitionKey": "p", "RowKey": "r", "a": 1, "b": None})
    assert answer.status == 201
    etag = f"W/\"datetime'{START.replace(':', '%3A')[:-2]}01.25Z'\""
    assert etag_of(answer) == etag
    assert answer.headers["location"] == f"{BASE_URL}/things(PartitionKey='p',RowKey='r')"
    assert answer.json == {
        "odata.metadata": f"{BASE_URL}/$metadata#things/@Element",
        "odata.etag": etag,
        "PartitionKey": "p",
        "RowKey": "r",
        "Timestamp": "2026-01-01T00:00:01.25Z",
        "a": 1,
    }


def test_insert_as_the_client_prefers(world: TableWorld) -> None:
    answer = world.ask(
        "POST", "things", headers={"Prefer": "return-no-content"}, body={"PartitionKey": "p", "RowKey": "r"}
    )
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["preference-applied"] == "return-no-content"
    assert answer.headers["location"] == answer.headers["dataserviceid"] == f"{BASE_URL}/{PATH}"
    assert "etag" in answer.headers
    assert "content-type" not in answer.headers


def test_an_entity_is_inserted_once(world: TableWorld) -> None:
    world.insert(a=1)
    answer = world.ask("POST", "things", body={"PartitionKey": "p", "RowKey": "r", "a": 2})
    assert answer.refusal == (409, "EntityAlreadyExists")
    assert answer.message == "The specified entity already exists."
    assert properties(world) == {"a": 1}


@pytest.mark.parametrize("missing", ["PartitionKey", "RowKey"])
@pytest.mark.parametrize("value", ["absent", None])
def test_insert_needs_both_keys(world: TableWorld, missing: str, value: str | None) -> None:
    body: dict[str, Any] = {"PartitionKey": "p", "RowKey": "r"}
    if value is None:
        body[missing] = None
    else:
        del body[missing]
    assert world.ask("POST", "things", body=body).refusal == (400, "PropertiesNeedValue")
    assert world.rows() == []


@pytest.mark.parametrize("value", [5, True, [], {}])
def test_keys_are_strings(world: TableWorld, value: object) -> None:
    body = {"PartitionKey": "p", "RowKey": value}
    assert world.ask("POST", "things", body=body).refusal == (400, "InvalidInput")


def test_the_timestamp_is_the_services(world: TableWorld) -> None:
    world.insert(**{"Timestamp": "1999-01-01T00:00:00Z", "Timestamp@odata.type": "Edm.DateTime"})
    assert world.get()["Timestamp"].startswith(START)


def test_the_empty_string_is_a_key(world: TableWorld) -> None:
    world.insert(partition="", row="")
    assert world.get(partition="", row="")["RowKey"] == ""
    assert world.rows(text="PartitionKey eq '' and RowKey eq ''") == [("", "")]


# --- read ---------------------------------------------------------------------------------------------------------


def test_an_entity_at_each_level_of_metadata(world: TableWorld) -> None:
    big: dict[str, Any] = {"n@odata.type": "Edm.Int64", "n": "5", "s": "x"}
    etag = etag_of(world.insert(**big))
    base = {"PartitionKey": "p", "RowKey": "r", "Timestamp": world.get()["Timestamp"]}
    assert world.get(accept=NONE) == {**base, "n": "5", "s": "x"}
    minimal = {"odata.metadata": f"{BASE_URL}/$metadata#things/@Element", "odata.etag": etag, **base, **big}
    assert world.get(accept=MINIMAL) == minimal
    assert world.get(accept=FULL) == {
        **minimal,
        "odata.type": f"{ACCOUNT}.things",
        "odata.id": f"{BASE_URL}/{PATH}",
        "odata.editLink": PATH,
        "Timestamp@odata.type": "Edm.DateTime",
    }


def test_a_page_at_each_level_of_metadata(world: TableWorld) -> None:
    world.insert(a=1)
    for accept in (NONE, MINIMAL, FULL):
        page = world.ask("GET", "things", headers={"Accept": accept}).json
        entity = world.get(accept=accept)
        assert entity.pop("odata.metadata", None) == (
            None if accept == NONE else f"{BASE_URL}/$metadata#things/@Element"
        )
        assert page.pop("odata.metadata", None) == (None if accept == NONE else f"{BASE_URL}/$metadata#things")
        assert page == {"value": [entity]}


@pytest.mark.parametrize(
    ("accept", "level"),
    [
        ("application/json", "minimalmetadata"),
        ("", "minimalmetadata"),
        ("*/*", "minimalmetadata"),
        ("application/json; odata=FullMetadata", "fullmetadata"),
        ("application/json;odata=nometadata;charset=utf-8", "nometadata"),
        ("text/html, application/xml;q=0.9, */*;q=0.8", "minimalmetadata"),
        ("application/atom+xml,application/json;odata=nometadata", "nometadata"),
    ],
)
def test_what_clients_accept(world: TableWorld, accept: str, level: str) -> None:
    world.insert()
    for path in (PATH, "things", "Tables"):
        answer = world.ask("GET", path, headers={"Accept": accept})
        assert answer.status == 200
        assert answer.headers["content-type"] == f"application/json;odata={level};streaming=true;charset=utf-8"
        assert answer.headers["cache-control"] == "no-cache"
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_query_may_ask_for_a_format(world: TableWorld) -> None:
    world.insert()
    answer = world.ask("GET", PATH, "$format=application/json;odata=nometadata", {"Accept": FULL})
    assert "odata.etag" not in answer.json


@pytest.mark.parametrize(
    ("accept", "code"),
    [
        ("application/atom+xml", "AtomFormatNotSupported"),
        ("application/json;odata=verbose", "JsonVerboseFormatNotSupported"),
        ("application/json;odata=frog", "MediaTypeNotSupported"),
        ("text/plain", "MediaTypeNotSupported"),
    ],
)
def test_what_is_not_served(world: TableWorld, accept: str, code: str) -> None:
    for path in (PATH, "things", "Tables"):
        answer = world.ask("GET", path, headers={"Accept": accept})
        assert (answer.status, answer.code) == (415, code)
    answer = world.ask("POST", "things", headers={"Accept": accept}, body={"PartitionKey": "p", "RowKey": "r"})
    assert (answer.status, answer.code) == (415, code)
    answer = world.ask("POST", "Tables", headers={"Accept": accept}, body={"TableName": "other"})
    assert (answer.status, answer.code) == (415, code)
    assert world.rows() == []


def test_atom_is_not_read(world: TableWorld) -> None:
    headers = {"Content-Type": "application/atom+xml"}
    for method, path in (("POST", "things"), ("PUT", PATH), ("PATCH", PATH), ("POST", "Tables")):
        assert world.ask(method, path, headers=headers, body=b"<entry />").refusal == (415, "AtomFormatNotSupported")


def test_what_is_not_there(world: TableWorld) -> None:
    for method in ("GET", "DELETE", "PUT"):
        headers = {} if method == "GET" else {"If-Match": "*"}
        body: dict[str, Any] | None = {} if method == "PUT" else None
        missing = world.ask(method, PATH, headers=headers, body=body)
        assert missing.refusal == (404, "ResourceNotFound")
        assert missing.message == "The specified resource does not exist."
        other = world.ask(method, entity_path("other", "p", "r"), headers=headers, body=body)
        assert other.refusal == (404, "TableNotFound")


@pytest.mark.parametrize(
    ("select", "expected"),
    [
        ("a", {"a": 1}),
        ("a,missing,PartitionKey", {"a": 1, "missing": None, "PartitionKey": "p"}),
        (" RowKey , n ", {"RowKey": "r", "n": "5"}),
        ("Timestamp", {"Timestamp": f"{START}.0000001Z"}),
    ],
)
def test_select(world: TableWorld, select: str, expected: dict[str, Any]) -> None:
    world.clock.set_now(Instant(world.clock.now()))
    values: dict[str, Any] = {"a": 1, "b": 2, "n@odata.type": "Edm.Int64", "n": "5"}
    world.insert(**values)
    expected = {name: world.get()["Timestamp"] if name == "Timestamp" else value for name, value in expected.items()}
    assert world.ask("GET", PATH, f"$select={select}", {"Accept": NONE}).json == expected
    assert world.ask("GET", "things", f"$select={select}", {"Accept": NONE}).json == {"value": [expected]}
    minimal = world.ask("GET", PATH, f"$select={select}", {"Accept": MINIMAL}).json
    names = ",".join(name.strip() for name in select.split(","))
    assert minimal["odata.metadata"] == f"{BASE_URL}/$metadata#things&$select={names}/@Element"
    assert minimal["odata.etag"].startswith("W/")
    assert ("n@odata.type" in minimal) is ("n" in expected)


@pytest.mark.parametrize("select", ["*", "a,*", "", " , "])
def test_selecting_everything(world: TableWorld, select: str) -> None:
    world.insert(a=1)
    assert world.ask("GET", PATH, f"$select={select}", {"Accept": NONE}).json == world.get()


@pytest.mark.parametrize("option", ["$orderby=a", "$skip=1", "$expand=a", "$inlinecount=allpages"])
def test_options_that_the_service_has_not(world: TableWorld, option: str) -> None:
    assert world.ask("GET", "things", option).refusal == (501, "NotImplemented")
    assert world.ask("GET", PATH, option).refusal == (501, "NotImplemented")


# --- update, merge, delete ----------------------------------------------------------------------------------------

REPLACE: list[tuple[str, dict[str, str]]] = [("PUT", {}), ("POST", {"X-HTTP-Method": "PUT"})]
DELETE: list[tuple[str, dict[str, str]]] = [("DELETE", {}), ("POST", {"X-HTTP-Method": "DELETE"})]
MERGE: list[tuple[str, dict[str, str]]] = [
    ("PATCH", {}),
    ("MERGE", {}),
    ("POST", {"X-HTTP-Method": "MERGE"}),
    ("POST", {"X-HTTP-Method": "PATCH"}),
    ("POST", {"X-HTTP-Method": "merge"}),
]


@pytest.mark.parametrize(("method", "headers"), REPLACE)
def test_update_replaces(world: TableWorld, method: str, headers: dict[str, str]) -> None:
    before = etag_of(world.insert(a=1, b=2))
    answer = world.ask(method, PATH, headers={"If-Match": before, **headers}, body={"a": 3})
    assert (answer.status, answer.body) == (204, b"")
    assert etag_of(answer) > before
    assert properties(world) == {"a": 3}


@pytest.mark.parametrize(("method", "headers"), MERGE)
def test_merge_adds(world: TableWorld, method: str, headers: dict[str, str]) -> None:
    before = etag_of(world.insert(a=1, b=2))
    body = {"b@odata.type": "Edm.Int64", "b": "7", "c": 4, "a": None}
    answer = world.ask(method, PATH, headers={"If-Match": before, **headers}, body=body)
    assert (answer.status, answer.body) == (204, b"")
    assert etag_of(answer) > before
    assert properties(world) == {"a": 1, "b": "7", "c": 4}
    assert world.get(accept=MINIMAL)["b@odata.type"] == "Edm.Int64"


def test_merge_may_change_the_type_of_a_property(world: TableWorld) -> None:
    world.insert(**{"a@odata.type": "Edm.Int64", "a": "5"})
    world.ask("PATCH", PATH, body={"a": 6})
    found = world.get(accept=MINIMAL)
    assert found["a"] == 6
    assert "a@odata.type" not in found


@pytest.mark.parametrize(("method", "headers"), REPLACE + MERGE)
def test_without_a_condition_what_is_not_there_is_made(world: TableWorld, method: str, headers: dict[str, str]) -> None:
    answer = world.ask(method, PATH, headers=headers, body={"a": 1})
    assert (answer.status, answer.body) == (204, b"")
    assert properties(world) == {"a": 1}
    world.ask(method, PATH, headers=headers, body={"b": 2})
    is_merge = (method, headers) in MERGE
    assert properties(world) == ({"a": 1, "b": 2} if is_merge else {"b": 2})


@pytest.mark.parametrize(("method", "headers"), REPLACE + MERGE + DELETE)
def test_another_tag_fails_the_condition(world: TableWorld, method: str, headers: dict[str, str]) -> None:
    old = etag_of(world.insert(a=1))
    world.ask("PATCH", PATH, body={"a": 2})
    answer = world.ask(method, PATH, headers={"If-Match": old, **headers}, body={"a": 3})
    assert answer.refusal == (412, "UpdateConditionNotSatisfied")
    assert answer.message == "The update condition specified in the request was not satisfied."
    assert properties(world) == {"a": 2}


@pytest.mark.parametrize(("method", "headers"), REPLACE + MERGE + DELETE)
@pytest.mark.parametrize("tag", ["", "abc", '"abc"', "W/abc", 'W/"a", W/"b"', "datetime'2020'", "**"])
def test_what_is_no_tag_is_refused(world: TableWorld, method: str, headers: dict[str, str], tag: str) -> None:
    world.insert(a=1)
    answer = world.ask(method, PATH, headers={"If-Match": tag, **headers}, body={"a": 3})
    assert answer.refusal == (400, "InvalidInput")
    assert answer.message == (
        f"The etag value '{tag}' specified in one of the request headers is not valid. Please make sure only one etag "
        "value is specified and is valid."
    )
    assert properties(world) == {"a": 1}


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_if_none_match_is_refused(world: TableWorld, method: str) -> None:
    world.insert(a=1)
    answer = world.ask(method, PATH, headers={"If-None-Match": "*", "If-Match": "*"}, body={"a": 3})
    assert answer.refusal == (400, "InvalidInput")
    assert answer.message.startswith("If-None-Match HTTP header cannot be specified for")


def test_delete(world: TableWorld) -> None:
    etag = etag_of(world.insert())
    unconditional = world.ask("DELETE", PATH)
    assert unconditional.refusal == (400, "InvalidInput")
    assert unconditional.message == (
        "Since entity type 'devstoreaccount1.things' has one or more etag properties, If-Match HTTP header must be "
        "specified for DELETE/PUT operations on this type."
    )
    answer = world.ask("DELETE", PATH, headers={"If-Match": etag})
    assert (answer.status, answer.body) == (204, b"")
    assert "etag" not in answer.headers
    assert properties(world) is None


def test_tags_grow_also_where_the_clock_goes_back(world: TableWorld) -> None:
    tags = [etag_of(world.insert())]
    world.clock.set_now(Instant(world.clock.now() - 5 * SECOND))
    world.start()
    tags += [etag_of(world.ask("PUT", PATH, body={})) for _ in range(3)]
    assert tags == sorted(set(tags))


def test_the_address_says_which_entity_is_meant(world: TableWorld) -> None:
    world.ask("PUT", PATH, body={"PartitionKey": "other", "RowKey": "other", "a": 1})
    assert world.rows() == [("p", "r")]


@pytest.mark.parametrize(
    ("method", "value", "code"),
    [
        ("PUT", "PATCH", "XMethodNotUsingPost"),
        ("GET", "PATCH", "XMethodNotUsingPost"),
        ("POST", "GET", "XMethodIncorrectValue"),
        ("POST", "FROG", "XMethodIncorrectValue"),
        ("POST", "PATCH,PUT", "XMethodIncorrectCount"),
    ],
)
def test_x_http_method(world: TableWorld, method: str, value: str, code: str) -> None:
    answer = world.ask(method, PATH, headers={"X-HTTP-Method": value}, body={})
    assert answer.refusal == (400, code)


# --- keys ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key",
    [
        "it's",
        "''",
        "a b",
        "a+b",
        "100%",
        "%25",
        "a&b=c",
        "é",
        "日本",
        "😀",
        "(x)",
        "a,b",
        '"',
        "<>",
        "a!b",
        "~",
        "=",
        ":;@$*",
    ],
)
def test_keys_with_special_characters(world: TableWorld, key: str) -> None:
    answer = world.insert(partition=key, row=key)
    found = world.get(partition=key, row=key, accept=FULL)
    assert (found["PartitionKey"], found["RowKey"]) == (key, key)
    for link in (answer.headers["location"], found["odata.id"]):
        assert link.startswith(f"{BASE_URL}/")
        assert world.ask("GET", link.removeprefix(f"{BASE_URL}/")).json["RowKey"] == key
    quoted = key.replace("'", "''")
    assert world.rows(text=f"PartitionKey eq '{quoted}' and RowKey eq '{quoted}'") == [(key, key)]


@pytest.mark.parametrize("character", [*"/\\#?\t\n\r\x00\x1f\x7f\x9f"])
def test_characters_that_no_key_has(world: TableWorld, character: str) -> None:
    key = f"a{character}b"
    for name in ("PartitionKey", "RowKey"):
        body = {"PartitionKey": "p", "RowKey": "r", name: key}
        answer = world.ask("POST", "things", body=body)
        assert answer.refusal == (400, "OutOfRangeInput")
        assert answer.json["odata.error"]["message"]["value"].startswith(
            f"The '{name}' parameter of value '{key}' is out of range."
        )
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        answer = world.ask(method, entity_path("things", "p", key), headers={"If-Match": "*"})
        expected = "InvalidInput" if character in "/\\" else "OutOfRangeInput"
        assert answer.refusal == (400, expected)
    assert world.rows() == []


@pytest.mark.parametrize(
    "keys",
    [
        "(PartitionKey='p')",
        "(PartitionKey='p',PartitionKey='p')",
        "(RowKey='r',Frog='p')",
        "('p')",
        "(PartitionKey=p,RowKey=r)",
        "(PartitionKey='p',RowKey='r'",
        "(PartitionKey='p',RowKey='r',)",
        "(PartitionKey='p'',RowKey='r')",
        "(PartitionKey='p',RowKey='r')x",
    ],
)
def test_addresses_that_name_no_entity(world: TableWorld, keys: str) -> None:
    assert world.ask("GET", f"things{keys}").refusal == (400, "InvalidInput")


def test_the_keys_of_an_address_in_either_order(world: TableWorld) -> None:
    world.insert()
    assert world.ask("GET", "things( RowKey='r', PartitionKey = 'p' )").json["RowKey"] == "r"


def test_many_quotes_are_read_in_no_time(world: TableWorld) -> None:
    for path in ("things(PartitionKey='" + "'" * 30_000, "things(PartitionKey='" + "',RowKey='" * 3000 + "x"):
        assert world.ask("GET", path).status == 400


# --- limits -------------------------------------------------------------------------------------------------------


def test_keys_have_a_kibi_of_characters(world: TableWorld) -> None:
    longest = "é" * 1024
    world.insert(partition=longest, row=longest)
    assert world.get(partition=longest, row=longest) is not None
    for key in ("k" * 1025, "😀" * 513):
        body = {"PartitionKey": "p", "RowKey": key}
        assert world.ask("POST", "things", body=body).refusal == (400, "PropertyValueTooLarge")
        path = entity_path("things", "p", key)
        assert world.ask("PUT", path, body={}).refusal == (400, "PropertyValueTooLarge")
        assert world.ask("GET", path).refusal == (404, "ResourceNotFound")
        assert world.ask("DELETE", path, headers={"If-Match": "*"}).refusal == (404, "ResourceNotFound")


def test_strings_have_64_kib(world: TableWorld) -> None:
    for fitting in ("x" * 32_768, "é" * 32_768, "😀" * 16_384):
        world.ask("PUT", PATH, body={"a": fitting})
        assert properties(world) == {"a": fitting}
    for beyond in ("x" * 32_769, "😀" * 16_385):
        assert world.ask("PUT", PATH, body={"a": beyond}).refusal == (400, "PropertyValueTooLarge")


def test_an_entity_has_252_properties(world: TableWorld) -> None:
    many: dict[str, Any] = {f"p{number}": number for number in range(252)}
    world.insert(**many)
    assert properties(world) == many
    answer = world.ask("PATCH", PATH, body={"one_more": 1})
    assert answer.refusal == (400, "TooManyProperties")
    assert world.ask("PATCH", PATH, body={"p0": "changed"}).status == 204
    assert world.ask("PUT", PATH, body={**many, "one_more": 1}).refusal == (400, "TooManyProperties")


def test_an_entity_has_one_mib(world: TableWorld) -> None:
    """4 bytes, 4 for the keys p and r, and for each property 8, two for its name, four for the length of its value."""
    values = {chr(ord("a") + number): "x" * 32_000 for number in range(16)}
    left = (1024 * 1024 - 8 - 17 * (8 + 2 + 4)) // 2 - 16 * 32_000
    assert world.ask("PUT", PATH, body={**values, "z": "x" * left}).status == 204
    assert world.ask("PUT", PATH, body={**values, "z": "x" * (left + 1)}).refusal == (400, "EntityTooLarge")
    assert len(world.get()["z"]) == left
    assert world.ask("PATCH", PATH, body={"more": 1}).refusal == (400, "EntityTooLarge")


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("a" * 256, "PropertyNameTooLong"),
        ("1a", "PropertyNameInvalid"),
        ("a-b", "PropertyNameInvalid"),
        ("a b", "PropertyNameInvalid"),
        ("a.b", "PropertyNameInvalid"),
        ("", "PropertyNameInvalid"),
    ],
)
def test_names_of_properties_that_azure_refuses(world: TableWorld, name: str, code: str) -> None:
    assert world.ask("PUT", PATH, body={name: 1}).refusal == (400, code)


@pytest.mark.parametrize("name", ["a" * 255, "_x", "größe", "数", "a1_b"])
def test_names_of_properties_that_azure_takes(world: TableWorld, name: str) -> None:
    properties_of_it: dict[str, Any] = {name: 1}
    world.insert(**properties_of_it)
    assert properties(world) == {name: 1}


def test_annotations_are_no_properties(world: TableWorld) -> None:
    body: dict[str, Any] = {
        "odata.etag": "x",
        "odata.type": "y",
        "a@odata.type": "Edm.String",
        "a": "1",
        "b@odata.frog": 5,
        "b": 2,
    }
    world.insert(**body)
    assert properties(world) == {"a": "1", "b": 2}


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":1,"a":2}',
        b'{"a":1,"a" :2}',
        b'{\n "a": 1,\n "a": 1\n}',
        b'{"a":1,"b":"\\":","a":2}',
        b'{"\\u0061":1,"a":2}',
    ],
)
def test_a_property_is_given_once(world: TableWorld, body: bytes) -> None:
    assert world.ask("PUT", PATH, body=body).refusal == (400, "DuplicatePropertiesSpecified")


@pytest.mark.parametrize("body", [b'{\n "a" : 1,\n "b": "\\":"\n}', b'{"a":1 ,"b":"\\":"}'])
def test_bodies_may_be_written_widely(world: TableWorld, body: bytes) -> None:
    assert world.ask("PUT", PATH, body=body).status == 204
    assert properties(world) == {"a": 1, "b": '":'}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"x"',
        b"null",
        b"\xff\xfe",
        b'{"a":NaN}',
        b'{"a":' * 3000,
        b'{"a":1e999}',
        b'{"a":"\\ud800"}',
        b"{}x",
    ],
)
def test_bodies_that_describe_no_entity(world: TableWorld, body: bytes) -> None:
    for method, path in (("POST", "things"), ("PUT", PATH), ("PATCH", PATH)):
        assert world.ask(method, path, body=body).refusal == (400, "InvalidInput")
    assert world.rows() == []


def test_a_body_has_4_mib(world: TableWorld) -> None:
    request = world.describe("PUT", PATH, headers={"Content-Length": str(4 * 1024 * 1024 + 1)})
    assert world.send(request).refusal == (413, "RequestBodyTooLarge")
    request = world.describe("PUT", PATH)
    assert world.send(request, [b"x" * 4 * 1024 * 1024, b"x"]).refusal == (413, "RequestBodyTooLarge")
