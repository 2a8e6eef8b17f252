"""Why a server could not start."""

from __future__ import annotations


class StartupError(Exception):
    """The server cannot start; the text is one line that says why and what to do.

    Whoever raises it has undone what it did before. The command line prints the text and ends with exit code 2.
    """

    def __init__(self, text: str) -> None:
        super().__init__("".join(char if char.isprintable() else "?" for char in text))
