"""What the operations do: each takes a call with its body and gives the reply."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from localzure.services.interface import HttpReply
from localzure.services.servicebus.addresses import normalize
from localzure.services.servicebus.admin import atom
from localzure.services.servicebus.admin.descriptions import (
    FORMS,
    Usage,
    kind_called,
    read_description,
    write_description,
)
from localzure.services.servicebus.admin.errors import (
    AdminError,
    bad_request,
    conflict,
    not_found,
)
from localzure.services.servicebus.engine import lifecycle
from localzure.services.servicebus.engine.entities import short_name
from localzure.services.servicebus.engine.tallies import tally_of
from localzure.services.servicebus.model import EntityDescription, EntityKind
from localzure.services.servicebus.properties import NAME_CHARACTERS_MAX, fixed_property_changed, is_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from localzure.services.interface import Transactions
    from localzure.services.servicebus.admin.atom import Element
    from localzure.services.servicebus.admin.targets import Target
    from localzure.services.servicebus.engine.broker import Broker
    from localzure.services.servicebus.model import EntityRecord
    from localzure.services.servicebus.settings import Tier
    from localzure_storage.store import Reader, Writer

T = TypeVar("T")

PAGE_ENTRIES_MAX = 100
"""Most entities in a page, also where a client asks for more or says nothing (Azure's bound)."""

ENTRY_TYPE = "application/atom+xml;type=entry;charset=utf-8"
FEED_TYPE = "application/atom+xml;type=feed;charset=utf-8"


@dataclass(slots=True)
class Call:
    """One request."""

    broker: Broker
    transactions: Transactions
    target: Target
    """What it names, in the letters that were sent."""
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
    tier = call.broker.tier
    elements = [
        atom.element("CreatedTime", atom.instant(created_at)),
        atom.element("MessagingSKU", tier.sku),
        *([] if tier.messaging_units is None else [atom.element("MessagingUnits", str(tier.messaging_units))]),
        atom.element("ModifiedTime", atom.instant(created_at)),
        atom.element("Name", call.namespace),
        atom.element("NamespaceType", "Messaging"),
    ]
    described = atom.description("NamespaceInfo", elements)
    entry = atom.Entry(call.namespace, call.url("$namespaceinfo"), created_at, created_at, described)
    return entry_reply(200, call, entry)


def list_queues(call: Call, _body: bytes) -> HttpReply:
    """Give a page of the queues, ordered by name."""
    with call.broker.reader() as reader:
        return entities_page(call, reader, "Queues", "$Resources/queues", call.broker.entities.queues)


def list_topics(call: Call, _body: bytes) -> HttpReply:
    """Give a page of the topics, ordered by name."""
    with call.broker.reader() as reader:
        return entities_page(call, reader, "Topics", "$Resources/topics", call.broker.entities.topics)


def get_entity(call: Call, _body: bytes) -> HttpReply:
    """Describe a queue or a topic, whichever is there; for one that is not there Azure gives an empty feed."""
    with call.broker.reader() as reader:
        record = call.broker.entities.record(reader, call.target.entity) if call.target.entity else None
        return missing(call, call.target.entity) if record is None else entity_reply(200, call, reader, record)


def create_entity(call: Call, body: bytes) -> HttpReply:
    """Make a queue or a topic, as the description says."""
    name = call.target.entity
    _require_name(name)
    element = description_in(body)
    kind = kind_called(element.name)
    if kind is None or kind is EntityKind.SUBSCRIPTION:
        raise bad_request(f"A {element.name:.100} cannot be made here: a QueueDescription or TopicDescription is.")
    now = call.broker.now()
    with call.transactions.writer() as writer:
        # A client that makes sure of an entity is to learn that it is there, whatever else it sends.
        if call.broker.entities.record(writer, name) is not None:
            raise conflict()
        described = read_description(kind, element, None, now, call.broker.entropy)
        _require_tier(call.broker.tier, described, None)
        require_targets(call, writer, described, name)
        create = lifecycle.create_queue if kind is EntityKind.QUEUE else lifecycle.create_topic
        return entity_reply(201, call, writer, create(call.broker, writer, name, described))


def update_entity(call: Call, body: bytes) -> HttpReply:
    """Give a queue or a topic other properties."""
    _require_name(call.target.entity)
    element = description_in(body)
    with call.transactions.writer() as writer:
        record = call.broker.entities.record(writer, call.target.entity)
        if record is None:
            raise not_found(call.target.entity)
        return entity_reply(200, call, writer, updated(call, writer, record, element))


def delete_entity(call: Call, _body: bytes) -> HttpReply:
    """Delete a queue or a topic with all that is in it."""
    with call.transactions.writer() as writer:
        record = call.broker.entities.record(writer, call.target.entity) if call.target.entity else None
        if record is None:
            raise not_found(call.target.entity)
        lifecycle.delete_entity(call.broker, writer, record)
    return HttpReply(200)


def description_in(body: bytes) -> Element:
    """The description that a client sends. Raises AdminError."""
    try:
        return atom.description_of(atom.parse(body))
    except atom.AtomError as error:
        raise bad_request(f"The request body is not what is expected: {error}.") from None


def updated(call: Call, writer: Writer, record: EntityRecord, element: Element) -> EntityRecord:
    """Give an entity the properties of a description. Raises AdminError."""
    form = FORMS[record.kind]
    if element.name != form.element:
        raise bad_request(f"A {element.name:.100} is not for '{record.name}': a {form.element} is expected.")
    described = read_description(record.kind, element, record.description, call.broker.now(), call.broker.entropy)
    if (row := fixed_property_changed(record.description, described)) is not None:
        raise bad_request(f"The value for the {row.name} property of an existing {form.noun} cannot be changed.")
    _require_tier(call.broker.tier, described, record.description)
    require_targets(call, writer, described, record.name)
    return lifecycle.update_entity(call.broker, writer, record, described)


def _require_name(name: str) -> None:
    if len(name) > NAME_CHARACTERS_MAX:
        raise bad_request(f"The entity path exceeds the '{NAME_CHARACTERS_MAX}' character limit.")
    if not is_name(name):
        raise bad_request(
            f"'{name}' contains character(s) that is not allowed by Service Bus. Entity segments can contain only "
            "letters, numbers, periods (.), hyphens (-), and underscores (_)."
        )


def _require_tier(tier: Tier, described: EntityDescription, current: EntityDescription | None) -> None:
    """Only a premium namespace lets its entities take larger messages; a seed can do it here."""
    size = described.max_message_size_kilobytes
    # What a client does not say stands there as the standard tier's.
    least, most = tier.message_kilobytes
    if size == EntityDescription().max_message_size_kilobytes or (
        current is not None and size == current.max_message_size_kilobytes
    ):
        return
    if least == most:
        raise bad_request(
            f"The property 'MaxMessageSizeInKilobytes' cannot be set in a namespace of the '{tier.sku}' tier."
        )
    if not least <= size <= most:
        raise bad_request(f"The property value for 'MaxMessageSizeInKilobytes' must be between {least} and {most}.")


def require_targets(call: Call, reader: Reader, described: EntityDescription, own_name: str) -> None:
    """What messages are forwarded to must be there, and the client must be allowed to send to it. Raises AdminError."""
    for name, target in (
        ("ForwardTo", described.forward_to),
        ("ForwardDeadLetteredMessagesTo", described.forward_dead_lettered_messages_to),
    ):
        path = normalize(target)
        if not path:
            continue
        record = call.broker.entities.record(reader, path)
        if path.lower() != own_name.lower() and (record is None or record.kind is EntityKind.SUBSCRIPTION):
            raise AdminError(400, "The auto forwarding destination entity does not exist.", sub_code=40400)
        if not call.may_forward(reader, name, path):
            raise AdminError(401, f"Unauthorized : 'Send' claim(s) are required on '{path}' to forward to it.")


def entity_reply(status: int, call: Call, reader: Reader, record: EntityRecord) -> HttpReply:
    """Describe an entity."""
    return entry_reply(status, call, _entity_entry(call, reader, record))


def entry_reply(status: int, call: Call, entry: atom.Entry) -> HttpReply:
    """Give one entry."""
    return HttpReply(status, [("content-type", ENTRY_TYPE)], atom.entry_document(entry, call.namespace))


def missing(call: Call, path: str) -> HttpReply:
    """What Azure answers who asks for something that is not there."""
    document = atom.feed_document(atom.NOT_FOUND_TITLE, call.url(path), call.broker.now(), (), call.namespace)
    return HttpReply(200, [("content-type", FEED_TYPE)], document)


def entities_page(
    call: Call, reader: Reader, title: str, path: str, found: Callable[[Reader, int], Iterator[EntityRecord]]
) -> HttpReply:
    """Give a page of the entities that `found` gives after a number of them."""
    return page(call, title, path, partial(found, reader), partial(_entity_entry, call, reader))


def page(
    call: Call, title: str, path: str, found: Callable[[int], Iterator[T]], entry: Callable[[T], atom.Entry]
) -> HttpReply:
    """Give a page of what `found` gives after a number of them, as `$skip` and `$top` say. Raises AdminError."""
    skip = _count(call.query, "$skip", 0)
    top = min(_count(call.query, "$top", PAGE_ENTRIES_MAX), PAGE_ENTRIES_MAX)
    things = list(islice(found(skip), top + 1))
    entries = [entry(thing) for thing in things[:top]]
    next_url = call.url(path, skip=skip + top, top=top) if top and len(things) > top else ""
    url = call.url(path, skip=skip, top=top)
    document = atom.feed_document(title, url, call.broker.now(), entries, call.namespace, next_url)
    return HttpReply(200, [("content-type", FEED_TYPE)], document)


def _entity_entry(call: Call, reader: Reader, record: EntityRecord) -> atom.Entry:
    entities = call.broker.entities
    counters = entities.counters_of(reader, record)
    accessed = [queue.accessed_at for queue in entities.in_use(record)]
    accessed_at = max([*accessed, *(each.accessed_at for each in counters.values())])
    usage = Usage(counters, accessed_at, tally_of(reader, call.broker.keys, record.queue_id))
    described = write_description(record, usage, f"sb://{call.host}/")
    return atom.Entry(short_name(record), call.url(record.name), record.created_at, record.updated_at, described)


def _count(query: Mapping[str, str], name: str, default: int) -> int:
    """A parameter that is a number. Raises AdminError."""
    text = query.get(name, "")
    if not text:
        return default
    if not text.isascii() or not text.isdecimal() or len(text) > 9:
        raise bad_request(f"The query parameter '{name}' is '{text:.100}'; it must be a whole number from 0.")
    return int(text)
