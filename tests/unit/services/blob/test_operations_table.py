"""The operations table against the service's OpenAPI document, and requests that fit no row."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from localzure.services.blob.errors import BLOB_ERRORS, BlobError
from localzure.services.blob.operations import OPERATIONS, Operation, find
from tests.blob_world import BlobWorld
from tests.unit.services.blob.spec_reader import SpecOperation, read

HERE = Path(__file__).parent
SPEC: list[SpecOperation] = json.loads((HERE / "spec_operations.json").read_text("utf-8"))
DOCUMENT = Path(os.environ.get("AZURE_REST_SPECS", "../shared/specs")) / "blob-storage.swagger.json"

BEYOND_THE_SPEC = {
    "Blob_GetMetadata",
    "Blob_GetMetadataWithHead",
    "Container_GetAccessPolicyWithHead",
    "Container_GetMetadata",
    "Container_GetMetadataWithHead",
    "Container_Rename",
}
"""Operations that Azure has and the document lacks."""

OPTIONAL_DISCRIMINATORS = {"PageBlob_GetPageRangesDiff": {"prevsnapshot": "x"}}
"""What tells an operation from its neighbour although the document does not require it."""


def head_of(row: SpecOperation) -> tuple[dict[str, str], dict[str, str]]:
    """The headers and parameters of a request for an operation of the document."""
    headers = {name.lower(): value or "x" for name, value in row["headers"].items()}
    query = {name.lower(): value or "x" for name, value in row["query"].items()}
    return headers, query | OPTIONAL_DISCRIMINATORS.get(row["name"], {})


@pytest.mark.skipif(not DOCUMENT.exists(), reason="the OpenAPI document is not here")
def test_the_extract_is_the_document() -> None:
    assert read(DOCUMENT) == SPEC


def test_every_operation_has_a_row_and_every_row_an_operation() -> None:
    assert {row.name for row in OPERATIONS} == {row["name"] for row in SPEC} | BEYOND_THE_SPEC


@pytest.mark.parametrize("row", SPEC, ids=lambda row: row["name"])
def test_a_request_of_the_document_finds_its_operation(row: SpecOperation) -> None:
    headers, query = head_of(row)
    operation = find(row["resource"], row["method"], headers, query)  # type: ignore[arg-type]  # JSON has no literals
    assert operation.name == row["name"]
    assert operation.conditions == {name.lower() for name in row["conditions"]}


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_rows_are_well_formed(operation: Operation) -> None:
    assert operation.resource in {"service", "container", "blob"}
    assert operation.comp == operation.comp.lower()
    assert set(operation.permission) <= set("racwdxltfmeopiuy")
    assert operation.public is None or operation.method in {"GET", "HEAD"}


PATHS = {"service": "", "container": "box", "blob": "box/blob"}


@pytest.mark.parametrize("row", SPEC, ids=lambda row: row["name"])
def test_every_operation_of_the_document_is_built(row: SpecOperation) -> None:
    headers, query = head_of(row)
    world = BlobWorld()
    world.container()
    world.put("box/blob", b"before")
    raw_query = "&".join(f"{name}={value}" for name, value in query.items())
    body = b"" if row["method"] != "GET" else None
    assert world.ask(row["method"], PATHS[row["resource"]], raw_query, headers, body).status != 501


@pytest.mark.parametrize(
    ("method", "path", "query", "headers", "code", "status"),
    [
        ("PUT", "box/blob", "comp=unknown", {"x-ms-blob-type": "BlockBlob"}, "InvalidQueryParameterValue", 400),
        ("PUT", "box/blob", "comp=list", {"x-ms-blob-type": "BlockBlob"}, "InvalidQueryParameterValue", 400),
        ("PUT", "box/blob", "comp=pagelist", {"x-ms-blob-type": "BlockBlob"}, "UnsupportedHttpVerb", 405),
        ("PUT", "box/blob", "restype=container", {"x-ms-blob-type": "BlockBlob"}, "InvalidQueryParameterValue", 400),
        ("PUT", "box/blob", "", {}, "MissingRequiredHeader", 400),
        ("PUT", "box/blob", "", {"x-ms-blob-type": "FrogBlob"}, "InvalidHeaderValue", 400),
        ("PUT", "box/blob", "comp=lease", {}, "MissingRequiredHeader", 400),
        ("PUT", "box/blob", "comp=lease", {"x-ms-lease-action": "sublet"}, "InvalidHeaderValue", 400),
        ("PUT", "box/blob", "comp=page", {"x-ms-page-write": "tear"}, "InvalidHeaderValue", 400),
        ("PUT", "box/blob", "comp=copy", {}, "MissingRequiredHeader", 400),
        ("PUT", "box/blob", "comp=block&comp=block", {}, "InvalidUri", 400),
        ("POST", "box/blob", "", {}, "UnsupportedHttpVerb", 405),
        ("PATCH", "box/blob", "", {}, "UnsupportedHttpVerb", 405),
        ("DELETE", "box/blob", "comp=metadata", {}, "UnsupportedHttpVerb", 405),
        ("GET", "box", "comp=list", {}, "InvalidQueryParameterValue", 400),
        ("GET", "box", "restype=box", {}, "InvalidQueryParameterValue", 400),
        ("GET", "box", "restype=service&comp=list", {}, "InvalidQueryParameterValue", 400),
        ("PUT", "box", "restype=container&comp=frogs", {}, "InvalidQueryParameterValue", 400),
        ("GET", "", "", {}, "InvalidQueryParameterValue", 400),
        ("GET", "", "restype=service", {}, "InvalidQueryParameterValue", 400),
        ("PUT", "", "comp=list", {}, "UnsupportedHttpVerb", 405),
        ("OPTIONS", "box/blob", "", {}, "InvalidHeaderValue", 400),
    ],
)
def test_a_request_that_fits_no_row_is_not_taken_for_a_neighbour(
    method: str, path: str, query: str, headers: dict[str, str], code: str, status: int
) -> None:
    world = BlobWorld()
    world.container()
    world.put("box/blob", b"before")
    answer = world.ask(method, path, query, headers, b"after")
    assert (answer.code, answer.status) == (code, status)
    assert ("allow" in answer.headers) is (status == 405)
    assert world.get("box/blob").body == b"before"


def test_the_verbs_that_a_resource_takes_are_told() -> None:
    with pytest.raises(BlobError) as caught:
        find("blob", "POST", {}, {})
    assert caught.value.headers == (("allow", "DELETE, GET, HEAD, PUT"),)


def test_names_and_words_are_compared_without_case() -> None:
    assert find("blob", "PUT", {"x-ms-blob-type": "blockblob"}, {}).name == "BlockBlob_Upload"
    assert (
        find("container", "GET", {}, {"restype": "Container", "comp": "List"}).name == "Container_ListBlobFlatSegment"
    )


def test_error_rows_have_azures_statuses() -> None:
    assert {row.status for row in BLOB_ERRORS.values()} <= {400, 403, 404, 405, 409, 411, 412, 413, 416, 500, 501, 503}
    assert all(row.message.endswith((".", "(8KB).")) for row in BLOB_ERRORS.values())
