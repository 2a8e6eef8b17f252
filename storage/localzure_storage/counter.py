"""Numbers that are given once: what a store keeps of them is the last."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localzure_storage.store import Writer


class Counter:
    """Gives 1, 2, 3, … from a key of its own."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        self._key = key

    def __call__(self, writer: Writer) -> int:
        """Give a number that was not given before in this store. Raises StorageError."""
        last = writer.get(self._key)
        number = (0 if last is None else int.from_bytes(last, "big")) + 1
        writer.put(self._key, number.to_bytes(8, "big"))
        return number
