"""Leases of blobs and containers, in time."""

from __future__ import annotations

import pytest

from localzure.services.interface import SECOND
from tests.blob_world import BlobWorld
from tests.storage_world import Answer

A = "00000000-1111-2222-3333-444444444444"
B = "99999999-1111-2222-3333-444444444444"


@pytest.fixture
def world() -> BlobWorld:
    world = BlobWorld()
    world.container()
    world.put("box/one")
    return world


def act(world: BlobWorld, action: str, lease: str = "", path: str = "box/one", **more: str) -> Answer:
    headers = {"x-ms-lease-action": action}
    if lease:
        headers["x-ms-proposed-lease-id" if action == "acquire" else "x-ms-lease-id"] = lease
    if action == "acquire":
        headers["x-ms-lease-duration"] = "15"
    headers |= {f"x-ms-{name.replace('_', '-')}": value for name, value in more.items()}
    query = "comp=lease" if "/" in path else "restype=container&comp=lease"
    return world.ask("PUT", path, query, headers)


def enter(world: BlobWorld, state: str) -> None:
    """Bring the blob's lease, of the id A, into a state."""
    if state == "available":
        return
    assert act(world, "acquire", A).status == 201
    if state == "expired":
        world.clock.advance(15 * SECOND)
    elif state in {"breaking", "broken"}:
        assert act(world, "break").headers["x-ms-lease-time"] == "15"
        if state == "broken":
            world.clock.advance(15 * SECOND)
    assert world.ask("HEAD", "box/one").headers["x-ms-lease-state"] == state


MISMATCH = "LeaseIdMismatchWithLeaseOperation"
ABSENT = "LeaseNotPresentWithLeaseOperation"


@pytest.mark.parametrize(
    ("state", "action", "lease", "outcome"),
    [
        ("available", "acquire", A, "leased"),
        ("leased", "acquire", A, "leased"),
        ("leased", "acquire", B, "LeaseAlreadyPresent"),
        ("expired", "acquire", B, "leased"),
        ("breaking", "acquire", A, "LeaseIsBreakingAndCannotBeAcquired"),
        ("breaking", "acquire", B, "LeaseAlreadyPresent"),
        ("broken", "acquire", B, "leased"),
        ("available", "renew", A, MISMATCH),
        ("leased", "renew", A, "leased"),
        ("leased", "renew", B, MISMATCH),
        ("expired", "renew", A, "leased"),
        ("breaking", "renew", A, "LeaseIsBrokenAndCannotBeRenewed"),
        ("broken", "renew", A, "LeaseIsBrokenAndCannotBeRenewed"),
        ("broken", "renew", B, MISMATCH),
        ("available", "release", A, MISMATCH),
        ("leased", "release", A, "available"),
        ("leased", "release", B, MISMATCH),
        ("expired", "release", A, "available"),
        ("breaking", "release", A, "available"),
        ("broken", "release", A, "available"),
        ("available", "break", "", ABSENT),
        ("leased", "break", "", "breaking"),
        ("expired", "break", "", "broken"),
        ("breaking", "break", "", "breaking"),
        ("broken", "break", "", "broken"),
    ],
)
def test_actions(world: BlobWorld, state: str, action: str, lease: str, outcome: str) -> None:
    enter(world, state)
    answer = act(world, action, lease)
    if answer.status >= 400:
        assert answer.code == outcome
    else:
        assert world.ask("HEAD", "box/one").headers["x-ms-lease-state"] == outcome


@pytest.mark.parametrize(
    ("state", "outcome"),
    [
        ("available", ABSENT),
        ("leased", ""),
        ("expired", ABSENT),
        ("breaking", "LeaseIsBreakingAndCannotBeChanged"),
        ("broken", ABSENT),
    ],
)
def test_change(world: BlobWorld, state: str, outcome: str) -> None:
    enter(world, state)
    answer = act(world, "change", A, proposed_lease_id=B)
    assert answer.code == outcome
    if not outcome:
        assert answer.headers["x-ms-lease-id"] == B
        assert act(world, "change", A, proposed_lease_id=B).status == 200
        assert act(world, "release", A).code == MISMATCH


