"""The unmodified azure-data-tables package against a real server, with the well-known development account."""

from __future__ import annotations

import asyncio
import hashlib
import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from azure.core import MatchConditions
from azure.core.credentials import AzureNamedKeyCredential
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.data.tables import (
    EdmType,
    EntityProperty,
    TableAccessPolicy,
    TableClient,
    TableCorsRule,
    TableMetrics,
    TableRetentionPolicy,
    TableServiceClient,
    TableTransactionError,
    UpdateMode,
)
from azure.data.tables import aio as tables_aio

from localzure.testing import LocalZure

ACCOUNT = "devstoreaccount1"
WRONG_KEY = "d3Jvbmcga2V5IG9mIHRoZSBkZXZlbG9wbWVudCBhY2NvdW50"


@pytest.fixture(scope="module")
def azure() -> Iterator[LocalZure]:
    with LocalZure(in_memory=False) as server:
        yield server


def account_key(azure: LocalZure) -> str:
    return azure.table_connection_string.partition("AccountKey=")[2].partition(";")[0]


@pytest.fixture
def service(azure: LocalZure) -> Iterator[TableServiceClient]:
    with TableServiceClient.from_connection_string(azure.table_connection_string, retry_total=0) as client:
        yield client


@pytest.fixture
def table(service: TableServiceClient, request: pytest.FixtureRequest) -> Iterator[TableClient]:
    name = "T" + hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:16]
    client = service.create_table(name)
    yield client
    client.delete_table()


def code(caught: pytest.ExceptionInfo[Any]) -> str:
    """The code of an error."""
    found = caught.value.error_code
    return str(getattr(found, "value", found))


def entity(row: str, partition: str = "p", **properties: Any) -> dict[str, Any]:
    return {"PartitionKey": partition, "RowKey": row, **properties}


def rows(found: Any) -> list[str]:
    return [item["RowKey"] for item in found]


# --- tables -------------------------------------------------------------------------------------------------------


def test_tables(service: TableServiceClient) -> None:
    names = [f"Listed{number}" for number in range(5)]
    for name in names:
        service.create_table(name)
    assert [found.name for found in service.query_tables("TableName ge 'Listed' and TableName lt 'Listee'")] == names
    pages = service.list_tables(results_per_page=2).by_page()
    assert max(len(list(page)) for page in pages) == 2
    with pytest.raises(ResourceExistsError) as caught:
        service.create_table(names[0].lower())
    assert code(caught) == "TableAlreadyExists"
    service.create_table_if_not_exists(names[0])
    for name in names:
        service.delete_table(name)
        service.delete_table(name)
    with pytest.raises(ResourceNotFoundError):
        service.get_table_client(names[0]).get_entity("p", "r")
    with pytest.raises(ValueError, match="Storage table names"):
        service.create_table("a-b")


def test_a_table_that_is_made_again_is_empty(service: TableServiceClient) -> None:
    table = service.create_table("Again")
    table.create_entity(entity("old"))
    table.delete_table()
    table.create_table()
    assert rows(table.list_entities()) == []
    table.delete_table()


# --- entities -----------------------------------------------------------------------------------------------------


def test_every_type_comes_back(table: TableClient) -> None:
    written: dict[str, Any] = {
        "text": "é 日本 😀 ' \" \\ \n",
        "yes": True,
        "small": -5,
        "large": EntityProperty(2**63 - 1, EdmType.INT64),
        "fraction": 1.5,
        "whole": 1.0,
        "endless": math.inf,
        "time": datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
        "guid": UUID("c9da6455-213d-42c9-9a79-3e9149a57833"),
        "binary": bytes(range(256)),
        "nothing": None,
    }
    table.create_entity(entity("r", **written))
    found = table.get_entity("p", "r")
    assert str(found.metadata["etag"]).startswith("W/")
    assert isinstance(found.metadata["timestamp"], datetime)
    del written["nothing"]
    written["large"] = (2**63 - 1, EdmType.INT64)
    assert dict(found) == entity("r", **written)
    assert type(found["whole"]) is float
    table.upsert_entity(entity("nan", value=math.nan))
    assert math.isnan(table.get_entity("p", "nan")["value"])


def test_times_come_back_to_100_nanoseconds(table: TableClient) -> None:
    text = "2026-01-02T03:04:05.1234567Z"
    table.create_entity(entity("r", time=EntityProperty(text, EdmType.DATETIME)))
    assert table.get_entity("p", "r")["time"].tables_service_value == text


