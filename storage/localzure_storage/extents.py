"""Large content: immutable, reference-counted runs of bytes, kept in chunks.

The life of an extent:

1. `create` gives an id and pins it. Its maker appends to it, each time in whatever transaction is open then.
2. A record that names the extent counts as a reference: `retain` in the transaction that writes the record, `release`
   in the one that removes it. Staging a block, copying a blob and taking a snapshot are a `retain`, never a copy.
   Once retained it can no longer be appended to.
3. The maker lets go with `unpin` when the upload has ended, well or not.
4. `sweep` frees, in bounded steps, what has neither a reference nor a pin.

References are part of the transactions and so survive or vanish with them. Pins are in memory: who reads an extent over
several transactions, as a slow download does, pins it meanwhile, and a crash lets go of all pins. So an upload that
died, a create whose transaction was undone and a delete before a crash all end alike: no reference, no pin, swept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NewType

if TYPE_CHECKING:
    from localzure_storage.keys import Subspace
    from localzure_storage.store import Reader, Writer

ExtentId = NewType("ExtentId", int)
"""Names an extent. Not negative; never given twice while anything could still refer to the first."""


class Extents:
    """The extents of one key space. One instance per store: it holds the pins."""

    def __init__(self, space: Subspace) -> None:
        raise NotImplementedError

    def create(self, writer: Writer) -> ExtentId:
        """Begin an empty extent, without references, pinned once: owe it one `unpin`, even if the transaction fails."""
        raise NotImplementedError

    def append(self, writer: Writer, extent: ExtentId, data: bytes | memoryview) -> None:
        """Add `data` at the end. Cheapest from 64 KiB a call; the caller bounds the size of a step.

        Raises KeyError when there is no such extent, ValueError once it has been retained.
        """
        raise NotImplementedError

    def size(self, reader: Reader, extent: ExtentId) -> int:
        """Return the bytes in the extent. Raises KeyError when there is no such extent."""
        raise NotImplementedError

    def read(self, reader: Reader, extent: ExtentId, offset: int, length: int) -> bytes:
        """Return up to `length` bytes from `offset`: fewer only at the extent's end. Raises KeyError as `size` does."""
        raise NotImplementedError

    def retain(self, writer: Writer, extent: ExtentId) -> None:
        """Count one more reference. Raises KeyError when there is no such extent."""
        raise NotImplementedError

    def release(self, writer: Writer, extent: ExtentId) -> None:
        """Count one reference less; with the last the extent is left to `sweep`. Raises KeyError as `retain` does."""
        raise NotImplementedError

    def pin(self, extent: ExtentId) -> None:
        """Keep the extent from being swept until `unpin`, or the end of the process. Pins count."""
        raise NotImplementedError

    def unpin(self, extent: ExtentId) -> None:
        """Let go of one pin."""
        raise NotImplementedError

    def sweepable(self, reader: Reader) -> bool:
        """Tell whether `sweep` has anything to do."""
        raise NotImplementedError

    def sweep(self, writer: Writer, budget: int) -> bool:
        """Free what nobody refers to or pins, about `budget` pages of 4 KiB at most; True while there is more."""
        raise NotImplementedError
