"""Asking a blob with SQL through the service, and reading the reply as clients do."""

from __future__ import annotations

from dataclasses import dataclass, field
from io import BytesIO
from typing import Any
from xml.sax.saxutils import escape

from azure.storage.blob._shared.avro.avro_io import DatumReader
from azure.storage.blob._shared.avro.datafile import DataFileReader

from tests.blob_world import BlobWorld

CSV = "<Format><Type>delimited</Type></Format>"
HEADED = (
    "<Format><Type>delimited</Type><DelimitedTextConfiguration><ColumnSeparator>,</ColumnSeparator>"
    "<FieldQuote>&quot;</FieldQuote><RecordSeparator>\n</RecordSeparator><HasHeaders>true</HasHeaders>"
    "</DelimitedTextConfiguration></Format>"
)
JSON = "<Format><Type>json</Type></Format>"


@dataclass
class Asked:
    """What came of a query."""

    status: int
    code: str = ""
    data: bytes = b""
    errors: list[tuple[str, bool, int]] = field(default_factory=list)
    scanned: int = 0
    total: int = -1
    records: int = 0

    @property
    def lines(self) -> list[str]:
        return self.data.decode().splitlines()


def document(expression: str, source: str = CSV, result: str = CSV) -> bytes:
    """The body of Query Blob Contents."""
    return (
        f"<QueryRequest><QueryType>SQL</QueryType><Expression>{escape(expression)}</Expression>"
        f"<InputSerialization>{source}</InputSerialization><OutputSerialization>{result}</OutputSerialization>"
        "</QueryRequest>"
    ).encode()


def ask(world: BlobWorld, path: str, expression: str, source: str = CSV, result: str = CSV) -> Asked:
    """Ask a blob; the reply is read by the Avro reader of the Python SDK."""
    answer = world.ask("POST", path, "comp=query", body=document(expression, source, result))
    if answer.status != 200:
        return Asked(answer.status, answer.code)
    assert answer.headers["content-type"] == "avro/binary"
    asked = Asked(200)
    objects: list[dict[str, Any]] = list(DataFileReader(BytesIO(answer.body), DatumReader()))  # type: ignore[no-untyped-call]
    for one in objects:
        asked.records += 1
        asked.data += one.get("data", b"")
        asked.scanned = one.get("bytesScanned", asked.scanned)
        if "fatal" in one:
            asked.errors.append((one["name"], one["fatal"], one["position"]))
    assert set(objects[-1]) == {"totalBytes"}
    asked.total = objects[-1]["totalBytes"]
    return asked
