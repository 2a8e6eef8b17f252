"""Batches as clients write them, and their replies as clients read them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.storage_world import Answer
from tests.table_world import BASE_URL, MINIMAL, TableWorld, entity_path


@dataclass
class Inner:
    """One request in a batch."""

    method: str
    path: str
    body: Mapping[str, Any] | bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def write(self, number: int) -> bytes:
        """As a part, with the number of the change as its Content-ID."""
        content = self.body if isinstance(self.body, bytes) else b""
        headers = {"Accept": MINIMAL, **self.headers}
        if isinstance(self.body, Mapping):
            content = json.dumps(self.body).encode()
            headers = {"Content-Type": "application/json", "Content-Length": str(len(content)), **headers}
        lines = [
            "Content-Type: application/http",
            "Content-Transfer-Encoding: binary",
            f"Content-ID: {number}",
            "",
            f"{self.method} {self.path} HTTP/1.1",
            *(f"{name}: {value}" for name, value in headers.items()),
            "",
            "",
        ]
        return "\r\n".join(lines).encode() + content


def insert(row: str, table: str = "things", partition: str = "p", **properties: Any) -> Inner:
    """An insert that wants nothing back."""
    body = {"PartitionKey": partition, "RowKey": row, **properties}
    return Inner("POST", f"{BASE_URL}/{table}", body, {"Prefer": "return-no-content"})


def change(method: str, row: str, body: Mapping[str, Any] | None = None, etag: str | None = None) -> Inner:
    """A change to the entity of a row."""
    headers = {} if etag is None else {"If-Match": etag}
    return Inner(method, f"{BASE_URL}/{entity_path('things', 'p', row)}", body, headers)


def multipart(boundary: str, parts: Sequence[bytes]) -> bytes:
    pieces = [f"--{boundary}\r\n".encode() + part + b"\r\n" for part in parts]
    return b"".join([*pieces, f"--{boundary}--\r\n".encode()])


def change_set(changes: Sequence[Inner], boundary: str = "changeset_1") -> bytes:
    """A part with a change set."""
    head = f"Content-Type: multipart/mixed; boundary={boundary}\r\n\r\n".encode()
    return head + multipart(boundary, [inner.write(number) for number, inner in enumerate(changes)])


def send(world: TableWorld, body: bytes, content_type: str = "multipart/mixed; boundary=batch_1") -> Answer:
    return world.ask("POST", "$batch", headers={"Content-Type": content_type}, body=body)


def transact(world: TableWorld, *changes: Inner) -> list[Answer]:
    """Send a change set and return the replies to its changes."""
    return replies(send(world, multipart("batch_1", [change_set(changes)])))[0]


def replies(answer: Answer) -> list[list[Answer]]:
    """The replies in the reply to a batch: a list for a change set, of one for a query."""
    assert answer.status == 202, answer
    found = []
    for headers, body in parts_of(answer.headers["content-type"], answer.body):
        if headers["content-type"].startswith("multipart/mixed"):
            inner = parts_of(headers["content-type"], body)
        else:
            inner = [(headers, body)]
        found.append([_reply(*part) for part in inner])
    return found


def parts_of(content_type: str, body: bytes) -> list[tuple[dict[str, str], bytes]]:
    boundary = content_type.partition("boundary=")[2].encode()
    assert re.fullmatch(rb"(batch|changeset)response_[0-9a-f-]{36}", boundary)
    pieces = body.split(b"--" + boundary)
    assert (pieces[0], pieces[-1]) == (b"", b"--\r\n")
    parts = []
    for piece in pieces[1:-1]:
        assert piece.startswith(b"\r\n")
        assert piece.endswith(b"\r\n")
        head, _, rest = piece[2:-2].partition(b"\r\n\r\n")
        parts.append((_headers(head.decode()), rest))
    return parts


def _reply(part_headers: dict[str, str], part: bytes) -> Answer:
    assert part_headers == {"content-type": "application/http", "content-transfer-encoding": "binary"}
    head, _, body = part.partition(b"\r\n\r\n")
    line, _, rest = head.decode().partition("\r\n")
    match = re.fullmatch(r"HTTP/1\.1 (\d{3}) [A-Z][A-Za-z -]+", line)
    assert match is not None, line
    headers = _headers(rest)
    assert headers["dataserviceversion"] == "3.0;"
    if body:
        code = json.loads(body).get("odata.error", {}).get("code", "")
        headers["x-ms-error-code"] = code
    return Answer(int(match[1]), headers, body)


def _headers(text: str) -> dict[str, str]:
    pairs = (line.partition(": ") for line in text.split("\r\n") if line)
    return {name.lower(): value for name, _, value in pairs}
