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
        return self.space_of(name, self._number(reader, name))

    def renew(self, writer: Writer, name: str) -> None:
        """Give the service an empty space, and leave the old one to be swept."""
        self.adopt(writer, name, self.prepare(writer, name))

    def prepare(self, writer: Writer, name: str) -> int:
        """Return the number of an empty space for the service, which is swept unless it is adopted.

        It must not be swept while it is filled.
        """
        taken = [self._number(writer, name)]
        taken += [int(self._over.unpack(key)[1]) for key, _ in writer.scan(*self._over.range(name))]
        number = max(taken) + 1
        writer.put(self._over.pack(name, number), b"")
        return number

    def adopt(self, writer: Writer, name: str, number: int) -> None:
        """Let a space that was prepared be the service's, and leave the old one to be swept."""
        writer.put(self._over.pack(name, self._number(writer, name)), b"")
        writer.delete(self._over.pack(name, number))
        writer.put(self._numbers.pack(name), number.to_bytes(8, "big"))

    def sweep(self, writer: Writer, budget: int) -> bool:
        """Delete at most about `budget` records of spaces that are over; True while there are more."""
        for note, _ in list(writer.scan(*self._over.range(), limit=1)):
            name, number = self._over.unpack(note)
            assert isinstance(number, int), "what renew wrote"
            records = [key for key, _ in writer.scan(*self.space_of(str(name), number).range(), limit=budget)]
            for key in records:
                writer.delete(key)
            if len(records) < budget:
                writer.delete(note)
            return True
        return False

    def _number(self, reader: Reader, name: str) -> int:
        return int.from_bytes(reader.get(self._numbers.pack(name)) or b"", "big")

    def space_of(self, name: str, number: int) -> Subspace:
        """Return the space of the service that has this number."""
        return self._root.subspace("later", name, number) if number else self._root.subspace(name)