def test_insert_update_merge_delete(table: TableClient) -> None:
    made = table.create_entity(entity("r", a=1, b=2))
    with pytest.raises(ResourceExistsError):
        table.create_entity(entity("r"))
    table.update_entity(entity("r", b=3), mode=UpdateMode.MERGE)
    assert dict(table.get_entity("p", "r")) == entity("r", a=1, b=3)
    with pytest.raises(ResourceModifiedError):
        table.update_entity(entity("r"), etag=made["etag"], match_condition=MatchConditions.IfNotModified)
    current = table.get_entity("p", "r").metadata["etag"]
    table.update_entity(
        entity("r", c=4), mode=UpdateMode.REPLACE, etag=current, match_condition=MatchConditions.IfNotModified
    )
    assert dict(table.get_entity("p", "r")) == entity("r", c=4)
    table.upsert_entity(entity("r", d=5), mode=UpdateMode.MERGE)
    table.upsert_entity(entity("new", d=5), mode=UpdateMode.REPLACE)
    assert dict(table.get_entity("p", "r", select=["d", "missing"])) == {"d": 5, "missing": None}
    with pytest.raises(ResourceNotFoundError):
        table.update_entity(entity("missing"))
    table.delete_entity("p", "r")
    table.delete_entity("p", "r")
    assert rows(table.list_entities()) == ["new"]


@pytest.mark.parametrize("key", ["it's", "a b", "100%", "é日本😀", "a&b=c+d", "(x),'y'", ""])
def test_keys_with_special_characters(table: TableClient, key: str) -> None:
    table.create_entity(entity(key, partition=key, a=1))
    table.upsert_entity(entity(key, partition=key, a=2))
    table.update_entity(entity(key, partition=key, a=3))
    assert table.get_entity(key, key)["a"] == 3
    found = table.query_entities("PartitionKey eq @key and RowKey eq @key", parameters={"key": key})
    assert rows(found) == [key]
    table.delete_entity(key, key)
    assert rows(table.list_entities()) == []


# --- queries ------------------------------------------------------------------------------------------------------


def test_queries(table: TableClient) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for number in range(25):
        table.create_entity(
            entity(
                f"{number:03}",
                partition=f"p{number % 2}",
                number=number,
                long=EntityProperty(2**40 + number, EdmType.INT64),
                half=number / 2,
                even=number % 2 == 0,
                time=start + timedelta(days=number),
                guid=UUID(int=number),
                binary=bytes([number]),
            )
        )
    expectations = {
        "PartitionKey eq 'p0' and RowKey eq '004'": ["004"],
        "PartitionKey eq 'p1' and RowKey gt '019'": ["021", "023"],
        "number ge 23": ["024", "023"],
        "number lt 3 and not (number eq 1)": ["000", "002"],
        f"long eq {2**40 + 7}L": ["007"],
        "half gt 11.5": ["024"],
        "even and number le 2": ["000", "002"],
        "even eq false and number le 3": ["001", "003"],
        "time ge datetime'2026-01-25T00:00:00Z'": ["024"],
        "guid eq guid'00000000-0000-0000-0000-000000000005'": ["005"],
        "binary eq X'06'": ["006"],
        "missing eq 1 or number eq 8": ["008"],
    }
    for text, expected in expectations.items():
        assert rows(table.query_entities(text)) == expected, text
    everything = [f"{number:03}" for number in (*range(0, 25, 2), *range(1, 25, 2))]
    assert rows(table.list_entities(results_per_page=4)) == everything
    pages = table.query_entities("number ge 0", results_per_page=10).by_page()
    assert [len(list(page)) for page in pages] == [10, 10, 5]
    token_pages = table.query_entities("number ge 0", results_per_page=10).by_page()
    next(token_pages)
    resumed = table.query_entities("number ge 0", results_per_page=10).by_page(
        continuation_token=token_pages.continuation_token  # type: ignore[attr-defined]  # it has one
    )
    assert rows(next(resumed)) == everything[10:20]


def test_a_filter_that_is_none_is_refused(table: TableClient) -> None:
    with pytest.raises(HttpResponseError) as caught:
        list(table.query_entities("number eq"))
    assert caught.value.status_code == 400
    assert "Expression expected at position 9" in caught.value.message


# --- batches ------------------------------------------------------------------------------------------------------


