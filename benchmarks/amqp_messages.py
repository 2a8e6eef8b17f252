"""The messages that are sent, as TRANSFER frames that are built once and patched for every delivery.

A message is what a plain send of an SDK makes of it: `properties` with a message-id, and one `data` section. The id is
the message's number in hexadecimal, and the body's last eight bytes are the number too, so that whoever reads a
message back knows which it is. In a batch (message-format 0x80013700) each data section holds one whole message.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

from benchmarks.bodies import NUMBER, NUMBER_BYTES, body

BATCH_FORMAT = 0x80013700
"""Message-format of a Service Bus batch."""

_BLOCK_BYTES = 1 << 18
_ID_DIGITS = 16
_PROPERTIES = bytes.fromhex("005373 c0 13 01 a1 10")
"""A properties section up to its only field's sixteen characters."""

_UINT = Struct(">I")
_IDS = Struct(">IHI")
_TAG_OF_FOUR_BYTES = 0xA004
_TRANSFER_BYTES_MAX = 48
"""More than a TRANSFER takes in front of its payload, with the frame's head."""


def _data_section(content: bytes) -> bytes:
    return b"\x00\x53\x75\xb0" + _UINT.pack(len(content)) + content


@dataclass(frozen=True, slots=True)
class Template:
    """The frames of one delivery, and the places in them that differ from one delivery to the next."""

    wire: bytes
    frames: int
    ids_at: int
    """Where the delivery-id's four bytes start; the delivery-tag, of the same value, follows it."""
    numbers_at: tuple[tuple[int, int], ...]
    """For each message: where its message-id and its number start."""


def build_template(size: int, batch: int, handle: int, frame_bytes_max: int) -> Template:
    """Build a delivery of one message with a body of `size` bytes, or a batch where `batch` is more than 1."""
    message = _PROPERTIES + bytes(_ID_DIGITS) + _data_section(body(size, 0))
    if batch == 1:
        payload, offset, stride = message, 0, len(message)
    else:
        section = _data_section(message)
        payload, offset, stride = section * batch, len(section) - len(message), len(section)
    places = [
        (offset + index * stride + len(_PROPERTIES), (index + 1) * stride - NUMBER_BYTES) for index in range(batch)
    ]
    return _frame_payload(payload, places, BATCH_FORMAT if batch > 1 else 0, handle, frame_bytes_max)


def _frame_payload(
    payload: bytes, places: list[tuple[int, int]], message_format: int, handle: int, frame_bytes_max: int
) -> Template:
    """Cut a payload into frames, never inside of what is patched later."""
    fixed = sorted([(at, at + _ID_DIGITS) for at, _ in places] + [(at, at + NUMBER_BYTES) for _, at in places])
    room = frame_bytes_max - _TRANSFER_BYTES_MAX
    wire = bytearray()
    moved: dict[int, int] = {}
    ids_at = frames = start = 0
    while start < len(payload):
        stop = min(start + room, len(payload))
        stop = next((first for first, last in fixed if first < stop < last), stop)
        head = _transfer_head(handle, frames == 0, message_format, more=stop < len(payload))
        if not frames:
            ids_at = len(head) + 8 - _TAIL_BYTES
        wire += _UINT.pack(8 + len(head) + stop - start) + b"\x02\x00\x00\x00" + head
        moved.update((first, first - start + len(wire)) for first, _ in fixed if start <= first < stop)
        wire += payload[start:stop]
        start, frames = stop, frames + 1
    return Template(bytes(wire), frames, ids_at, tuple((moved[text], moved[number]) for text, number in places))


_TAIL_BYTES = 17
"""Of a delivery's first TRANSFER, from the delivery-id's value to the end: 4 + 2 + 4 (tag) + 5 (format) + 1 + 1."""


def _transfer_head(handle: int, is_first: bool, message_format: int, *, more: bool) -> bytes:
    """Encode handle, delivery-id, delivery-tag, message-format, settled=false, more."""
    middle = b"\x70" + _IDS.pack(0, _TAG_OF_FOUR_BYTES, 0) + b"\x70" + _UINT.pack(message_format)
    if not is_first:
        middle = b"\x40\x40\x40"
    fields = bytes((0x52, handle)) + middle + b"\x42" + (b"\x41" if more else b"\x42")
    return b"\x00\x53\x14\xc0" + bytes((len(fields) + 1, 6)) + fields


class Block:
    """Many deliveries in a row, patched and handed to the socket at once."""

    def __init__(self, template: Template, deliveries_max: int) -> None:
        self.deliveries = max(1, min(deliveries_max, _BLOCK_BYTES // len(template.wire)))
        self._template = template
        self._wire = bytearray(template.wire * self.deliveries)
        self._view = memoryview(self._wire)

    def number(self, count: int, delivery_id: int, number: int) -> memoryview:
        """Return the next `count` deliveries; the first has these numbers, the others those that follow.

        What was returned before is overwritten.
        """
        wire, template = self._wire, self._template
        pack_ids, pack_number = _IDS.pack_into, NUMBER.pack_into
        at = 0
        for identifier in range(delivery_id, delivery_id + count):
            pack_ids(wire, at + template.ids_at, identifier, _TAG_OF_FOUR_BYTES, identifier)
            for text_at, number_at in template.numbers_at:
                wire[at + text_at : at + text_at + _ID_DIGITS] = b"%016x" % number
                pack_number(wire, at + number_at, number)
                number += 1
            at += len(template.wire)
        return self._view[:at]
