"""The Table service against dictionaries, on both stores: any changes, batches, restarts and failed commits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from localzure.services.interface import SECOND, Instant
from localzure.services.storage_rest.iso8601 import parse_ticks
from localzure_storage.store import Durability, Store
from tests.storage_machine import StorageMachine
from tests.storage_world import Answer
from tests.table_batches import Inner, transact
from tests.table_world import BASE_URL, MINIMAL, TableWorld, entity_path

TABLES = st.sampled_from(["one", "Two"])
PARTITIONS = st.sampled_from(["", "é's"])
ROWS = st.sampled_from(["", "1", "10", "x y"])
NAMES = st.sampled_from(["p", "q"])
ONE: tuple[Any, str | None] = (1, None)
TYPED: list[tuple[Any, str | None]] = [
    ONE,
    (-1.5, None),
    ("text", None),
    (True, None),
    ("9007199254740993", "Edm.Int64"),
    ("2026-01-01T00:00:00.0000001Z", "Edm.DateTime"),
    ("AAE=", "Edm.Binary"),
    ("x" * 3000, None),
]
PROPERTIES = st.dictionaries(NAMES, st.sampled_from(TYPED), max_size=2)
CONDITIONS = st.sampled_from(["none", "any", "current", "stale"])

STALE = "W/\"datetime'2001-01-01T00%3A00%3A00Z'\""

Properties = dict[str, tuple[Any, str | None]]


@dataclass
class Known:
    """What the model knows of an entity."""

    properties: Properties
    etag: str


@dataclass
class Table:
    """What the model knows of a table."""

    name: str
    entities: dict[tuple[str, str], Known] = field(default_factory=dict)


@dataclass
class Change:
    """A change, before the model says what becomes of it."""

    kind: str
    row: str
    properties: Properties
    condition: str


CHANGES = st.builds(Change, st.sampled_from(["insert", "update", "merge", "delete"]), ROWS, PROPERTIES, CONDITIONS)


def body_of(properties: Properties) -> dict[str, Any]:
    body: dict[str, Any] = {}
    for name, (value, type_name) in properties.items():
        body[name] = value
        if type_name is not None:
            body[f"{name}@odata.type"] = type_name
    return body


def ticks_of(etag: str) -> int:
    """The instant in an entity tag."""
    ticks = parse_ticks(unquote(etag).removeprefix("W/\"datetime'").removesuffix("'\""))
    assert ticks is not None
    return ticks


def without_system(members: dict[str, Any]) -> dict[str, Any]:
    system = {"PartitionKey", "RowKey", "Timestamp"}
    return {k: v for k, v in members.items() if not k.startswith("odata.") and k not in system}


class TableModel(StorageMachine[TableWorld]):
    """Rules ask the service and the dictionaries, and hold the answers together."""

    def make_world(self, store: Store) -> TableWorld:
        return TableWorld(store=store)

    def __init__(self) -> None:
        super().__init__()
        self.model: dict[str, Table] = {}

    @initialize()
    def begin_with_a_table(self) -> None:
        self.create_table("one")

    # --- what the model says --------------------------------------------------------------------------------------

    def refusal(self, entities: dict[tuple[str, str], Known], partition: str, change: Change) -> tuple[int, str] | None:
        """The status and code with which a change is refused; None where it is done."""
        known = entities.get((partition, change.row))
        if change.kind == "insert":
            return (409, "EntityAlreadyExists") if known else None
        if change.kind == "delete" and change.condition == "none":
            return 400, "InvalidInput"
        if known is None:
            return None if change.condition == "none" else (404, "ResourceNotFound")
        return (412, "UpdateConditionNotSatisfied") if change.condition == "stale" else None

    def apply(self, entities: dict[tuple[str, str], Known], partition: str, change: Change, etag: str | None) -> None:
        key = (partition, change.row)
        if change.kind == "delete":
            del entities[key]
            return
        assert etag is not None
        old = entities.get(key)
        assert old is None or ticks_of(etag) > ticks_of(old.etag)
        properties = dict(change.properties)
        if change.kind == "merge" and old is not None:
            properties = {**old.properties, **properties}
        entities[key] = Known(properties, etag)

    def request(self, table: str, partition: str, change: Change) -> Inner:
        if change.kind == "insert":
            body = {"PartitionKey": partition, "RowKey": change.row, **body_of(change.properties)}
            return Inner("POST", f"{BASE_URL}/{table}", body, {"Prefer": "return-no-content"})
        path = f"{BASE_URL}/{entity_path(table, partition, change.row)}"
        method = {"update": "PUT", "merge": "PATCH", "delete": "DELETE"}[change.kind]
        known = self.model[table.lower()].entities.get((partition, change.row)) if table.lower() in self.model else None
        etag = {"none": None, "any": "*", "stale": STALE, "current": known.etag if known else STALE}[change.condition]
        headers = {} if etag is None else {"If-Match": etag}
        return Inner(method, path, None if change.kind == "delete" else body_of(change.properties), headers)

    def send(self, inner: Inner) -> Answer:
        body = inner.body if inner.body is not None else b""
        return self.world.ask(inner.method, inner.path.removeprefix(f"{BASE_URL}/"), "", inner.headers, body)

    # --- rules ----------------------------------------------------------------------------------------------------

    @rule(name=TABLES)
    def create_table(self, name: str) -> None:
        answer = self.world.ask("POST", "Tables", body={"TableName": name})
        if name.lower() in self.model:
            assert answer.refusal == (409, "TableAlreadyExists")
        else:
            assert answer.status == 201
            self.model[name.lower()] = Table(name)

    @rule(name=TABLES)
    def delete_table(self, name: str) -> None:
        answer = self.world.ask("DELETE", f"Tables('{name.swapcase()}')")
        if self.model.pop(name.lower(), None) is None:
            assert answer.refusal == (404, "ResourceNotFound")
        else:
            assert answer.status == 204

    @rule(table=TABLES, partition=PARTITIONS, changes=st.lists(CHANGES, min_size=1, max_size=8))
    def change_each(self, table: str, partition: str, changes: Sequence[Change]) -> None:
        for change in changes:
            self.change_one(table, partition, change)

    def change_one(self, table: str, partition: str, change: Change) -> None:
        answer = self.send(self.request(table, partition, change))
        known = self.model.get(table.lower())
        if change.kind == "delete" and change.condition == "none":
            assert answer.refusal == (400, "InvalidInput")
        elif known is None:
            assert answer.refusal == (404, "TableNotFound")
        elif (expected := self.refusal(known.entities, partition, change)) is not None:
            assert answer.refusal == expected
        else:
            assert answer.status == 204
            self.apply(known.entities, partition, change, answer.headers.get("etag"))

    @rule(table=TABLES, partition=PARTITIONS, changes=st.lists(CHANGES, min_size=1, max_size=6))
    def change_many(self, table: str, partition: str, changes: Sequence[Change]) -> None:
        answers = transact(self.world, *(self.request(table, partition, change) for change in changes))
        refusal = self.batch_refusal(table, partition, changes)
        if refusal is not None:
            (answer,) = answers
            assert answer.refusal == refusal[1:]
            assert len(changes) == 1 or answer.message.startswith(f"{refusal[0]}:")
            return
        assert [answer.status for answer in answers] == [204] * len(changes)
        for change, answer in zip(changes, answers, strict=True):
            self.apply(self.model[table.lower()].entities, partition, change, answer.headers.get("etag"))

    def batch_refusal(self, table: str, partition: str, changes: Sequence[Change]) -> tuple[int, int, str] | None:
        """The number of the change that fails, its status and code; what shows without looking comes first."""
        for index, change in enumerate(changes):
            if change.kind == "delete" and change.condition == "none":
                return index, 400, "InvalidInput"
        rows: set[str] = set()
        for index, change in enumerate(changes):
            if change.row in rows:
                return index, 400, "InvalidDuplicateRow"
            rows.add(change.row)
        known = self.model.get(table.lower())
        if known is None:
            return 0, 404, "TableNotFound"
        for index, change in enumerate(changes):
            if (expected := self.refusal(known.entities, partition, change)) is not None:
                return index, *expected
        return None

    @rule(table=TABLES, partition=PARTITIONS, row=ROWS)
    def read_one(self, table: str, partition: str, row: str) -> None:
        answer = self.world.ask("GET", entity_path(table, partition, row), headers={"Accept": MINIMAL})
        known = self.model.get(table.lower())
        if known is None:
            assert answer.refusal == (404, "TableNotFound")
        elif (entity := known.entities.get((partition, row))) is None:
            assert answer.refusal == (404, "ResourceNotFound")
        else:
            assert answer.headers["etag"] == answer.json["odata.etag"] == entity.etag
            assert without_system(answer.json) == body_of(entity.properties)

    @rule(table=TABLES, partition=PARTITIONS, low=ROWS, high=ROWS, top=st.integers(1, 4))
    def query(self, table: str, partition: str, low: str, high: str, top: int) -> None:
        if table.lower() not in self.model:
            assert self.world.ask("GET", f"{table}()").refusal == (404, "TableNotFound")
            return
        quoted = partition.replace("'", "''")
        text = f"PartitionKey eq '{quoted}' and RowKey ge '{low}' and (RowKey lt '{high}' or p eq 1)"
        expected = [
            key
            for key, entity in sorted(self.model[table.lower()].entities.items())
            if key[0] == partition and key[1] >= low and (key[1] < high or entity.properties.get("p") is ONE)
        ]
        assert self.world.rows(table, text, f"$top={top}") == expected

    @rule(seconds=st.sampled_from([-5, 0, 1]))
    def move_the_clock(self, seconds: int) -> None:
        self.world.clock.set_now(Instant(self.world.clock.now() + seconds * SECOND))

    @rule(table=TABLES, partition=PARTITIONS, row=ROWS)
    def fail_a_commit(self, table: str, partition: str, row: str) -> None:
        self.store.failing = True
        inner = self.request(table, partition, Change("update", row, {"p": (2, None)}, "none"))
        answer = self.send(inner)
        self.store.failing = False
        assert answer.refusal == (503, "ServerBusy")

    @invariant()
    def the_tables_and_their_entities_are_those_of_the_model(self) -> None:
        listed = [item["TableName"] for item in self.world.ask("GET", "Tables").json["value"]]
        assert listed == [self.model[name].name for name in sorted(self.model)]
        for table in self.model.values():
            found = self.world.ask("GET", f"{table.name}()", headers={"Accept": MINIMAL}).json["value"]
            expected = sorted(table.entities.items())
            assert [(item["PartitionKey"], item["RowKey"]) for item in found] == [key for key, _ in expected]
            assert [without_system(item) for item in found] == [body_of(known.properties) for _, known in expected]
            assert [item["odata.etag"] for item in found] == [known.etag for _, known in expected]

    def delete_everything(self) -> None:
        for table in self.model.values():
            assert self.world.ask("DELETE", f"Tables('{table.name}')").status == 204


class TableModelOnDisk(TableModel):
    durability = Durability.PROCESS


TableModel.TestCase.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)
TableModelOnDisk.TestCase.settings = settings(max_examples=20, stateful_step_count=30, deadline=None)
TestTablesInMemory = TableModel.TestCase
TestTablesOnDisk = TableModelOnDisk.TestCase
