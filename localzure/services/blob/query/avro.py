"""The reply to a query: an Avro object container of data, progress, errors and an end.

The format is "Apache Avro Specification, Object Container Files"; the schema is Azure's, which clients know the records
by ("Query Blob Contents", response body).
"""

from __future__ import annotations

import json

_NAMESPACE = "com.microsoft.azure.storage.queryBlobContents."


def _record(name: str, /, **fields: str) -> dict[str, object]:
    listed = [{"name": field, "type": kind} for field, kind in fields.items()]
    return {"type": "record", "name": _NAMESPACE + name, "doc": "", "fields": listed}


SCHEMA = json.dumps(
    [
        _record("resultData", data="bytes"),
        _record("error", fatal="boolean", name="string", description="string", position="long"),
        _record("progress", bytesScanned="long", totalBytes="long"),
        _record("end", totalBytes="long"),
    ]
).encode()
"""A union: each object is the number of its record, and the record."""

_DATA, _ERROR, _PROGRESS, _END = range(4)


def header(sync: bytes) -> bytes:
    """Begin a container whose blocks end with `sync`, 16 bytes."""
    meta = _text(b"avro.codec") + _text(b"null") + _text(b"avro.schema") + _text(SCHEMA)
    return b"Obj\x01" + _long(2) + meta + _long(0) + sync


def block(objects: list[bytes], sync: bytes) -> bytes:
    """Write objects as one block."""
    body = b"".join(objects)
    return _long(len(objects)) + _long(len(body)) + body + sync


def data(content: bytes) -> bytes:
    """Some of the result, which ends where a record does."""
    return _long(_DATA) + _text(content)


def error(name: str, description: str, position: int, *, is_fatal: bool) -> bytes:
    """What went wrong at a byte of the blob."""
    flag = b"\x01" if is_fatal else b"\x00"
    return _long(_ERROR) + flag + _text(name.encode()) + _text(description.encode()) + _long(position)


def progress(scanned: int, total: int) -> bytes:
    """How much of the blob has been looked at."""
    return _long(_PROGRESS) + _long(scanned) + _long(total)


def end(total: int) -> bytes:
    """Nothing more comes."""
    return _long(_END) + _long(total)


def _long(number: int) -> bytes:
    """Zigzag, seven bits a byte, the least first."""
    left = (number << 1) ^ (number >> 63)
    out = bytearray()
    while left > 0x7F:
        out.append(left & 0x7F | 0x80)
        left >>= 7
    out.append(left)
    return bytes(out)


def _text(content: bytes) -> bytes:
    return _long(len(content)) + content
