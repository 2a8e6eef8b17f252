"""Sweeping what deletes leave behind, in bounded steps."""

from __future__ import annotations

import pytest

from localzure.services.blob.engine import remains
from tests.blob_world import BlobWorld


@pytest.fixture
def world() -> BlobWorld:
    world = BlobWorld()
    world.container()
    return world


def step(world: BlobWorld, budget: int) -> bool:
    with world.transactions.writer() as writer:
        more = world.service.sweep(writer, budget)
    world.transactions.commit()
    return more


def blobs(world: BlobWorld) -> int:
    return sum(key.startswith(b"\x02blob\x00\x02b\x00") for key in world.stored_keys())


def test_there_is_nothing_to_sweep(world: BlobWorld) -> None:
    assert not step(world, 10)


def test_a_container_goes_a_few_blobs_at_a_time(world: BlobWorld) -> None:
    for number in range(25):
        world.put(f"box/{number}")
    world.ask("DELETE", "box", "restype=container")
    left = [25]
    while step(world, 10):
        left.append(blobs(world))
    assert left[:4] == [25, 15, 5, 0]
    assert len(world.stored_keys()) == 1


@pytest.mark.parametrize("at_once", [0, 64])
@pytest.mark.parametrize("budget", [1, 2, 3, 7, 64, 10_000])
def test_any_budget_frees_everything(
    world: BlobWorld, monkeypatch: pytest.MonkeyPatch, budget: int, at_once: int
) -> None:
    monkeypatch.setattr(remains, "RELEASED_AT_ONCE_MAX", at_once)
    for number in range(5):
        world.put(f"box/inline{number}")
        world.put(f"box/extent{number}", b"x" * 10_000)
        for block in range(7):
            world.stage(f"box/list{number}", str(block), b"y" * 5000)
        world.commit(f"box/list{number}", *map(str, range(4)))
        world.stage(f"box/list{number}", "w", b"waits")
        world.stage(f"box/uncommitted{number}", "w", b"waits")
    world.ask("DELETE", "box", "restype=container")
    steps = 0
    while step(world, budget):
        steps += 1
        assert steps < 1000
    world.sweep()
    assert len(world.stored_keys()) == 1


@pytest.mark.parametrize("budget", [3, 64])
def test_a_crash_between_two_steps_frees_nothing_twice(world: BlobWorld, budget: int) -> None:
    world.container("keep")
    for box in ("box", "keep"):
        for block in range(9):
            world.stage(f"{box}/list", str(block), bytes([block]) * 5000)
        world.commit(f"{box}/list", *map(str, range(9)))
    kept = world.get("keep/list").body
    world.ask("DELETE", "box", "restype=container")
    more = True
    while more:
        more = step(world, budget)
        world.start()
    world.sweep()
    assert world.get("keep/list").body == kept
    world.ask("DELETE", "keep", "restype=container")
    world.sweep()
    assert len(world.stored_keys()) == 1
