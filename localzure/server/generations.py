"""Which part of the store a service has: one that a reset exchanges for an empty one, in one write.

A service begins in the space of its own name. A reset gives it a new, empty space, and notes the old one to be swept in
bounded steps. So it is empty at once, however much it held, and what still refers to the old space never meets the new
one. For services that hold no extents: nobody would let go of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localzure_storage.keys import Subspace
    from localzure_storage.store import Reader, Writer


class Generations:
    """The spaces of the services in one store."""

    def __init__(self, root: Subspace) -> None:
        """`root` is the whole key space."""
        self._root = root
        self._numbers = root.subspace("generation")
        self._over = root.subspace("over")

    def space(self, reader: Reader, name: str) -> Subspace:
        """Return the space of the service `name`."""
        return self._space(name, self._number(reader, name))

    def renew(self, writer: Writer, name: str) -> None:
        """Give the service an empty space, and leave the old one to be swept."""
        number = self._number(writer, name)
        writer.put(self._over.pack(name, number), b"")
        writer.put(self._numbers.pack(name), (number + 1).to_bytes(8, "big"))

    def sweep(self, writer: Writer, budget: int) -> bool:
        """Delete at most about `budget` records of spaces that are over; True while there are more."""
        for note, _ in list(writer.scan(*self._over.range(), limit=1)):
            name, number = self._over.unpack(note)
            assert isinstance(number, int), "what renew wrote"
            records = [key for key, _ in writer.scan(*self._space(str(name), number).range(), limit=budget)]
            for key in records:
                writer.delete(key)
            if len(records) < budget:
                writer.delete(note)
            return True
        return False

    def _number(self, reader: Reader, name: str) -> int:
        return int.from_bytes(reader.get(self._numbers.pack(name)) or b"", "big")

    def _space(self, name: str, number: int) -> Subspace:
        return self._root.subspace("later", name, number) if number else self._root.subspace(name)
