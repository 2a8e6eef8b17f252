"""What the operations do: each takes a call with its body and gives the reply."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from localzure.services.interface import HttpReply
from localzure.services.servicebus.addresses import normalize
from localzure.services.servicebus.admin import atom
from localzure.services.servicebus.admin.errors import (
    AdminError,
    bad_request,
    conflict,
    not_found,
    not_implemented,
)
from localzure.services.servicebus.admin.queues import QUEUE, read_queue, write_queue
from localzure.services.servicebus.engine import lifecycle
from localzure.services.servicebus.properties import NAME_CHARACTERS_MAX, fixed_property_changed, is_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localzure.services.interface import Transactions
    from localzure.services.servicebus.admin.atom import Element
    from localzure.services.servicebus.engine.broker import Broker
    from localzure.services.servicebus.model import EntityDescription, EntityRecord
    from localzure_storage.store import Reader, Writer

PAGE_ENTRIES_MAX = 100
"""Most entities in a page, also where a client asks for more or says nothing (Azure's bound)."""

ENTRY_TYPE = "application/atom+xml;type=entry;charset=utf-8"
FEED_TYPE = "application/atom+xml;type=feed;charset=utf-8"

MESSAGING_SKU = "Standard"
"""The tier that the namespace says it is."""


@dataclass(slots=True)
class Call:
    """One request."""

    broker: Broker
    transactions: Transactions
    entity: str
    """The path that it names, as sent, or empty."""
    query: Mapping[str, str]
    base_url: str
    """Scheme, host and prefix of the namespace, without a closing slash."""
    host: str
    namespace: str
    """The name of the namespace."""
    may_forward: Callable[[Reader, str, str], bool]
    """Whether the client may have the property of that name point to the entity of that path."""

    def url(self, path: str, **parameters: int) -> str:
        """The address of something in the namespace, with the version that the client speaks."""
        query = [f"api-version={version}"] if (version := self.query.get("api-version")) else []
        query += [f"${name}={value}" for name, value in parameters.items()]
        return f"{self.base_url}/{path}" + (f"?{'&'.join(query)}" if query else "")


Handler = Callable[[Call, bytes], HttpReply]


def get_namespace(call: Call, _body: bytes) -> HttpReply:
    """Describe the namespace."""
    with call.broker.reader() as reader:
        created_at = int.from_bytes(reader.get(call.broker.keys.namespace) or b"", "big")
    elements = [
        atom.element("CreatedTime", atom.instant(created_at)),
        atom.element("MessagingSKU", MESSAGING_SKU),
        atom.element("ModifiedTime", atom.instant(created_at)),
        atom.element("Name", call.namespace),
        atom.element("NamespaceType", "Messaging"),
    ]
    described = atom.description("NamespaceInfo", elements)
    entry = atom.Entry(call.namespace, call.url("$namespaceinfo"), created_at, created_at, described)
    return _entry(200, entry, call)


def list_queues(call: Call, _body: bytes) -> HttpReply:
    """Give a page of the queues, ordered by name."""
    skip = _count(call.query, "$skip", 0)
    top = min(_count(call.query, "$top", PAGE_ENTRIES_MAX), PAGE_ENTRIES_MAX)
    with call.broker.reader() as reader:
        records = list(islice(call.broker.entities.queues(reader, skip), top + 1))
        entries = [_queue_entry(call, reader, record) for record in records[:top]]
    path = "$Resources/queues"
    next_url = call.url(path, skip=skip + top, top=top) if top and len(records) > top else ""
    url = call.url(path, skip=skip, top=top)
    return _feed(atom.feed_document("Queues", url, call.broker.now(), entries, call.namespace, next_url))


def get_queue(call: Call, _body: bytes) -> HttpReply:
    """Describe a queue; for one that is not there Azure gives an empty feed."""
    with call.broker.reader() as reader:
        record = call.broker.entities.record(reader, call.entity) if call.entity else None
        if record is not None:
            return _entry(200, _queue_entry(call, reader, record), call)
    url = call.url(call.entity)
    return _feed(atom.feed_document(atom.NOT_FOUND_TITLE, url, call.broker.now(), (), call.namespace))


def create_queue(call: Call, body: bytes) -> HttpReply:
    """Make a queue."""
    _require_name(call.entity)
    element = _description(body, "CreateTopic")
    now = call.broker.now()
    with call.transactions.writer() as writer:
        # A client that makes sure of a queue is to learn that it is there, whatever else it sends.
        if call.broker.entities.record(writer, call.entity) is not None:
            raise conflict()
        described = read_queue(element, None, now, call.broker.entropy)
        _require_tier(described, None)
        _require_targets(call, writer, described, call.entity)
        record = lifecycle.create_queue(call.broker, writer, call.entity, described)
        return _entry(201, _queue_entry(call, writer, record), call)


def update_queue(call: Call, body: bytes) -> HttpReply:
    """Give a queue other properties."""
    _require_name(call.entity)
    element = _description(body, "UpdateTopic")
    now = call.broker.now()
    with call.transactions.writer() as writer:
        record = call.broker.entities.record(writer, call.entity)
        if record is None:
            raise not_found(call.entity)
        described = read_queue(element, record.description, now, call.broker.entropy)
        if (row := fixed_property_changed(record.description, described)) is not None:
            raise bad_request(f"The value for the {row.name} property of an existing Queue cannot be changed.")
        _require_tier(described, record.description)
        _require_targets(call, writer, described, record.name)
        record = lifecycle.update_entity(call.broker, writer, record, described)
        return _entry(200, _queue_entry(call, writer, record), call)


def delete_queue(call: Call, _body: bytes) -> HttpReply:
    """Delete a queue with all that is in it."""
    with call.transactions.writer() as writer:
        record = call.broker.entities.record(writer, call.entity) if call.entity else None
        if record is None:
            raise not_found(call.entity)
        lifecycle.delete_entity(call.broker, writer, record)
    return HttpReply(200)


def _description(body: bytes, topic_operation: str) -> Element:
    """The description of a queue that a client sends. Raises AdminError."""
    try:
        element = atom.description_of(atom.parse(body))
    except atom.AtomError as error:
        raise bad_request(f"The request body is not what is expected: {error}.") from None
    if element.name == "TopicDescription":
        raise not_implemented(topic_operation)
    if element.name != QUEUE:
        raise bad_request(f"A {element.name:.100} cannot be made here: a {QUEUE} is expected.")
    return element


def _require_name(name: str) -> None:
    if len(name) > NAME_CHARACTERS_MAX:
        raise bad_request(f"The entity path exceeds the '{NAME_CHARACTERS_MAX}' character limit.")
    if not is_name(name):
        raise bad_request(
            f"'{name}' contains character(s) that is not allowed by Service Bus. Entity segments can contain only "
            "letters, numbers, periods (.), hyphens (-), and underscores (_)."
        )


def _require_tier(described: EntityDescription, current: EntityDescription | None) -> None:
    """Only a premium namespace lets its queues take larger messages; a seed can do it here."""
    allowed = {256} if current is None else {256, current.max_message_size_kilobytes}
    if described.max_message_size_kilobytes not in allowed:
        raise bad_request(
            f"The property 'MaxMessageSizeInKilobytes' cannot be set in a namespace of the '{MESSAGING_SKU}' tier."
        )


def _require_targets(call: Call, reader: Reader, described: EntityDescription, own_name: str) -> None:
    """What messages are forwarded to must be there, and the client must be allowed to send to it."""
    for name, target in (
        ("ForwardTo", described.forward_to),
        ("ForwardDeadLetteredMessagesTo", described.forward_dead_lettered_messages_to),
    ):
        path = normalize(target)
        if not path:
            continue
        if path.lower() != own_name.lower() and call.broker.entities.record(reader, path) is None:
            raise AdminError(400, "The auto forwarding destination entity does not exist.", sub_code=40400)
        if not call.may_forward(reader, name, path):
            raise AdminError(401, f"Unauthorized : 'Send' claim(s) are required on '{path}' to forward to it.")


def _queue_entry(call: Call, reader: Reader | Writer, record: EntityRecord) -> atom.Entry:
    entities = call.broker.entities
    counters = entities.counters_of(reader, record)
    accessed = [queue.accessed_at for queue in entities.in_use(record)]
    accessed_at = max([*accessed, *(each.accessed_at for each in counters.values())])
    described = write_queue(record, counters, accessed_at, f"sb://{call.host}/")
    return atom.Entry(record.name, call.url(record.name), record.created_at, record.updated_at, described)


def _count(query: Mapping[str, str], name: str, default: int) -> int:
    """A parameter that is a number. Raises AdminError."""
    text = query.get(name, "")
    if not text:
        return default
    if not text.isascii() or not text.isdecimal() or len(text) > 9:
        raise bad_request(f"The query parameter '{name}' is '{text:.100}'; it must be a whole number from 0.")
    return int(text)


def _entry(status: int, entry: atom.Entry, call: Call) -> HttpReply:
    return HttpReply(status, [("content-type", ENTRY_TYPE)], atom.entry_document(entry, call.namespace))


def _feed(document: bytes) -> HttpReply:
    return HttpReply(200, [("content-type", FEED_TYPE)], document)
