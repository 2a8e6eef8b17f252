"""The operations table against the service's OpenAPI document, and requests that fit no row."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TypedDict
from urllib.parse import parse_qsl

import pytest

from localzure.services.queue.errors import QUEUE_ERRORS, QueueError
from localzure.services.queue.operations import OPERATIONS, Operation, find
from tests.queue_world import QueueWorld

HERE = Path(__file__).parent
DOCUMENT = Path(os.environ.get("AZURE_REST_SPECS", "../shared/specs")) / "queue-storage.swagger.json"

BEYOND_THE_SPEC = {"Service_GetUserDelegationKey"}
"""Operations that Azure has and the document lacks."""


class SpecOperation(TypedDict):
    """One operation of the document."""

    name: str
    method: str
    resource: str
    query: dict[str, str]
    """The parameters that its path names with a fixed value."""


SPEC: list[SpecOperation] = json.loads((HERE / "spec_operations.json").read_text("utf-8"))

RESOURCES = {"": "service", "/{queueName}": "queue"}
RESOURCES |= {"/{queueName}/messages": "messages", "/{queueName}/messages/{messageid}": "message"}


def read(path: Path) -> list[SpecOperation]:
    """Return the operations of the document, by name."""
    document = json.loads(path.read_text("utf-8"))
    operations = []
    for url, item in (document["paths"] | document["x-ms-paths"]).items():
        route, _, raw_query = url.partition("?")
        query = {name: value for name, value in parse_qsl(raw_query) if not value.startswith("{")}
        for method in item.keys() - {"parameters"}:
            name = item[method]["operationId"]
            operations.append(
                SpecOperation(name=name, method=method.upper(), resource=RESOURCES[route.rstrip("/")], query=query)
            )
    return sorted(operations, key=lambda row: row["name"])


@pytest.mark.skipif(not DOCUMENT.exists(), reason="the OpenAPI document is not here")
def test_the_extract_is_the_document() -> None:
    assert read(DOCUMENT) == SPEC


def test_every_operation_has_a_row_and_every_row_an_operation() -> None:
    assert {row.name for row in OPERATIONS} == {row["name"] for row in SPEC} | BEYOND_THE_SPEC


@pytest.mark.parametrize("row", SPEC, ids=lambda row: row["name"])
def test_a_request_of_the_document_finds_its_operation(row: SpecOperation) -> None:
    operation = find(row["resource"], row["method"], row["query"])  # type: ignore[arg-type]  # JSON has no literals
    assert operation.name == row["name"]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_rows_are_well_formed(operation: Operation) -> None:
    assert operation.resource in {"service", "queue", "messages", "message"}
    assert set(operation.permission) <= set("raupcwdl")
    assert operation.writes or operation.method in {"GET", "HEAD", "POST"}


@pytest.mark.parametrize(
    ("method", "path", "query", "code", "status"),
    [
        ("GET", "", "", "InvalidQueryParameterValue", 400),
        ("GET", "", "comp=frogs", "InvalidQueryParameterValue", 400),
        ("GET", "", "restype=frogs&comp=list", "InvalidQueryParameterValue", 400),
        ("GET", "", "comp=properties", "InvalidQueryParameterValue", 400),
        ("PUT", "", "comp=list", "UnsupportedHttpVerb", 405),
        ("DELETE", "", "restype=service&comp=properties", "UnsupportedHttpVerb", 405),
        ("GET", "jobs", "", "UnsupportedHttpVerb", 405),
        ("POST", "jobs", "", "UnsupportedHttpVerb", 405),
        ("PATCH", "jobs", "comp=metadata", "UnsupportedHttpVerb", 405),
        ("DELETE", "jobs", "comp=metadata", "UnsupportedHttpVerb", 405),
        ("PUT", "jobs", "comp=frogs", "InvalidQueryParameterValue", 400),
        ("PUT", "jobs", "restype=queue", "InvalidQueryParameterValue", 400),
        ("DELETE", "jobs", "restype=queue&comp=acl", "InvalidQueryParameterValue", 400),
        ("PUT", "jobs/messages", "", "UnsupportedHttpVerb", 405),
        ("HEAD", "jobs/messages", "", "UnsupportedHttpVerb", 405),
        ("DELETE", "jobs/messages", "comp=acl", "InvalidQueryParameterValue", 400),
        ("GET", "jobs/messages/x", "", "UnsupportedHttpVerb", 405),
        ("POST", "jobs/messages/x", "", "UnsupportedHttpVerb", 405),
        ("DELETE", "jobs/messages/x", "comp=metadata&popreceipt=YQ==", "InvalidQueryParameterValue", 400),
        ("GET", "jobs", "comp=acl&comp=metadata", "InvalidUri", 400),
        ("GET", "jobs", "comp=%ff", "InvalidUri", 400),
        ("DELETE", "jobs/other", "", "InvalidUri", 400),
        ("DELETE", "jobs/messages/", "", "InvalidUri", 400),
    ],
)  # fmt: skip
def test_a_request_that_fits_no_row_is_not_taken_for_a_neighbour(
    method: str, path: str, query: str, code: str, status: int
) -> None:
    world = QueueWorld()
    world.queue()
    world.put("before")
    answer = world.ask(method, path, query, body=b"" if method in {"PUT", "POST", "PATCH"} else None)
    assert (answer.code, answer.status) == (code, status)
    assert ("allow" in answer.headers) is (status == 405)
    assert world.texts() == ["before"]


def test_the_verbs_that_a_resource_takes_are_told() -> None:
    with pytest.raises(QueueError) as caught:
        find("messages", "PUT", {})
    assert caught.value.headers == (("allow", "DELETE, GET, POST"),)


def test_words_are_compared_without_case() -> None:
    assert find("service", "GET", {"restype": "Service", "comp": "Stats"}).name == "Service_GetStatistics"


def test_error_rows_have_azures_statuses() -> None:
    assert {row.status for row in QUEUE_ERRORS.values()} <= {400, 403, 404, 405, 409, 411, 412, 413, 500, 501, 503}
    assert all(row.message.endswith((".", "(8KB).")) for row in QUEUE_ERRORS.values())
