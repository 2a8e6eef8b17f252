"""A Table service without a server: plays the server's part around the real service and store."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from localzure.services.interface import Instant, ServiceContext
from localzure.services.table import TableService, TableSettings
from tests.storage_world import ACCOUNT, Answer, StorageWorld

BASE_URL = f"http://127.0.0.1:10002/{ACCOUNT}"

MINIMAL = "application/json;odata=minimalmetadata"
FULL = "application/json;odata=fullmetadata"
NONE = "application/json;odata=nometadata"


class NoAlarm:
    """The Table service has no deadlines."""

    def set(self, at: Instant | None) -> None:
        raise AssertionError("the Table service sets no alarm")


class TableWorld(StorageWorld[TableService, NoAlarm]):
    """One Table service on one store."""

    NAME = "table"
    HOST = "127.0.0.1:10002"
    ROOT = "/"
    HEADERS = MappingProxyType({"x-ms-version": "2019-02-02", "Accept": MINIMAL})
    BODY_HEADERS = MappingProxyType({"Content-Type": "application/json"})

    def build(self, context: ServiceContext, accounts: dict[str, tuple[bytes, ...]]) -> TableService:
        return TableService(context, TableSettings(accounts, self.level))

    def make_alarm(self) -> NoAlarm:
        return NoAlarm()

    # What most tests begin with.

    def table(self, name: str = "things") -> str:
        answer = self.ask("POST", "Tables", body={"TableName": name})
        assert answer.status == 201, answer
        return name

    def insert(self, table: str = "things", partition: str = "p", row: str = "r", **properties: Any) -> Answer:
        answer = self.ask("POST", table, body={"PartitionKey": partition, "RowKey": row, **properties})
        assert answer.status == 201, answer
        return answer

    def get(self, table: str = "things", partition: str = "p", row: str = "r", accept: str = NONE) -> Any:
        """The members of an entity, None where there is none."""
        answer = self.ask("GET", entity_path(table, partition, row), headers={"Accept": accept})
        assert answer.status == 200 or answer.refusal == (404, "ResourceNotFound"), answer
        return answer.json if answer.status == 200 else None

    def rows(self, table: str = "things", text: str = "", query: str = "") -> list[tuple[str, str]]:
        """The keys of what a filter finds, over all pages."""
        return [(item["PartitionKey"], item["RowKey"]) for page in self.pages(table, text, query) for item in page]

    def pages(self, table: str = "things", text: str = "", query: str = "") -> list[list[dict[str, Any]]]:
        """What a filter finds, page by page."""
        pages = []
        more: str | None = ""
        while more is not None:
            options = [f"$filter={quote(text, safe='')}" if text else "", query, more]
            answer = self.ask("GET", f"{table}()", "&".join(filter(None, options)), {"Accept": NONE})
            assert answer.status == 200, answer
            pages.append(answer.json["value"])
            more = continuation_of(answer)
        return pages


def continuation_of(answer: Answer) -> str | None:
    """The parameters that ask for the page behind an answer; None at the last."""
    prefix = "x-ms-continuation-"
    found = [(name[len(prefix) :], value) for name, value in answer.headers.items() if name.startswith(prefix)]
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in found) if found else None


def entity_path(table: str, partition: str, row: str) -> str:
    """The path of an entity, as a client writes it."""
    return f"{table}(PartitionKey='{quote_key(partition)}',RowKey='{quote_key(row)}')"


def quote_key(key: str) -> str:
    return quote(key.replace("'", "''"), safe="")
