"""Loads on the Queue and Table services, as exchanges for the HTTP generator.

An operation is one request, or, for queues, three: a message is put, received and deleted by what the answer to the
receive says. Of replies with a variable content, the part that must be in them is compared.
"""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from benchmarks.bodies import body
from benchmarks.http_load import Exchange, Load, UnexpectedReplyError, drive_exchanges, make

if TYPE_CHECKING:
    from benchmarks.measurement import Measurement
    from benchmarks.shared_key import Account

QUEUE, TABLE = "benchmark", "Benchmark"
BATCH = 100
"""Entities of a transaction: the most that the Table service takes."""

_RECEIPT = re.compile(rb"<MessageId>([^<]+)</MessageId>.*?<PopReceipt>([^<]+)</PopReceipt>", re.DOTALL)
_JSON = {"accept": "application/json;odata=nometadata", "content-type": "application/json"}
_NO_CONTENT = {"prefer": "return-no-content"}


class _Part(Exchange):
    """An exchange whose reply has a status and contains something."""

    __slots__ = ()

    def is_right(self, content: bytes) -> bool:
        return self._content in content


class _Put(_Part):
    """Puts a message; a receive follows."""

    __slots__ = ("_account",)

    def __init__(self, account: Account, number: int) -> None:
        text = base64.b64encode(body(768, number))  # 1 KiB as text
        message = b"<QueueMessage><MessageText>" + text + b"</MessageText></QueueMessage>"
        wire = account.request("POST", f"/{QUEUE}/messages", {"content-type": "application/xml"}, message)
        super().__init__(wire, number, 201, b"<PopReceipt>")
        self._account = account

    def following(self, content: bytes) -> Exchange | None:
        del content
        return _Receive(self._account, self.number)


class _Receive(_Part):
    """Receives the message at the head of the queue; its deletion follows."""

    __slots__ = ("_account",)

    def __init__(self, account: Account, number: int) -> None:
        wire = account.request("GET", f"/{QUEUE}/messages", {})
        super().__init__(wire, number, 200, b"<MessageText>")
        self._account = account

    def following(self, content: bytes) -> Exchange | None:
        found = _RECEIPT.search(content)
        if found is None:
            raise UnexpectedReplyError(f"no message: {content[:2000]!r}")
        identity, receipt = (part.decode() for part in found.groups())
        path = f"/{QUEUE}/messages/{identity}?popreceipt={quote(receipt, safe='')}"
        return Exchange(self._account.request("DELETE", path, {}), self.number, 204, b"")


def cycle_messages(account: Account, load: Load) -> Measurement:
    """Put, receive and delete messages. Every connection takes the first message that it gets, its own or another's."""
    make(account, account.request("PUT", f"/{QUEUE}", {}))
    return drive_exchanges(account, load, [_Put(account, number) for number in range(min(load.blobs, load.count))])


def insert_entities(account: Account, load: Load, first: int) -> Measurement:
    """Insert entities of 1 KiB, numbered from `first`, into hundred partitions."""
    make_table(account)
    return drive_exchanges(account, load, [_insert(account, first + number, number) for number in range(load.count)])


def read_entities(account: Account, load: Load) -> Measurement:
    """Read entities that were inserted from 0 on, by their keys."""
    return drive_exchanges(account, load, [_read(account, number) for number in range(min(load.blobs, load.count))])


def insert_batches(account: Account, load: Load, first: int) -> Measurement:
    """Insert entities by transactions of a hundred; `load` counts transactions."""
    make_table(account)
    return drive_exchanges(account, load, [_batch(account, first + number, number) for number in range(load.count)])


def make_table(account: Account) -> None:
    """Make the table, or find it made."""
    make(account, account.table_request("POST", "/Tables", _JSON, json.dumps({"TableName": TABLE}).encode()))


def _entity(partition: str, row: int) -> bytes:
    text = base64.b64encode(body(672, row)).decode()
    return json.dumps({"PartitionKey": partition, "RowKey": f"{row:010}", "Number": row, "Text": text}).encode()


def _insert(account: Account, row: int, number: int) -> Exchange:
    wire = account.table_request("POST", f"/{TABLE}", _JSON | _NO_CONTENT, _entity(f"p{row % 100:02}", row))
    return Exchange(wire, number, 204, b"")


def _read(account: Account, row: int) -> Exchange:
    path = f"/{TABLE}(PartitionKey='p{row % 100:02}',RowKey='{row:010}')"
    wire = account.table_request("GET", path, {"accept": _JSON["accept"]})
    return _Part(wire, row, 200, f'"{row:010}"'.encode())


def _batch(account: Account, batch: int, number: int) -> Exchange:
    partition = f"batch{batch:08}"
    url = f"http://{account.host}:{account.port}/{account.name}/{TABLE}"
    parts = [
        b"--changeset_1\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
        + f"POST {url} HTTP/1.1\r\nContent-Type: application/json\r\nAccept: {_JSON['accept']}\r\n".encode()
        + b"DataServiceVersion: 3.0\r\nPrefer: return-no-content\r\n\r\n"
        + _entity(partition, row)
        + b"\r\n"
        for row in range(BATCH)
    ]
    head = b"--batch_1\r\nContent-Type: multipart/mixed; boundary=changeset_1\r\n\r\n"
    content = head + b"".join(parts) + b"--changeset_1--\r\n--batch_1--\r\n"
    headers = {"content-type": "multipart/mixed; boundary=batch_1", "dataserviceversion": "3.0"}
    return _Batch(account.table_request("POST", "/$batch", headers, content), number, 202, b" 204 ")


class _Batch(_Part):
    """A transaction: each of its changes must have been made."""

    __slots__ = ()

    def is_right(self, content: bytes) -> bool:
        return content.count(self._content) == BATCH
