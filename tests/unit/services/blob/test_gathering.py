"""Sources of copies that are read in steps: what lies in many blocks, and what has sums to be checked."""

from __future__ import annotations

import hashlib
from base64 import b64encode

import pytest

from localzure.gateway.address import resolve
from localzure.services.interface import LaterReply, ServiceError
from tests.blob_world import BlobWorld
from tests.twins import SeededEntropy

SOURCE = "http://127.0.0.1:10000/devstoreaccount1/box/source"
STEP = 256 * 1024
BODY = SeededEntropy(7).bytes(3 * STEP + 1000)


@pytest.fixture
def world() -> BlobWorld:
    world = BlobWorld()
    world.container()
    third = len(BODY) // 3
    for number in range(3):
        stop = len(BODY) if number == 2 else (number + 1) * third
        world.stage("box/source", str(number), BODY[number * third : stop])
    world.commit("box/source", "0", "1", "2")
    world.put("box/whole", BODY)
    return world


def md5(body: bytes) -> str:
    return b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()


def take(world: BlobWorld, source: str = SOURCE, **headers: str) -> str:
    """Stage the source as a block and commit it; returns the code of what went wrong."""
    sent = {"x-ms-copy-source": source, **{name.replace("_", "-"): value for name, value in headers.items()}}
    answer = world.ask("PUT", "box/taken", "comp=block&blockid=YQ%3D%3D", sent)
    if answer.status == 201:
        body = b"<BlockList><Latest>YQ==</Latest></BlockList>"
        assert world.ask("PUT", "box/taken", "comp=blocklist", body=body).status == 201
    return answer.code


def test_many_blocks_are_copied_in_steps(world: BlobWorld) -> None:
    assert take(world) == ""
    assert world.get("box/taken").body == BODY
    assert world.steps >= len(BODY) / STEP


def test_a_range_of_many_blocks(world: BlobWorld) -> None:
    assert take(world, x_ms_source_range=f"bytes=1000-{2 * STEP}") == ""
    assert world.get("box/taken").body == BODY[1000 : 2 * STEP + 1]


@pytest.mark.parametrize("name", ["source", "whole"])
def test_sums_are_checked_in_steps(world: BlobWorld, name: str) -> None:
    source = SOURCE.replace("source", name)
    assert take(world, source, x_ms_source_content_md5=md5(BODY)) == ""
    assert world.get("box/taken").body == BODY
    assert world.steps >= len(BODY) / STEP
    assert take(world, source, x_ms_source_content_md5=md5(BODY[1:])) == "Md5Mismatch"


def test_one_extent_is_shared_at_once(world: BlobWorld) -> None:
    assert take(world, SOURCE.replace("source", "whole")) == ""
    assert world.steps == 0


def test_a_copy_whose_source_has_sums(world: BlobWorld) -> None:
    headers = {"x-ms-copy-source": SOURCE, "x-ms-requires-sync": "true", "x-ms-source-content-md5": md5(BODY)}
    assert world.ask("PUT", "box/copy", headers=headers).status == 202
    assert world.get("box/copy").body == BODY
    headers["x-ms-source-content-md5"] = md5(b"other")
    assert world.ask("PUT", "box/copy", headers=headers).code == "Md5Mismatch"


def test_a_source_that_is_overwritten_meanwhile(world: BlobWorld) -> None:
    headers = {"x-ms-copy-source": SOURCE, "x-ms-requires-sync": "true", "x-ms-source-content-md5": md5(BODY)}
    request = world.describe("PUT", "box/copy", headers=headers)
    _, address = resolve("blob", request)
    reply = world.service.accept(request, address).finish()
    assert isinstance(reply, LaterReply)
    world.work()
    world.put("box/source", b"new")
    with pytest.raises(ServiceError, match="SourceConditionNotMet"):
        world.wait(reply)
    assert world.get("box/copy").status == 404


def test_a_range_keeps_its_bytes_when_the_source_is_overwritten(world: BlobWorld) -> None:
    request = world.describe(
        "PUT", "box/taken", "comp=block&blockid=YQ%3D%3D", {"x-ms-copy-source": SOURCE, "content-length": "0"}
    )
    _, address = resolve("blob", request)
    reply = world.service.accept(request, address).finish()
    world.work()
    world.put("box/source", b"new")
    world.sweep()
    assert world.settle(request, world.wait(reply)).status == 201
    world.ask("PUT", "box/taken", "comp=blocklist", body=b"<BlockList><Latest>YQ==</Latest></BlockList>")
    assert world.get("box/taken").body == BODY


def test_a_client_that_went_away_leaves_nothing(world: BlobWorld) -> None:
    world.sweep()
    before = len(world.stored_keys())
    request = world.describe("PUT", "box/taken", "comp=block&blockid=YQ%3D%3D", {"x-ms-copy-source": SOURCE})
    _, address = resolve("blob", request)
    reply = world.service.accept(request, address).finish()
    assert isinstance(reply, LaterReply)
    world.work()
    reply.lost()
    while world.alarm.is_set:
        world.work()
    assert world.steps == 2, "the second one finds that nobody waits"
    world.sweep()
    assert len(world.stored_keys()) == before
    world.ask("DELETE", "box", "restype=container")
    world.sweep()
    assert len(world.stored_keys()) == 1


def test_jobs_take_turns(world: BlobWorld) -> None:
    done: list[int] = []
    for number in range(2):
        request = world.describe(
            "PUT", f"box/taken{number}", "comp=block&blockid=YQ%3D%3D", {"x-ms-copy-source": SOURCE}
        )
        _, address = resolve("blob", request)
        reply = world.service.accept(request, address).finish()
        assert isinstance(reply, LaterReply)
        reply.then(lambda make: done.append(make().status))
    while world.alarm.is_set:
        world.work()
    assert done == [201, 201]
    assert world.steps == 2 * -(-len(BODY) // STEP)
