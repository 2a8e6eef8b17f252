"""Queries: order, pages, continuations, and what a page may cost."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from localzure.services.table.engine import queries
from localzure.services.table.model import PAGE_MAX
from tests.table_world import NONE, TableWorld, continuation_of


@pytest.fixture
def world() -> TableWorld:
    world = TableWorld()
    world.table()
    return world


def fill(world: TableWorld, partitions: str, rows: int) -> list[tuple[str, str]]:
    keys = [(partition, f"{row:03}") for partition in partitions for row in range(rows)]
    for partition, row in reversed(keys):
        world.insert(partition=partition, row=row, n=int(row))
    return keys


def test_entities_come_in_the_order_of_their_keys(world: TableWorld) -> None:
    keys = [("", ""), ("", "a"), ("a", ""), ("a", "b"), ("a!", "a"), ("ab", ""), ("b", "A"), ("b", "a"), ("é", "x")]
    for partition, row in reversed(keys):
        world.insert(partition=partition, row=row)
    assert world.rows() == keys


def test_pages_go_on_where_they_end(world: TableWorld) -> None:
    keys = fill(world, "ab", 5)
    pages = world.pages(query="$top=3")
    assert [len(page) for page in pages] == [3, 3, 3, 1]
    assert [(item["PartitionKey"], item["RowKey"]) for page in pages for item in page] == keys


def test_a_page_has_a_thousand_entities(world: TableWorld) -> None:
    for start in range(0, PAGE_MAX + 5, 100):
        world_insert_many(world, start, min(100, PAGE_MAX + 5 - start))
    assert [len(page) for page in world.pages()] == [PAGE_MAX, 5]
    assert [len(page) for page in world.pages(query="$top=1000")] == [PAGE_MAX, 5]


def world_insert_many(world: TableWorld, start: int, count: int) -> None:
    for number in range(start, start + count):
        world.insert(row=f"{number:05}")


def test_the_last_page_has_no_continuation(world: TableWorld) -> None:
    fill(world, "a", 3)
    assert continuation_of(world.ask("GET", "things", "$top=3")) is None
    answer = world.ask("GET", "things", "$top=2")
    assert {name for name in answer.headers if "continuation" in name} == {
        "x-ms-continuation-nextpartitionkey",
        "x-ms-continuation-nextrowkey",
    }


@pytest.mark.parametrize("key", ["", "a=b", "é日本", "x" * 1024, "~~~>>>", "😀"])
def test_continuations_carry_any_key(world: TableWorld, key: str) -> None:
    world.insert(partition=key, row=key)
    world.insert(partition=key, row=f"{key[:1000]}~")
    assert len(world.pages(query="$top=1")) == 2


def test_tokens_look_like_azures(world: TableWorld) -> None:
    fill(world, "a", 2)
    headers = world.ask("GET", "things", "$top=1").headers
    encoded = base64.b64encode(b"001").decode()
    assert headers["x-ms-continuation-nextrowkey"] == f"1!4!{encoded}"
    assert headers["x-ms-continuation-nextpartitionkey"] == "1!4!YQ--"


def test_a_page_may_begin_with_a_partition(world: TableWorld) -> None:
    fill(world, "ab", 2)
    answer = world.ask("GET", "things", "NextPartitionKey=1!4!Yg--", {"Accept": NONE})
    assert [item["PartitionKey"] for item in answer.json["value"]] == ["b", "b"]


def test_what_is_inserted_meanwhile_is_found_where_it_lies(world: TableWorld) -> None:
    fill(world, "a", 4)
    more = continuation_of(world.ask("GET", "things", "$top=2"))
    world.ask("DELETE", "things(PartitionKey='a',RowKey='002')", headers={"If-Match": "*"})
    world.insert(partition="a", row="0025")
    answer = world.ask("GET", "things", more or "", {"Accept": NONE})
    assert [item["RowKey"] for item in answer.json["value"]] == ["0025", "003"]


@pytest.mark.parametrize(
    "query",
    [
        "$top=1001",
        "$top=-1",
        "$top=x",
        "$top=",
        "$top=1.0",
        "$top=9999999999",
        "NextPartitionKey=",
        "NextPartitionKey=abc",
        "NextPartitionKey=2!4!YQ--",
        "NextPartitionKey=1!3!YQ--",
        "NextPartitionKey=1!4!Y!--",
        "NextPartitionKey=1!4!%FF%FF%FF%FF",
        "NextPartitionKey=1!4!YQ--&NextRowKey=",
        "NextPartitionKey=1!4!____",
        f"NextPartitionKey=1!1368!{'eHh4' * 342}",
    ],
)
def test_options_that_azure_refuses(world: TableWorld, query: str) -> None:
    answer = world.ask("GET", "things", query)
    assert answer.status == 400
    assert answer.code in {"InvalidInput", "InvalidUri"}


def test_the_page_of_none(world: TableWorld) -> None:
    fill(world, "a", 2)
    answer = world.ask("GET", "things", "$top=0")
    assert (answer.json["value"], continuation_of(answer)) == ([], None)


# --- what a page costs --------------------------------------------------------------------------------------------


def counted(world: TableWorld, monkeypatch: pytest.MonkeyPatch, text: str) -> tuple[list[tuple[str, str]], int]:
    """What a filter finds, and how many entities were looked at for that."""
    looked_at = 0
    original = queries._scan

    def scan(*args: object) -> Iterator[tuple[bytes, bytes]]:
        nonlocal looked_at
        for pair in original(*args):  # type: ignore[arg-type]  # passed through as they are
            looked_at += 1
            yield pair

    monkeypatch.setattr(queries, "_scan", scan)
    return world.rows(text=text), looked_at


@pytest.mark.parametrize(
    ("text", "found", "looked_at"),
    [
        ("PartitionKey eq 'b' and RowKey eq '003'", 1, 1),
        ("RowKey eq '003' and PartitionKey eq 'b'", 1, 1),
        ("'b' eq PartitionKey and ('003' eq RowKey)", 1, 1),
        ("PartitionKey eq 'b' and RowKey eq '003' and n eq 4", 0, 1),
        ("PartitionKey eq 'b'", 10, 10),
        ("PartitionKey eq 'b' and RowKey ge '003' and RowKey lt '005'", 2, 2),
        ("PartitionKey eq 'b' and RowKey gt '003' and RowKey le '005'", 2, 2),
        ("PartitionKey gt 'b'", 10, 10),
        ("PartitionKey ge 'b'", 20, 20),
        ("PartitionKey lt 'b'", 10, 10),
        ("PartitionKey le 'b'", 20, 20),
        ("PartitionKey gt 'a' and PartitionKey lt 'c'", 10, 10),
        ("PartitionKey eq 'b' and (RowKey eq '003' or RowKey eq '005')", 2, 2),
        ("(PartitionKey eq 'a' and RowKey eq '003') or (PartitionKey eq 'c' and RowKey eq '005')", 2, 2),
        ("PartitionKey eq 'a' or PartitionKey eq 'c'", 20, 20),
        ("PartitionKey eq 'a' and PartitionKey eq 'c'", 0, 0),
        ("PartitionKey eq 'a' and false", 0, 0),
        ("PartitionKey eq 'b' and n ge 8", 2, 10),
        ("PartitionKey eq 'x'", 0, 0),
        ("RowKey eq '003'", 3, 30),
        ("n eq 3", 3, 30),
        ("PartitionKey ne 'b'", 20, 30),
        ("not (PartitionKey eq 'b')", 20, 30),
        ("PartitionKey eq 'b' or n eq 3", 12, 30),
    ],
)
def test_keys_in_a_filter_are_ranges(
    world: TableWorld, monkeypatch: pytest.MonkeyPatch, text: str, found: int, looked_at: int
) -> None:
    fill(world, "abc", 10)
    keys, count = counted(world, monkeypatch, text)
    assert (len(keys), count) == (found, looked_at)
    assert keys == sorted(keys)


def test_ranges_that_overlap_give_each_entity_once(world: TableWorld) -> None:
    keys = fill(world, "abc", 4)
    ranges = (
        "PartitionKey ge 'a' and PartitionKey le 'b'",
        "PartitionKey ge 'b'",
        "PartitionKey eq 'c' and RowKey eq '001'",
    )
    assert world.rows(text=" or ".join(f"({text})" for text in ranges)) == keys


@pytest.mark.parametrize("character", ["z", "😀"])
def test_literals_that_are_longer_than_any_key(world: TableWorld, character: str) -> None:
    longest = character * (1024 // (2 if character > "\uffff" else 1))
    longer = longest + character
    keys = [("a", "a"), (longest, longest)]
    for partition, row in keys:
        world.insert(partition=partition, row=row)
    for name in ("PartitionKey", "RowKey"):
        for operator, expected in (("lt", keys), ("le", keys), ("ne", keys), ("eq", []), ("gt", []), ("ge", [])):
            assert world.rows(text=f"{name} {operator} '{longer}'") == expected
        for operator, expected in (("lt", keys[:1]), ("le", keys), ("eq", keys[1:]), ("gt", []), ("ge", keys[1:])):
            assert world.rows(text=f"{name} {operator} '{longest}'") == expected


def test_a_page_goes_on_within_the_ranges_of_its_filter(world: TableWorld) -> None:
    fill(world, "abc", 4)
    pages = world.pages(text="PartitionKey eq 'a' or PartitionKey eq 'c'", query="$top=3")
    assert [[item["PartitionKey"] + item["RowKey"] for item in page] for page in pages] == [
        ["a000", "a001", "a002"],
        ["a003", "c000", "c001"],
        ["c002", "c003"],
    ]


def test_a_filter_that_finds_nothing_ends_its_pages_early(world: TableWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "STEPS_MAX", 8)
    keys = fill(world, "ab", 10)
    pages = world.pages(text="n eq 99")
    assert [len(page) for page in pages] == [0, 0, 0]
    assert world.rows(text="n ge 0") == keys


def test_a_page_gathers_so_many_bytes(world: TableWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "BYTES_MAX", 1000)
    for number in range(5):
        world.insert(row=str(number), a="x" * 600)
    assert [len(page) for page in world.pages()] == [2, 2, 1]


def test_the_text_of_a_filter_is_decoded_once(world: TableWorld) -> None:
    world.insert(partition="a+b %25&=é")
    text = quote("PartitionKey eq 'a+b %25&=é'", safe="")
    assert len(world.ask("GET", "things", f"$filter={text}").json["value"]) == 1
    plus = "PartitionKey+eq+'a%2Bb+%2525%26%3D%C3%A9'"
    assert len(world.ask("GET", "things", f"$filter={plus}").json["value"]) == 1
