"""The system's randomness and its seeded twin."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from localzure.server.entropy import POOL_BYTES, SystemEntropy
from tests.twins import SeededEntropy

if TYPE_CHECKING:
    from localzure.services.interface import Entropy


@pytest.mark.parametrize("entropy", [SystemEntropy(), SeededEntropy(1)])
def test_uuids_are_random_ones_and_never_the_same(entropy: Entropy) -> None:
    uuids = [entropy.uuid() for _ in range(POOL_BYTES // 4)]
    assert len(set(uuids)) == len(uuids)
    assert {(one.version, one.variant) for one in uuids} == {(4, "specified in RFC 4122")}


@pytest.mark.parametrize("entropy", [SystemEntropy(), SeededEntropy(1)])
@pytest.mark.parametrize("count", [0, 1, 16, POOL_BYTES - 1, POOL_BYTES, POOL_BYTES + 1])
def test_bytes_are_as_many_as_asked(entropy: Entropy, count: int) -> None:
    assert len(entropy.bytes(count)) == count


def test_no_byte_of_the_pool_is_given_out_twice() -> None:
    entropy = SystemEntropy()
    pieces = [entropy.bytes(count) for count in [1000, 1000, 1000, 1000, 1000, 4096, 16, 5000, 16] * 10]
    windows = [piece[at : at + 16] for piece in pieces for at in range(0, len(piece) - 15, 16)]
    assert len(set(windows)) == len(windows)


def test_a_seed_gives_the_same_again() -> None:
    one, same, other = SeededEntropy(7), SeededEntropy(7), SeededEntropy(8)
    assert [one.uuid(), one.bytes(9)] == [same.uuid(), same.bytes(9)]
    assert one.uuid() != other.uuid()