def test_transactions(table: TableClient) -> None:
    table.submit_transaction([("create", entity(f"{number:03}", a=number)) for number in range(100)])
    done = table.submit_transaction(
        [
            ("update", entity("000", a=-1), {"mode": UpdateMode.REPLACE}),
            ("update", entity("001", b=2), {"mode": UpdateMode.MERGE}),
            ("upsert", entity("new", a=1)),
            ("delete", entity("002")),
        ]
    )
    assert [("etag" in dict(one)) for one in done] == [True, True, True, False]
    assert dict(table.get_entity("p", "001")) == entity("001", a=1, b=2)
    with pytest.raises(TableTransactionError) as caught:
        table.submit_transaction(
            [("upsert", entity("000", a=5)), ("create", entity("001")), ("upsert", entity("other"))]
        )
    assert (caught.value.index, code(caught)) == (1, "EntityAlreadyExists")
    assert table.get_entity("p", "000")["a"] == -1
    with pytest.raises(TableTransactionError) as caught:
        table.submit_transaction([("create", entity("x")), ("create", entity("x"))])
    assert code(caught) == "InvalidDuplicateRow"
    assert len(rows(table.list_entities())) == 100


def test_an_endpoint_called_localhost(azure: LocalZure) -> None:
    """The SDK takes `localhost` with another port than 10002 for Cosmos DB, and sends merges by POST."""
    port = urlsplit(azure.endpoints["table"]).port
    credential = AzureNamedKeyCredential(ACCOUNT, account_key(azure))
    sent: list[tuple[str, str | None]] = []

    def note(request: Any) -> None:
        sent.append((request.http_request.method, request.http_request.headers.get("X-HTTP-Method")))

    endpoint = f"http://localhost:{port}/{ACCOUNT}"
    with TableClient(endpoint, "Tunnelled", credential=credential, raw_request_hook=note) as table:
        table.create_table()
        table.upsert_entity(entity("r", a=1, b=1))
        table.update_entity(entity("r", a=2), mode=UpdateMode.MERGE)
        assert ("POST", "MERGE") in sent
        assert dict(table.get_entity("p", "r")) == entity("r", a=2, b=1)
        table.delete_table()


# --- the service --------------------------------------------------------------------------------------------------


def test_service_properties_and_policies(service: TableServiceClient, table: TableClient) -> None:
    rule = TableCorsRule(["http://app.example"], ["GET"], allowed_headers=["*"], max_age_in_seconds=60)
    retention = TableRetentionPolicy(enabled=True, days=3)
    service.set_service_properties(
        hour_metrics=TableMetrics(enabled=True, include_apis=True, retention_policy=retention), cors=[rule]
    )
    found: dict[str, Any] = service.get_service_properties()
    assert found["hour_metrics"].retention_policy.days == 3
    assert found["cors"][0].allowed_origins == ["http://app.example"]
    service.set_service_properties(hour_metrics=TableMetrics(enabled=False), cors=[])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    table.set_table_access_policy(
        {"one": TableAccessPolicy(start=start, expiry=start + timedelta(days=1), permission="r"), "two": None}
    )
    policies = table.get_table_access_policy()
    assert policies["one"] is not None
    assert (policies["one"].permission, policies["one"].start) == ("r", start)
    assert set(policies) == {"one", "two"}
    assert service.get_service_stats()["geo_replication"]["status"] == "live"  # type: ignore[index]  # a mapping


def test_a_wrong_key_is_refused(azure: LocalZure) -> None:
    credential = AzureNamedKeyCredential(ACCOUNT, WRONG_KEY)
    endpoint = f"{azure.endpoints['table'].rstrip('/')}/{ACCOUNT}"
    with (
        TableServiceClient(endpoint, credential=credential, retry_total=0) as client,
        pytest.raises(ClientAuthenticationError) as caught,
    ):
        client.create_table("Forbidden")
    assert caught.value.status_code == 403


def test_async(azure: LocalZure) -> None:
    async def run() -> list[Any]:
        async with tables_aio.TableServiceClient.from_connection_string(azure.table_connection_string) as service:
            table = await service.create_table("Async")
            await asyncio.gather(*(table.create_entity(entity(f"{n:02}", n=n)) for n in range(50)))
            await table.submit_transaction([("upsert", entity("00", n=-1)), ("delete", entity("01"))])
            found = [item["n"] async for item in table.list_entities(results_per_page=7)]
            await service.delete_table("Async")
            return found

    assert asyncio.run(run()) == [-1, *range(2, 50)]


@pytest.mark.usefixtures("abandoned_sockets")
def test_what_was_acknowledged_survives_a_kill() -> None:
    with LocalZure(in_memory=False) as server:
        with TableClient.from_connection_string(server.table_connection_string, "Kept") as table:
            table.create_table()
            table.submit_transaction([("create", entity(f"{n:03}", n=n)) for n in range(100)])
            etag = table.upsert_entity(entity("000", n=-1))["etag"]
        server.kill()
        server.start()
        with TableClient.from_connection_string(server.table_connection_string, "Kept") as table:
            assert len(rows(table.list_entities())) == 100
            assert table.get_entity("p", "000").metadata["etag"] == etag
            assert table.upsert_entity(entity("000"))["etag"] > etag
