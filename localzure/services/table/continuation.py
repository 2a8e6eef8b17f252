"""Where a page ends: the tokens that clients send back to go on.

A token is `1!`, the length of what follows, `!`, and the base64 of a key with its three special characters replaced,
as Azure's are: clients take them as they come, but some cut them at an equals sign.
"""

from __future__ import annotations

from base64 import b64decode, b64encode

_TO_TOKEN = str.maketrans("=/+", "-_.")
_FROM_TOKEN = str.maketrans("-_.", "=/+")


def format_token(key: str) -> str:
    """Return the token that stands for a key or a name."""
    text = b64encode(key.encode()).decode("ascii").translate(_TO_TOKEN)
    return f"1!{len(text)}!{text}"


def parse_token(token: str) -> str | None:
    """Return what a token stands for; None for what `format_token` cannot have given."""
    parts = token.split("!")
    if len(parts) != 3 or parts[0] != "1" or parts[1] != str(len(parts[2])):
        return None
    try:
        return b64decode(parts[2].translate(_FROM_TOKEN), validate=True).decode("utf-8")
    except ValueError:
        return None
