"""What messages are called, and what proves that somebody got one: message ids and pop receipts.

A message id is a UUID of version 8 (RFC 9562, section 5.8): 64 bits drawn at random, four of them given up for the
version, and the message's sequence number, which finds its record without an index of ids. The drawn half is the
message's tag.

A pop receipt is the tag and a token, drawn anew each time the message is handed out or updated, in base64. By the tag
a receipt that was good once is told from one of another message: Azure answers the first with `MessageNotFound`, since
whoever holds it has lost the message, and the second with `PopReceiptMismatch`. Only the token lets anybody do
anything, and it is in nothing but the receipt.
"""

from __future__ import annotations

import re
from binascii import Error, a2b_base64, b2a_base64
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from localzure.services.interface import Entropy

TAG_BYTES = 8

TOKEN_BYTES = 12

_VERSION_BYTE = 6
"""The byte of a UUID whose upper half is the version."""

_VARIANT_BITS = 0b10 << 62
_SEQUENCE_MASK = (1 << 62) - 1

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)


class MessageId(NamedTuple):
    """What a message id says."""

    tag: bytes
    sequence: int


def new_tag(entropy: Entropy) -> bytes:
    """Draw the tag of a message."""
    drawn = bytearray(entropy.bytes(TAG_BYTES))
    drawn[_VERSION_BYTE] = drawn[_VERSION_BYTE] & 0x0F | 0x80
    return bytes(drawn)


def new_token(entropy: Entropy) -> bytes:
    """Draw the token of a pop receipt."""
    return entropy.bytes(TOKEN_BYTES)


def format_id(message: MessageId) -> str:
    """Return a message id as clients have it."""
    head, tail = message.tag.hex(), f"{_VARIANT_BITS | message.sequence:016x}"
    return f"{head[:8]}-{head[8:12]}-{head[12:]}-{tail[:4]}-{tail[4:]}"


def parse_id(text: str) -> MessageId | None:
    """Read a message id; None for what no message is called."""
    if _UUID.fullmatch(text) is None:
        return None
    whole = bytes.fromhex(text.replace("-", ""))
    tail = int.from_bytes(whole[TAG_BYTES:], "big")
    if tail & ~_SEQUENCE_MASK != _VARIANT_BITS:
        return None
    return MessageId(whole[:TAG_BYTES], tail & _SEQUENCE_MASK)


def format_receipt(tag: bytes, token: bytes) -> str:
    """Return a pop receipt as clients have it."""
    return b2a_base64(tag + token, newline=False).decode("ascii")


def parse_receipt(text: str) -> bytes | None:
    """Read a pop receipt; None for what cannot be one."""
    try:
        return a2b_base64(text, strict_mode=True) or None
    except (Error, ValueError):
        return None
