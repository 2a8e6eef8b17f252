"""Reads the operations out of the Blob service's OpenAPI document, as far as requests for them differ."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypedDict

CONDITIONAL = ("If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since")

NOT_TELLING = frozenset({"Content-Length", "Content-Type", "x-ms-version", "x-ms-lease-id"})
"""Required headers that do not tell one operation from another."""


class SpecOperation(TypedDict):
    """One operation of the document."""

    name: str
    method: str
    resource: str
    query: dict[str, str]
    """The required parameters; one without a fixed value has an empty one."""
    headers: dict[str, str]
    """The required headers, likewise."""
    conditions: list[str]


def read(path: Path) -> list[SpecOperation]:
    """Return the operations of the document, by name."""
    document = json.loads(path.read_text("utf-8"))
    operations = []
    for section in ("paths", "x-ms-paths"):
        for url, item in document.get(section, {}).items():
            shared = item.get("parameters", [])
            for method, operation in item.items():
                if method != "parameters":
                    found = [_resolve(document, entry) for entry in shared + operation.get("parameters", [])]
                    operations.append(_operation(url, method, operation["operationId"], found))
    return sorted(operations, key=lambda row: row["name"])


def _operation(url: str, method: str, name: str, parameters: list[dict[str, Any]]) -> SpecOperation:
    path = url.partition("?")[0]
    resource = "blob" if "{blob}" in path else "container" if "{containerName}" in path else "service"
    required = [entry for entry in parameters if entry.get("required") and entry["name"] not in NOT_TELLING]
    return SpecOperation(
        name=name,
        method=method.upper(),
        resource=resource,
        query={entry["name"]: _fixed(entry) for entry in required if entry["in"] == "query"},
        headers={entry["name"]: _fixed(entry) for entry in required if entry["in"] == "header"},
        conditions=[entry["name"] for entry in parameters if entry["name"] in CONDITIONAL],
    )


def _fixed(entry: dict[str, Any]) -> str:
    values: list[str] = entry.get("enum", [])
    return values[0] if len(values) == 1 else ""


def _resolve(document: dict[str, Any], entry: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in entry:
        resolved: dict[str, Any] = document["parameters"][entry["$ref"].rpartition("/")[2]]
        return resolved
    return entry
