"""Where randomness comes from in a running server.

Lock tokens make a UUID per delivered message, and a system call for each would cost more than the UUID: random bytes
are drawn from the operating system a pool at a time, and no byte is given out twice.
"""

from __future__ import annotations

import os
from uuid import UUID

POOL_BYTES = 4096
"""Bytes drawn at a time: 256 UUIDs a system call."""

_VERSION_MASK = ~((0xF000 << 64) | (0xC000 << 48))
_VERSION_BITS = (0x4000 << 64) | (0x8000 << 48)
"""Version 4 and the variant of RFC 9562, section 5.4."""


class SystemEntropy:
    """The operating system's randomness, as `localzure.services.interface.Entropy`."""

    __slots__ = ("_pool", "_used")

    def __init__(self) -> None:
        self._pool = b""
        self._used = 0

    def uuid(self) -> UUID:
        """A random UUID, version 4."""
        number = int.from_bytes(self.bytes(16), "big")
        return UUID(int=number & _VERSION_MASK | _VERSION_BITS)

    def bytes(self, count: int) -> bytes:
        """`count` random bytes, of which none is given out again."""
        if count > POOL_BYTES:
            return os.urandom(count)
        start = self._used
        if start + count > len(self._pool):
            self._pool, start = os.urandom(POOL_BYTES), 0
        self._used = start + count
        return self._pool[start : start + count]
