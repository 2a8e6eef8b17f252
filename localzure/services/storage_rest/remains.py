"""What deleted queues and tables leave behind, and sweeping it in bounded steps.

A delete notes the number of what is gone in its own transaction and is done. `sweep` takes the notes up, some records
at a time; each step is a transaction of its own, so a crash in between loses nothing and frees nothing twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from localzure_storage.counter import Counter
    from localzure_storage.keys import Subspace
    from localzure_storage.store import Writer

_NOTES_READ = 64
"""Notes that one step looks at."""


class Keys(Protocol):
    """The key space of a service."""

    remains: Subspace
    """Number of a note → number of what is gone."""
    next_number: Counter

    def remains_of(self, number: int) -> bytes:
        """The key of a note."""
        ...


def leave(keys: Keys, writer: Writer, gone: int) -> bytes:
    """Note the number of what nobody can reach any more; returns the key of the note."""
    key = keys.remains_of(keys.next_number(writer))
    writer.put(key, gone.to_bytes(8, "big"))
    return key


def sweep(keys: Keys, writer: Writer, budget: int, free: Callable[[int, int], tuple[int, bool]]) -> bool:
    """Free at most about `budget` records; True while there may be more that can be freed.

    `free` takes the number of what is gone and the budget, and returns how many records it freed and whether those
    were the last.
    """
    has_freed = False
    for note, gone in list(writer.scan(*keys.remains.range(), limit=_NOTES_READ)):
        if budget <= 0:
            break
        freed, was_all = free(int.from_bytes(gone, "big"), budget)
        if was_all:
            writer.delete(note)
        budget -= freed + 1
        has_freed = True
    return has_freed
