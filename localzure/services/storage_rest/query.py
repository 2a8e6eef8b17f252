"""Paths and queries of the storage services: percent-decoding, and what names in them must hold."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

PARAMETERS_MAX = 64
"""Most parameters in a query. No operation takes more than a dozen."""


class UriError(Exception):
    """The path or query is not UTF-8 once decoded, or repeats a parameter."""


def decode_path(raw: str) -> str:
    """Decode a path or a part of one: percent-encoded UTF-8; a plus sign stays one. Raises UriError."""
    if "%" not in raw and raw.isascii():
        return raw
    try:
        return unquote_to_bytes(raw.encode("latin-1")).decode("utf-8")
    except UnicodeError as error:
        raise UriError("the path is not UTF-8") from error


def parse_query(raw_query: str) -> dict[str, str]:
    """Return the parameters of a query: names in lower case, values decoded, a plus sign is a space.

    Raises UriError for what is not UTF-8, for a parameter that is there twice, and for more than `PARAMETERS_MAX`.
    """
    parameters: dict[str, str] = {}
    if not raw_query:
        return parameters
    parts = raw_query.split("&", PARAMETERS_MAX)
    if len(parts) > PARAMETERS_MAX:
        raise UriError("the query has too many parameters")
    for part in parts:
        if not part:
            continue
        name, _, value = part.partition("=")
        name = _decode(name).lower()
        if name in parameters:
            raise UriError(f"the query has the parameter {name!r} twice")
        parameters[name] = _decode(value)
    return parameters


def _decode(text: str) -> str:
    return decode_path(text.replace("+", " ") if "+" in text else text)
