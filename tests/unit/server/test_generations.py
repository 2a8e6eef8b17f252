"""A service's space is exchanged for an empty one in one write, and the old one goes in bounded steps."""

from __future__ import annotations

from localzure.server.generations import Generations
from localzure_storage.keys import Subspace
from localzure_storage.memory import MemoryStore


def test_a_renewed_space_is_empty_and_the_old_one_is_swept() -> None:
    store, generations = MemoryStore(), Generations(Subspace(b""))
    writer = store.begin()
    spaces = []
    for _ in range(3):
        space = generations.space(writer, "bus")
        spaces.append(space.prefix)
        assert list(writer.scan(*space.range())) == []
        for number in range(10):
            writer.put(space.pack("message", number), b"m")
        generations.renew(writer, "bus")
    kept = generations.space(writer, "bus").pack("message", 1)
    other = generations.space(writer, "business").pack("message", 1)
    writer.put(kept, b"new")
    writer.put(other, b"other")
    steps = 0
    while generations.sweep(writer, 4):
        steps += 1
    assert steps == 9
    assert writer.get(kept) == b"new"
    assert writer.get(other) == b"other"
    assert not any(list(writer.scan(prefix, prefix + b"\xff")) for prefix in spaces if not kept.startswith(prefix))
    assert generations.space(writer, "bus").pack("message", 1) == kept
    writer.commit()
