"""What the operating system allows a process, raised as far as it goes.

Every connection is a file descriptor, and many systems start processes with 1,024 or 256 of them.
"""

from __future__ import annotations

import sys

DESCRIPTORS_WANTED = 65536
"""The soft limit asked for: a bound, since a hard limit may be a billion and some kernels refuse that much."""

DESCRIPTORS_LOW = 4096
"""Below this a busy test run can exhaust the limit, so it is told."""


def raise_descriptor_limit() -> str | None:
    """Raise the soft limit of open files towards the hard one; returns a line to log when it stays low."""
    if sys.platform == "win32":
        return None  # there is no such limit
    import resource  # not there on Windows

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS_WANTED if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS_WANTED)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
        except (OSError, ValueError):
            pass  # macOS refuses more than its own maximum, sandboxes refuse any change: what is there must do
    if soft == resource.RLIM_INFINITY or soft >= DESCRIPTORS_LOW:
        return None
    return (
        f"only {soft} files may be open at once, which bounds the connections: "
        f"raise the limit (ulimit -n {DESCRIPTORS_WANTED}, or LimitNOFILE= of the service)"
    )