def test_breaking_takes_the_shorter_of_period_and_rest(world: BlobWorld) -> None:
    act(world, "acquire", A)
    assert act(world, "break", lease_break_period="5").headers["x-ms-lease-time"] == "5"
    assert act(world, "break", lease_break_period="60").headers["x-ms-lease-time"] == "5"
    assert act(world, "break", lease_break_period="0").headers["x-ms-lease-time"] == "0"


def test_a_lease_without_an_end_breaks_at_once(world: BlobWorld) -> None:
    assert act(world, "acquire", A, lease_duration="-1").status == 201
    assert world.ask("HEAD", "box/one").headers["x-ms-lease-duration"] == "infinite"
    assert act(world, "break").headers["x-ms-lease-time"] == "0"


@pytest.mark.parametrize("lease", ["", A, B])
@pytest.mark.parametrize("state", ["available", "leased", "expired", "breaking", "broken"])
def test_writes(world: BlobWorld, state: str, lease: str) -> None:
    enter(world, state)
    is_held = state in {"leased", "breaking"}
    expected = {
        "": "LeaseIdMissing" if is_held else "",
        A: "" if is_held else "LeaseLost" if state != "available" else "LeaseNotPresentWithBlobOperation",
        B: "LeaseNotPresentWithBlobOperation" if state == "available" else "LeaseIdMismatchWithBlobOperation",
    }
    headers = {"x-ms-lease-id": lease} if lease else {}
    assert world.ask("PUT", "box/one", "comp=metadata", headers).code == expected[lease]
    if not lease and not is_held:
        assert world.ask("HEAD", "box/one").headers["x-ms-lease-state"] == "available"


def test_an_overwrite_keeps_the_lease(world: BlobWorld) -> None:
    enter(world, "leased")
    assert world.put("box/one", headers={"x-ms-lease-id": A}).status == 201
    assert world.put("box/one", headers={"x-ms-lease-id": A, "if-none-match": "*"}).status == 201
    assert world.put("box/one").code == "LeaseIdMissing"
    assert world.get("box/one", {"x-ms-lease-id": B}).code == "LeaseIdMismatchWithBlobOperation"


def test_a_container_with_a_lease_is_not_deleted_without_it(world: BlobWorld) -> None:
    assert act(world, "acquire", A, path="box").status == 201
    assert world.ask("DELETE", "box", "restype=container").code == "LeaseIdMissing"
    assert world.ask("PUT", "box", "restype=container&comp=metadata").status == 200
    other = world.ask("PUT", "box", "restype=container&comp=metadata", {"x-ms-lease-id": B})
    assert other.code == "LeaseIdMismatchWithContainerOperation"
    assert world.ask("DELETE", "box", "restype=container", {"x-ms-lease-id": A}).status == 202


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"x-ms-lease-action": "acquire"}, "MissingRequiredHeader"),
        ({"x-ms-lease-action": "acquire", "x-ms-lease-duration": "14"}, "InvalidHeaderValue"),
        ({"x-ms-lease-action": "acquire", "x-ms-lease-duration": "61"}, "InvalidHeaderValue"),
        ({"x-ms-lease-action": "acquire", "x-ms-lease-duration": "1x"}, "InvalidHeaderValue"),
        ({"x-ms-lease-action": "renew", "x-ms-lease-id": "no guid"}, "InvalidHeaderValue"),
        ({"x-ms-lease-action": "renew"}, "MissingRequiredHeader"),
        ({"x-ms-lease-action": "change", "x-ms-lease-id": A}, "MissingRequiredHeader"),
        ({"x-ms-lease-action": "break", "x-ms-lease-break-period": "61"}, "InvalidHeaderValue"),
        ({"x-ms-lease-action": "keep"}, "InvalidHeaderValue"),
    ],
)
def test_bad_requests(world: BlobWorld, headers: dict[str, str], code: str) -> None:
    assert world.ask("PUT", "box/one", "comp=lease", headers).code == code
