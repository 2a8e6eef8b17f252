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

from struct import Struct
from typing import TYPE_CHECKING, NamedTuple, NewType

from localzure_storage.keys import INT_TAG, int_key, int_of

if TYPE_CHECKING:
    from localzure_storage.keys import Subspace
    from localzure_storage.store import Reader, Writer

ExtentId = NewType("ExtentId", int)
"""Names an extent. Not negative; never given twice while anything could still refer to the first."""

CHUNK_BYTES = 16 * 4080
"""The longest chunk, in whole pages of the disk store: a short range read loads one of these."""

_SMALL_CHUNK_BYTES = 4080
"""A last chunk under one page is filled up by the next append, so that many small ones do not stay."""

_SWEPT_RECORD_BYTES = 4096
"""What freeing a record counts at least against a sweep's budget: small ones cost their deletion, not their bytes."""

_STATE = Struct(">QQQ")
_CHUNK_KEY = Struct(">BqBq")


class _State(NamedTuple):
    """What is kept of an extent beside its chunks."""

    size: int
    last_chunk: int
    """The offset of the last chunk."""
    references: int


class Extents:
    """The extents of one key space. One instance per store: it holds the pins.

    Keys, below the space: ("kept", id) holds the state of an extent with references, ("loose", id) of one without,
    ("going", id) marks one that is being swept; ("chunk", id, offset) holds content.
    """

    def __init__(self, space: Subspace) -> None:
        self._kept = space.subspace("kept")
        self._loose = space.subspace("loose")
        self._going = space.subspace("going")
        self._chunks = space.subspace("chunk").prefix
        self._pins: dict[ExtentId, int] = {}
        self._last: int | None = None

    def create(self, writer: Writer, data: bytes | memoryview = b"") -> ExtentId:
        """Begin an extent with `data`, without references, pinned once. Owe it one `unpin`, even if the write fails."""
        if self._last is None:
            self._last = self._greatest(writer)
        self._last += 1
        extent = ExtentId(self._last)
        self.pin(extent)
        state = self._extend(writer, extent, _State(0, 0, 0), data)
        writer.put(int_key(self._loose.prefix, extent), _STATE.pack(*state))
        return extent

    def append(self, writer: Writer, extent: ExtentId, data: bytes | memoryview) -> None:
        """Add `data` at the end. Cheapest from 64 KiB a call; the caller bounds the size of a step.

        Raises KeyError when there is no such extent, ValueError once it has been retained.
        """
        state = self._state(writer, extent)
        if state.references:
            raise ValueError(f"extent {extent} is complete")
        state = self._extend(writer, extent, state, data)
        writer.put(int_key(self._loose.prefix, extent), _STATE.pack(*state))

    def size(self, reader: Reader, extent: ExtentId) -> int:
        """Return the bytes in the extent. Raises KeyError when there is no such extent."""
        return self._state(reader, extent).size

    def read(self, reader: Reader, extent: ExtentId, offset: int, length: int) -> bytes:
        """Return up to `length` bytes from `offset`: fewer only at the extent's end. Raises KeyError as `size` does."""
        end = min(offset + length, self._state(reader, extent).size)
        if offset < 0 or offset >= end:
            return b""
        before = reader.scan(self._chunk(extent, 0), self._chunk(extent, offset + 1), reverse=True, limit=1)
        (first, chunk) = next(before)
        inside = offset - int_of(first)
        if inside + end - offset <= len(chunk):
            return chunk[inside : inside + end - offset]
        pieces = [memoryview(chunk)[inside:]]
        for key, chunk in reader.scan(first + b"\x00", self._chunk(extent, end)):
            pieces.append(memoryview(chunk)[: end - int_of(key)])
        return b"".join(pieces)

    def retain(self, writer: Writer, extent: ExtentId) -> None:
        """Count one more reference. Raises KeyError when there is no such extent."""
        self._count(writer, extent, 1)

    def release(self, writer: Writer, extent: ExtentId) -> None:
        """Count one reference less; with the last the extent is left to `sweep`.

        Raises KeyError when there is no such extent, ValueError when it has no reference.
        """
        self._count(writer, extent, -1)

    def pin(self, extent: ExtentId) -> None:
        """Keep the extent from being swept until `unpin`, or the end of the process. Pins count."""
        self._pins[extent] = self._pins.get(extent, 0) + 1

    def unpin(self, extent: ExtentId) -> None:
        """Let go of one pin. Raises KeyError when there is none."""
        if self._pins[extent] == 1:
            del self._pins[extent]
        else:
            self._pins[extent] -= 1

    def sweep(self, writer: Writer, budget: int) -> bool:
        """Free about `budget` bytes at most that nobody refers to or pins; True while there is more to free."""
        wanted = budget // _SWEPT_RECORD_BYTES + 1
        going = [ExtentId(int_of(key)) for key, _ in writer.scan(*self._going.range(), limit=wanted)]
        for key, _ in writer.scan(*self._loose.range()):
            if len(going) >= wanted:
                break
            if (extent := ExtentId(int_of(key))) not in self._pins:
                going.append(extent)
        for extent in going:
            if budget <= 0:
                return True
            budget = self._free(writer, extent, budget)
        return budget <= 0 or len(going) >= wanted

    def _free(self, writer: Writer, extent: ExtentId, budget: int) -> int:
        """Free chunks of one extent, and what is left of it when they are gone; returns what is left of the budget."""
        writer.delete(int_key(self._loose.prefix, extent))
        freed: list[bytes] = []
        for key, chunk in writer.scan(self._chunk(extent, 0), self._chunk(extent, 2**63 - 1)):
            if budget <= 0:
                break
            freed.append(key)
            budget -= max(len(chunk), _SWEPT_RECORD_BYTES)
        for key in freed:
            writer.delete(key)
        if budget > 0:
            writer.delete(int_key(self._going.prefix, extent))
        else:
            writer.put(int_key(self._going.prefix, extent), b"")
        return budget - _SWEPT_RECORD_BYTES

    def _extend(self, writer: Writer, extent: ExtentId, state: _State, data: bytes | memoryview) -> _State:
        """Write `data` behind the content that `state` tells of, and return the new state."""
        if not data:
            return state
        at = state.size
        size = at + len(data)
        if 0 < at - state.last_chunk < _SMALL_CHUNK_BYTES:
            at = state.last_chunk
            data = b"".join((writer.get(self._chunk(extent, at)) or b"", data))
        view = memoryview(data)
        start = 0
        for start in range(0, len(view), CHUNK_BYTES):
            writer.put(self._chunk(extent, at + start), bytes(view[start : start + CHUNK_BYTES]))
        return _State(size, at + start, 0)

    def _count(self, writer: Writer, extent: ExtentId, change: int) -> None:
        state = self._state(writer, extent)
        references = state.references + change
        if references < 0:
            raise ValueError(f"extent {extent} has no reference to release")
        if not references:
            writer.delete(int_key(self._kept.prefix, extent))
        elif not state.references:
            writer.delete(int_key(self._loose.prefix, extent))
        home = self._kept if references else self._loose
        writer.put(int_key(home.prefix, extent), _STATE.pack(state.size, state.last_chunk, references))

    def _state(self, reader: Reader, extent: ExtentId) -> _State:
        record = reader.get(int_key(self._kept.prefix, extent)) or reader.get(int_key(self._loose.prefix, extent))
        if record is None:
            raise KeyError(extent)
        return _State._make(_STATE.unpack(record))

    def _chunk(self, extent: ExtentId, offset: int) -> bytes:
        return self._chunks + _CHUNK_KEY.pack(INT_TAG, extent, INT_TAG, offset)

    def _greatest(self, reader: Reader) -> int:
        """Return the greatest id in use, or -1."""
        homes = (self._kept, self._loose, self._going)
        last = [int_of(key) for home in homes for key, _ in reader.scan(*home.range(), reverse=True, limit=1)]
        return max(last, default=-1)
