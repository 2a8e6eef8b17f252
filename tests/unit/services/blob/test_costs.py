"""What costs the same whatever the size, counted in records that are read or written: no machine's speed decides."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from localzure.server.transactions import TickTransactions
from localzure_storage.store import Reader, Writer
from tests.blob_world import BlobWorld

FEW, MANY = 30, 300


class Counting:
    """A view of the store, or a transaction, that counts what goes through it."""

    touched = 0

    def __init__(self, inner: Writer) -> None:
        self._inner = inner

    def get(self, key: bytes) -> bytes | None:
        Counting.touched += 1
        return self._inner.get(key)

    def scan(
        self, start: bytes, stop: bytes, *, reverse: bool = False, limit: int | None = None
    ) -> Iterator[tuple[bytes, bytes]]:
        for item in self._inner.scan(start, stop, reverse=reverse, limit=limit):
            Counting.touched += 1
            yield item

    def put(self, key: bytes, value: bytes) -> None:
        Counting.touched += 1
        self._inner.put(key, value)

    def delete(self, key: bytes) -> bool:
        Counting.touched += 1
        return self._inner.delete(key)


@pytest.fixture(autouse=True)
def counted(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("reader", "writer"):
        monkeypatch.setattr(TickTransactions, name, counting(getattr(TickTransactions, name)))


def counting(open_: Callable[[TickTransactions], object]) -> Callable[[TickTransactions], object]:
    @contextmanager
    def opened(transactions: TickTransactions) -> Iterator[Reader]:
        with open_(transactions) as inner:  # type: ignore[attr-defined]  # both are context managers
            yield Counting(inner)

    return opened


def cost(world: BlobWorld, method: str, path: str, query: str = "", **headers: str) -> int:
    """Records that a request touches."""
    Counting.touched = 0
    answer = world.ask(method, path, query, {name.replace("_", "-"): value for name, value in headers.items()})
    assert answer.status < 300, answer
    return Counting.touched


def filled(count: int, *, blocks: int = 3) -> BlobWorld:
    world = BlobWorld()
    world.container()
    for number in range(count):
        world.put(f"box/dir{number % 10}/{number:05}")
    for number in range(blocks):
        world.stage("box/dir5/large", str(number), b"x" * 5000)
    world.commit("box/dir5/large", *map(str, range(blocks)))
    return world


@pytest.mark.parametrize(
    "query",
    [
        "&maxresults=5",
        "&maxresults=5&delimiter=/",
        "&prefix=dir7/&maxresults=5",
        "&prefix=dir9/0&delimiter=/&maxresults=5",
    ],
)
def test_a_page_costs_what_it_shows(query: str) -> None:
    few, many = filled(FEW), filled(MANY)
    costs = [cost(world, "GET", "box", f"restype=container&comp=list{query}") for world in (few, many)]
    assert max(costs) <= 30
    assert costs[1] <= costs[0] + 5, "no more than a full page in the larger container"


def test_deleting_a_container_costs_the_same_whatever_is_in_it() -> None:
    assert cost(filled(FEW), "DELETE", "box", "restype=container") == cost(
        filled(MANY), "DELETE", "box", "restype=container"
    )


def test_a_step_of_the_sweep_is_bounded_whatever_is_left() -> None:
    world = filled(MANY)
    world.ask("DELETE", "box", "restype=container")
    steps = []
    more = True
    while more:
        Counting.touched = 0
        with world.transactions.writer() as writer:
            more = world.service.sweep(writer, 20)
        world.transactions.commit()
        steps.append(Counting.touched)
    assert len(steps) > MANY / 20
    assert max(steps) <= 120


@pytest.mark.parametrize("how", ["copy", "snapshot"])
def test_a_copy_costs_the_same_whatever_its_length(how: str) -> None:
    def copied(world: BlobWorld) -> int:
        if how == "snapshot":
            return cost(world, "PUT", "box/dir5/large", "comp=snapshot")
        return cost(world, "PUT", "box/copy", x_ms_copy_source="http://127.0.0.1:10000/devstoreaccount1/box/dir5/large")

    assert copied(filled(1, blocks=2)) == copied(filled(1, blocks=200)) <= 20


def test_reading_a_range_costs_what_it_reads() -> None:
    world = filled(1, blocks=500)
    assert cost(world, "GET", "box/dir5/large", x_ms_range="bytes=2400000-2400100") <= 12
