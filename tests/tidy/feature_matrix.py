"""Writes docs/features.md from the tables of operations that the server runs on: `make docs`.

What a table cannot say, why something is answered with 501, is in `MISSING` and `PARTS` here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from localzure.services.blob.operations import OPERATIONS as BLOB
from localzure.services.queue.operations import OPERATIONS as QUEUE
from localzure.services.queue.operations import PEEK
from localzure.services.servicebus.admin.operations import OPERATIONS as ADMINISTRATION
from localzure.services.servicebus.admin.targets import Resource
from localzure.services.servicebus.operations import OPERATIONS as MANAGEMENT
from localzure.services.table.operations import OPERATIONS as TABLE

PAGE = Path(__file__).parents[2] / "docs" / "features.md"

MISSING: dict[str, str] = {}
"""Operation → why it is not built. One that is not here is `NOT_YET`."""

NOT_YET = "not built yet"

PARTS = (
    ("Blob_Query", "rows from and to Parquet", "no engine for its files is part of LocalZure"),
    ("Table_QueryEntities", "functions in `$filter`, comparing two properties; `$orderby`, `$skip` …", "as on Azure"),
    ("batch-delete-messages", "of one session", NOT_YET),
    ("$cbs", "any operation but `put-token`", "Azure documents no other"),
)
"""What of a built operation is answered with 501: operation, what, why."""

_PATHS = {
    "service": "/",
    "container": "/{container}",
    "blob": "/{container}/{blob}",
    "queue": "/{queue}",
    "messages": "/{queue}/messages",
    "message": "/{queue}/messages/{id}",
    "batch": "/$batch",
    "tables": "/Tables",
    "table": "/Tables('{table}')",
    "entities": "/{table}",
    "entity": "/{table}(PartitionKey='…',RowKey='…')",
}

_ADMINISTRATION_PATHS = {
    Resource.NAMESPACE: "/$namespaceinfo",
    Resource.QUEUES: "/$Resources/queues",
    Resource.TOPICS: "/$Resources/topics",
    Resource.ENTITY: "/{entity}",
    Resource.SUBSCRIPTIONS: "/{topic}/subscriptions",
    Resource.SUBSCRIPTION: "/{topic}/subscriptions/{subscription}",
    Resource.RULES: "/{topic}/subscriptions/{subscription}/rules",
    Resource.RULE: "/{topic}/subscriptions/{subscription}/rules/{rule}",
    Resource.MESSAGES: "/{entity}/messages",
    Resource.HEAD: "/{entity}/messages/head",
    Resource.MESSAGE: "/{entity}/messages/{id or sequence number}/{lock token}",
}

_INTRODUCTION = """\
# Features

Every operation that LocalZure knows, from the tables that it runs on (`localzure/services/<name>/operations.py`). This
page is written by `make docs`, and a test fails when it is not what the tables say.

What a table does not have, or has without doing it, is answered with 501 and names itself; it never turns into another
operation. What Service Bus clients do over AMQP without asking for an operation is not listed: sending, receiving,
settling, sessions.
"""


def page() -> str:
    """Return the page as it should be."""
    sections = [
        _INTRODUCTION,
        _section("Blob storage", ("Operation", "Request", "SAS", "State"), _blob_rows()),
        _section("Queue storage", ("Operation", "Request", "SAS", "State"), _queue_rows()),
        _section("Table storage", ("Operation", "Request", "SAS", "State"), _table_rows()),
        _section("Service Bus over HTTP", ("Operation", "Request", "Claim", "State"), _administration_rows()),
        _section("Service Bus, `$management` over AMQP", ("Operation", "Claim", "State"), _management_rows()),
        _section("501 in parts", ("Operation", "What", "Why"), [(f"`{name}`", what, why) for name, what, why in PARTS]),
    ]
    return "\n".join(sections)


def _section(title: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"## {title}", "", _line(head), _line(["---"] * len(head)), *map(_line, rows)]
    return "\n".join([*lines, ""])


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _state(name: str, built: object) -> str:
    return "yes" if built else f"501: {MISSING.get(name, NOT_YET)}"


def _request(method: str, path: str, *parameters: str) -> str:
    query = "&".join(parameter for parameter in parameters if not parameter.endswith("="))
    return f"`{method} {path}{f'?{query}' if query else ''}`"


def _any_of(permissions: str) -> str:
    return " or ".join(permissions) if len(permissions) < 4 else f"any of {permissions}"


def _blob_rows() -> Iterable[Sequence[str]]:
    for row in BLOB:
        parameters = [has for has in row.when if has.is_parameter]
        headers = [has for has in row.when if not has.is_parameter]
        query = [f"{has.name}={has.value or '…'}" for has in parameters]
        request = _request(row.method, _PATHS[row.resource], f"restype={row.restype}", f"comp={row.comp}", *query)
        for has in headers:
            request += f" `{has.name}{f': {has.value}' if has.value else ''}`"
        yield f"`{row.name}`", request, _any_of(row.permission), _state(row.name, row.handler)


def _queue_rows() -> Iterable[Sequence[str]]:
    for row in QUEUE:
        peeks = f"{PEEK}={'true' if row.peeks else ''}"
        request = _request(row.method, _PATHS[row.resource], f"restype={row.restype}", f"comp={row.comp}", peeks)
        yield f"`{row.name}`", request, _any_of(row.permission), _state(row.name, row.handler)


def _table_rows() -> Iterable[Sequence[str]]:
    for row in TABLE:
        request = _request(row.method, _PATHS[row.resource], f"restype={row.restype}", f"comp={row.comp}")
        if row.has_condition is not None:
            request += f" with{'' if row.has_condition else 'out'} `If-Match`"
        yield f"`{row.name}`", request, " and ".join(row.permission), _state(row.name, row.handler)


def _administration_rows() -> Iterable[Sequence[str]]:
    for row in ADMINISTRATION:
        request = _request(row.method, _ADMINISTRATION_PATHS[row.resource])
        if row.method == "PUT" and any(other.resource is row.resource and other.is_update for other in ADMINISTRATION):
            request += f" with{'' if row.is_update else 'out'} `If-Match`"
        right = (row.right.name or "").capitalize()
        yield f"`{row.name}`", request, right, _state(row.name, row.handler or row.message_handler)


def _management_rows() -> Iterable[Sequence[str]]:
    for row in MANAGEMENT.values():
        yield f"`{row.name}`", (row.right.name or "").capitalize(), _state(row.name, row.handler)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
