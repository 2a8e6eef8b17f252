"""The operations table against the service's OpenAPI document, and requests that fit no row."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from localzure.services.table.errors import TABLE_ERRORS
from localzure.services.table.operations import OPERATIONS, Operation, find
from tests.table_world import TableWorld

SPEC = {
    "Service_GetProperties": ("GET", "/?ServiceProperties"),
    "Service_GetStatistics": ("GET", "/?ServiceStats"),
    "Service_SetProperties": ("PUT", "/?ServiceProperties"),
    "Table_Batch": ("POST", "/$batch"),
    "Table_Create": ("POST", "/Tables"),
    "Table_Delete": ("DELETE", "/Tables('{table}')"),
    "Table_DeleteEntity": ("DELETE", "/{table}(PartitionKey='{partitionKey}',RowKey='{rowKey}')"),
    "Table_GetAccessPolicy": ("GET", "/{table}"),
    "Table_InsertEntity": ("POST", "/{table}"),
    "Table_MergeEntity": ("PATCH", "/{table}(PartitionKey='{partitionKey}',RowKey='{rowKey}')"),
    "Table_Query": ("GET", "/Tables"),
    "Table_QueryEntities": ("GET", "/{table}()"),
    "Table_QueryEntitiesWithPartitionAndRowKey": (
        "GET",
        "/{table}(PartitionKey='{partitionKey}',RowKey='{rowKey}')",
    ),
    "Table_SetAccessPolicy": ("PUT", "/{table}"),
    "Table_UpdateEntity": ("PUT", "/{table}(PartitionKey='{partitionKey}',RowKey='{rowKey}')"),
}
"""Operation → method and path, as the document has them."""

DOCUMENT = Path(os.environ.get("AZURE_REST_SPECS", "../shared/specs")) / "table-storage.swagger.json"

BEYOND_THE_SPEC = {
    "Service_GetUserDelegationKey",
    "Table_Get",
    "Table_GetAccessPolicyWithHead",
    "Table_InsertOrMergeEntity",
    "Table_InsertOrReplaceEntity",
}
"""Operations that Azure has and the document lacks, or does not tell from their neighbours."""

ENTITY = "things(PartitionKey='p',RowKey='r')"

REQUESTS = {
    "Service_GetProperties": ("GET", "", "restype=service&comp=properties", {}),
    "Service_GetStatistics": ("GET", "", "restype=service&comp=stats", {}),
    "Service_GetUserDelegationKey": ("POST", "", "restype=service&comp=userdelegationkey", {}),
    "Service_SetProperties": ("PUT", "", "restype=service&comp=properties", {}),
    "Table_Batch": ("POST", "$batch", "", {}),
    "Table_Create": ("POST", "Tables", "", {}),
    "Table_Delete": ("DELETE", "Tables('things')", "", {}),
    "Table_DeleteEntity": ("DELETE", ENTITY, "", {"If-Match": "*"}),
    "Table_Get": ("GET", "Tables('things')", "", {}),
    "Table_GetAccessPolicy": ("GET", "things", "comp=acl", {}),
    "Table_GetAccessPolicyWithHead": ("HEAD", "things", "comp=acl", {}),
    "Table_InsertEntity": ("POST", "things", "", {}),
    "Table_InsertOrMergeEntity": ("PATCH", ENTITY, "", {}),
    "Table_InsertOrReplaceEntity": ("PUT", ENTITY, "", {}),
    "Table_MergeEntity": ("PATCH", ENTITY, "", {"If-Match": "*"}),
    "Table_Query": ("GET", "Tables", "", {}),
    "Table_QueryEntities": ("GET", "things()", "", {}),
    "Table_QueryEntitiesWithPartitionAndRowKey": ("GET", ENTITY, "", {}),
    "Table_SetAccessPolicy": ("PUT", "things", "comp=acl", {}),
    "Table_UpdateEntity": ("PUT", ENTITY, "", {"If-Match": "*"}),
}
"""Operation → a request for it."""


@pytest.mark.skipif(not DOCUMENT.exists(), reason="the OpenAPI document is not here")
def test_the_extract_is_the_document() -> None:
    document = json.loads(DOCUMENT.read_text("utf-8"))
    found = {
        operation["operationId"]: (method.upper(), path)
        for section in ("paths", "x-ms-paths")
        for path, item in document.get(section, {}).items()
        for method, operation in item.items()
        if method != "parameters"
    }
    assert found == SPEC


def test_every_operation_has_a_row_and_every_row_an_operation() -> None:
    assert {row.name for row in OPERATIONS} == set(SPEC) | BEYOND_THE_SPEC == set(REQUESTS)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_rows_are_well_formed(operation: Operation) -> None:
    assert operation.resource in {"service", "batch", "tables", "table", "entities", "entity"}
    assert operation.comp == operation.comp.lower()
    assert set(operation.permission) <= set("raud")
    assert (operation.change is not None) is (
        operation.resource in {"entities", "entity"} and operation.method not in {"GET", "HEAD"} and not operation.comp
    )
    assert SPEC.get(operation.name, (operation.method, ""))[0] == operation.method


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_finds_its_operation(name: str) -> None:
    method, path, raw_query, headers = REQUESTS[name]
    query = dict(part.split("=") for part in raw_query.split("&") if part)
    resource = next(row.resource for row in OPERATIONS if row.name == name)
    assert find(resource, method, {key.lower(): value for key, value in headers.items()}, query).name == name
    world = TableWorld()
    answer = world.ask(
        method, path, raw_query, {**headers, "Accept": "application/json"}, b"" if method != "GET" else None
    )
    assert answer.status != 501
    assert answer.code not in {"MethodNotAllowed", "InvalidUri", "InternalError"}


@pytest.mark.parametrize(
    ("method", "path", "query", "code", "status"),
    [
        ("PUT", "things", "", "MethodNotAllowed", 405),
        ("DELETE", "things", "", "MethodNotAllowed", 405),
        ("PATCH", "Tables", "", "MethodNotAllowed", 405),
        ("PUT", "Tables('things')", "", "MethodNotAllowed", 405),
        ("GET", "$batch", "", "MethodNotAllowed", 405),
        ("POST", ENTITY, "", "MethodNotAllowed", 405),
        ("DELETE", "things", "comp=acl", "MethodNotAllowed", 405),
        ("FROG", "", "restype=service&comp=properties", "MethodNotAllowed", 405),
        ("GET", "", "", "InvalidQueryParameterValue", 400),
        ("GET", "", "restype=service", "InvalidQueryParameterValue", 400),
        ("GET", "", "comp=properties", "InvalidQueryParameterValue", 400),
        ("GET", "", "restype=frog&comp=properties", "InvalidQueryParameterValue", 400),
        ("GET", "things", "comp=frog", "InvalidQueryParameterValue", 400),
        ("GET", ENTITY, "comp=acl", "InvalidQueryParameterValue", 400),
        ("GET", "things", "a=1&a=2", "InvalidUri", 400),
        ("GET", "things", "$filter=%ff", "InvalidUri", 400),
    ],
)
def test_a_request_that_fits_no_row(method: str, path: str, query: str, code: str, status: int) -> None:
    world = TableWorld()
    answer = world.ask(method, path, query)
    assert answer.refusal == (status, code)
    if status == 405:
        assert answer.headers["allow"]


def test_what_is_allowed_is_told() -> None:
    assert TableWorld().ask("PUT", "things").headers["allow"] == "GET, POST"
    assert TableWorld().ask("FROG", ENTITY).headers["allow"] == "DELETE, GET, PATCH, PUT"


@pytest.mark.parametrize("code", TABLE_ERRORS)
def test_errors_have_a_status_and_a_message(code: str) -> None:
    row = TABLE_ERRORS[code]
    assert 400 <= row.status < 600
    assert row.message
