"""Which boot of the kernel this is: what tells a process that was killed from a machine that lost power."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

_LINUX_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_MACOS_BOOT_ID = b"kern.bootsessionuuid"


def boot_id() -> str | None:
    """Return an id that changes with every boot, of at most 36 characters; None where the system has none to give."""
    if sys.platform == "darwin":
        return _macos_boot_id()
    try:
        return _LINUX_BOOT_ID.read_text(encoding="ascii").strip()[:36] or None
    except OSError:
        return None


def _macos_boot_id() -> str | None:
    buffer = ctypes.create_string_buffer(64)
    size = ctypes.c_size_t(len(buffer))
    if ctypes.CDLL(None).sysctlbyname(_MACOS_BOOT_ID, buffer, ctypes.byref(size), None, 0) != 0:
        return None
    return buffer.value.decode("ascii")[:36] or None
