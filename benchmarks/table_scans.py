"""What finding an entity costs in a large table: point reads and key ranges in filters against a scan of everything.

    python -m benchmarks.table_scans [--entities N]

Fills a table of a hundred partitions on disk by entity group transactions, and a small one beside it. Then it prints
what each kind of query takes in both, over one connection: what is found by its keys must cost the same. Fails
where a query finds something else than it must.
"""

from __future__ import annotations

import argparse
import http.client
import json
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from benchmarks.shared_key import DEVELOPMENT_ACCOUNT
from localzure.testing import LocalZure

if TYPE_CHECKING:
    from collections.abc import Iterator

PARTITIONS = 100
SMALL_TABLE = 1000
REPEATS = 200
BATCH = 100


@dataclass(frozen=True, slots=True)
class Query:
    """One kind of query."""

    name: str
    filter: str
    found: int
    """How many entities it must find, over all pages."""
    repeats: int = REPEATS


QUERIES = (
    Query("PartitionKey eq … and RowKey eq …", "PartitionKey eq 'p042' and RowKey eq '00000003'", 1),
    Query("… and a range of 5 RowKeys", "PartitionKey eq 'p042' and RowKey ge '00000003' and RowKey lt '00000008'", 5),
    Query(
        "two entities, by or",
        "(PartitionKey eq 'p007' and RowKey eq '00000003') or (PartitionKey eq 'p042' and RowKey eq '00000004')",
        2,
    ),
    Query("the same, and a property", "PartitionKey eq 'p042' and RowKey eq '00000003' and number eq 3", 1),
    Query("no such partition", "PartitionKey eq 'nothing'", 0),
    Query("every entity looked at, none found", "number eq -1", 0, repeats=1),
)


class Client:
    """One connection to the Table service, without credentials."""

    def __init__(self, url: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)

    def ask(self, method: str, path: str, body: bytes = b"", content_type: str = "application/json") -> tuple[Any, Any]:
        """Send a request; returns the reply and its body."""
        headers = {"Accept": "application/json;odata=nometadata", "Content-Type": content_type}
        self._connection.request(method, f"/{DEVELOPMENT_ACCOUNT}/{path}", body, headers)
        reply = self._connection.getresponse()
        content = reply.read()
        if reply.status >= 300 or b"odata.error" in content:
            raise RuntimeError(f"{method} {path}: {reply.status} {content[:500]!r}")
        return reply, content

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def fill(self, table: str, entities: int) -> None:
        """Make a table and fill it."""
        self.ask("POST", "Tables", json.dumps({"TableName": table}).encode())
        for body in _batches(table, entities):
            self.ask("POST", "$batch", body, "multipart/mixed; boundary=batch")

    def count(self, table: str, text: str) -> int:
        """Return how many entities a filter finds."""
        found = 0
        more = ""
        while True:
            reply, content = self.ask("GET", f"{table}()?$filter={quote(text)}{more}")
            found += len(json.loads(content)["value"])
            partition_key = reply.headers["x-ms-continuation-NextPartitionKey"]
            if partition_key is None:
                return found
            row_key = reply.headers["x-ms-continuation-NextRowKey"]
            more = f"&NextPartitionKey={quote(partition_key)}&NextRowKey={quote(row_key)}"


def _batches(table: str, entities: int) -> Iterator[bytes]:
    rows = entities // PARTITIONS
    for partition in range(PARTITIONS):
        for first in range(0, rows, BATCH):
            yield _batch(table, partition, range(first, min(first + BATCH, rows)))


def _batch(table: str, partition: int, rows: range) -> bytes:
    changes = []
    for row in rows:
        entity = {"PartitionKey": f"p{partition:03}", "RowKey": f"{row:08}", "number": row, "text": "x" * 100}
        changes.append(
            "--changes\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
            f"POST {table} HTTP/1.1\r\nPrefer: return-no-content\r\n\r\n{json.dumps(entity)}\r\n"
        )
    head = "--batch\r\nContent-Type: multipart/mixed; boundary=changes\r\n\r\n"
    return f"{head}{''.join(changes)}--changes--\r\n--batch--\r\n".encode()


def _measure(client: Client, table: str, query: Query) -> float:
    """Return the milliseconds that a query takes, its best of many."""
    best = float("inf")
    for _ in range(query.repeats):
        start = time.perf_counter()
        found = client.count(table, query.filter)
        best = min(best, time.perf_counter() - start)
        if found != query.found:
            raise RuntimeError(f"{query.name}: found {found} in {table} instead of {query.found}")
    return best * 1000


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="benchmarks.table_scans", description=__doc__.partition("\n")[0])
    parser.add_argument("--entities", type=int, default=1_000_000)
    entities = parser.parse_args(arguments).entities
    with (
        LocalZure(in_memory=False, env={"LOCALZURE_AUTH": "off"}, extra_args=["--services", "table"]) as azure,
        closing(Client(azure.endpoints["table"])) as client,
    ):
        start = time.perf_counter()
        client.fill("Large", entities)
        seconds = time.perf_counter() - start
        client.fill("Small", SMALL_TABLE)
        print(f"filled {entities:,} entities in {seconds:.1f} s, {entities / seconds:,.0f} a second")
        print(f"{'':40} {f'of {SMALL_TABLE:,}':>12} {f'of {entities:,}':>14}")
        for query in QUERIES:
            small, large = _measure(client, "Small", query), _measure(client, "Large", query)
            print(f"{query.name:40} {small:9.2f} ms {large:11.2f} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
