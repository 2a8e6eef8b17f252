"""What can go wrong before the server serves."""

from __future__ import annotations


class StartupError(Exception):
    """The server cannot start. The text is one line for the user: what is wrong, and what to do about it."""
