"""Sending via an entity: a message for another one that goes through the first, and so into the transaction of it.

What cannot be delivered to where it was to go becomes a dead letter of the transfer queue of the entity that it was
sent via ("Service Bus transactions", "Transfers and send via").
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure.services.servicebus.addresses import EntityAddress, SubQueue, parse_address
from localzure.services.servicebus.engine.forwarding import destination_at, enqueue
from localzure.services.servicebus.engine.messages import admit_all, send
from localzure.services.servicebus.engine.reasons import DESCRIPTION, REASON
from localzure.services.servicebus.errors import ServiceBusError
from localzure.services.servicebus.record import decode_record, encode_record, with_application_properties

if TYPE_CHECKING:
    from localzure.services.servicebus.engine.queue import Queue
    from localzure.services.servicebus.engine.turn import Turn


def send_via(turn: Turn, via: Queue, destination: str, message_format: int, payload: bytes) -> None:
    """Deliver a message or a batch, sent via an entity, to the address of another. Raises ServiceBusError."""
    admitted = admit_all(turn, via, message_format, payload)
    try:
        send(turn, destination_at(turn, parse_address(destination)), message_format, payload, turn.entropy)
    except ServiceBusError as error:
        buried = turn.entities.find(
            turn.writer, EntityAddress(via.record.name, SubQueue.TRANSFER_DEAD_LETTER, is_management=False)
        )
        if buried is None:
            # A topic has no such queue, and the sender is told.
            raise
        for each in admitted:
            reasons = {REASON: error.condition, DESCRIPTION: error.text}
            record = with_application_properties(decode_record(each.value), reasons)
            record.expires_at = 0
            enqueue(turn, buried, encode_record(record), 0)
