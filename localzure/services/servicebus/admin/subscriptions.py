"""What the operations on subscriptions and their rules do."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from localzure.services.interface import HttpReply
from localzure.services.servicebus.addresses import subscription_path
from localzure.services.servicebus.admin import atom
from localzure.services.servicebus.admin.descriptions import FORMS, read_description
from localzure.services.servicebus.admin.errors import bad_request, conflict, not_found
from localzure.services.servicebus.admin.handlers import (
    Call,
    description_in,
    entities_page,
    entity_reply,
    entry_reply,
    page,
    require_targets,
    updated,
)
from localzure.services.servicebus.admin.rule_descriptions import RULE, read_rule, write_rule
from localzure.services.servicebus.engine import lifecycle, rule_storage
from localzure.services.servicebus.model import EntityKind
from localzure.services.servicebus.properties import (
    RULE_NAME_ALLOWED,
    SHORT_NAME_CHARACTERS_MAX,
    SUBSCRIPTION_NAME_ALLOWED,
    is_rule_name,
    is_subscription_name,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localzure.services.servicebus.admin.atom import Element
    from localzure.services.servicebus.model import EntityRecord
    from localzure.services.servicebus.rules.model import Rule
    from localzure_storage.store import Reader

_DEFAULT_RULE = "DefaultRuleDescription"


def list_subscriptions(call: Call, _body: bytes) -> HttpReply:
    """Give a page of a topic's subscriptions, ordered by name."""
    with call.broker.reader() as reader:
        topic = _topic(call, reader)

        def found(reader: Reader, skip: int) -> Iterator[EntityRecord]:
            return call.broker.entities.subscriptions(reader, topic, skip)

        return entities_page(call, reader, "Subscriptions", f"{topic.name}/Subscriptions", found)


def get_subscription(call: Call, _body: bytes) -> HttpReply:
    """Describe a subscription. One that is not there is an error, unlike a queue: Java's SDK relies on either."""
    with call.broker.reader() as reader:
        return entity_reply(200, call, reader, _subscription(call, reader))


def create_subscription(call: Call, body: bytes) -> HttpReply:
    """Make a subscription, with the rule that comes with it or one that takes every message."""
    name = call.target.subscription
    if not is_subscription_name(name):
        if len(name) > SHORT_NAME_CHARACTERS_MAX:
            raise bad_request(f"The subscription name exceeds the '{SHORT_NAME_CHARACTERS_MAX}' character limit.")
        raise bad_request(f"'{name}' is no name of a subscription: it must be {SUBSCRIPTION_NAME_ALLOWED}.")
    element = description_in(body)
    form = FORMS[EntityKind.SUBSCRIPTION]
    if element.name != form.element:
        raise bad_request(f"A {element.name:.100} cannot be made here: a {form.element} is expected.")
    broker, now = call.broker, call.broker.now()
    with call.transactions.writer() as writer:
        topic = _topic(call, writer)
        if _maybe_subscription(call, writer) is not None:
            raise conflict()
        described = read_description(EntityKind.SUBSCRIPTION, element, None, now, broker.entropy)
        require_targets(call, writer, described, _path(call))
        record = lifecycle.create_subscription(broker, writer, topic, name, described, _first_rule(element, now))
        return entity_reply(201, call, writer, record)


def update_subscription(call: Call, body: bytes) -> HttpReply:
    """Give a subscription other properties."""
    element = description_in(body)
    with call.transactions.writer() as writer:
        return entity_reply(200, call, writer, updated(call, writer, _subscription(call, writer), element))


def delete_subscription(call: Call, _body: bytes) -> HttpReply:
    """Delete a subscription with its messages and rules."""
    with call.transactions.writer() as writer:
        lifecycle.delete_entity(call.broker, writer, _subscription(call, writer))
    return HttpReply(200)


def list_rules(call: Call, _body: bytes) -> HttpReply:
    """Give a page of a subscription's rules, ordered by name."""
    with call.broker.reader() as reader:
        record = _subscription(call, reader)
        found = partial(rule_storage.rules_of, reader, call.broker.keys, record.queue_id)
        return page(call, "Rules", f"{record.name}/Rules", found, partial(_rule_entry, call, record))


def get_rule(call: Call, _body: bytes) -> HttpReply:
    """Describe a rule."""
    with call.broker.reader() as reader:
        record = _subscription(call, reader)
        rule = rule_storage.rule_called(reader, call.broker.keys, record.queue_id, call.target.rule)
        if rule is None:
            raise not_found(f"{_path(call)}/Rules/{call.target.rule}")
        return entry_reply(200, call, _rule_entry(call, record, rule))


def create_rule(call: Call, body: bytes) -> HttpReply:
    """Give a subscription another rule."""
    rule = _rule_in(call, body)
    with call.transactions.writer() as writer:
        record = _subscription(call, writer)
        rule_storage.add_rule(call.broker, writer, record, rule)
        return entry_reply(201, call, _rule_entry(call, record, rule))


def update_rule(call: Call, body: bytes) -> HttpReply:
    """Have a rule say something else."""
    rule = _rule_in(call, body)
    with call.transactions.writer() as writer:
        record = _subscription(call, writer)
        changed = rule_storage.update_rule(call.broker, writer, record, rule)
        return entry_reply(200, call, _rule_entry(call, record, changed))


def delete_rule(call: Call, _body: bytes) -> HttpReply:
    """Take a rule from its subscription."""
    with call.transactions.writer() as writer:
        rule_storage.remove_rule(call.broker, writer, _subscription(call, writer), call.target.rule)
    return HttpReply(200)


def _path(call: Call) -> str:
    return subscription_path(call.target.entity, call.target.subscription)


def _topic(call: Call, reader: Reader) -> EntityRecord:
    """Raises AdminError."""
    record = call.broker.entities.record(reader, call.target.entity)
    if record is None or record.kind is not EntityKind.TOPIC:
        raise not_found(call.target.entity)
    return record


def _maybe_subscription(call: Call, reader: Reader) -> EntityRecord | None:
    return call.broker.entities.record(reader, _path(call)) if call.target.subscription else None


def _subscription(call: Call, reader: Reader) -> EntityRecord:
    """Raises AdminError."""
    record = _maybe_subscription(call, reader)
    if record is None:
        raise not_found(_path(call))
    return record


def _first_rule(element: Element, now: int) -> Rule:
    """Raises AdminError."""
    given = element.child(_DEFAULT_RULE)
    if given is None or given.is_nil:
        return rule_storage.default_rule(now)
    name = given.child("Name")
    named = name.text.strip() if name is not None and not name.is_nil else ""
    return _checked(read_rule(given, named or rule_storage.default_rule(now).name, now))


def _rule_in(call: Call, body: bytes) -> Rule:
    """Raises AdminError."""
    element = description_in(body)
    if element.name != RULE:
        raise bad_request(f"A {element.name:.100} cannot be made here: a {RULE} is expected.")
    return _checked(read_rule(element, call.target.rule, call.broker.now()))


def _checked(rule: Rule) -> Rule:
    """Raises AdminError."""
    if not is_rule_name(rule.name):
        raise bad_request(f"'{rule.name:.100}' is no name of a rule: it must be {RULE_NAME_ALLOWED}.")
    return rule


def _rule_entry(call: Call, subscription: EntityRecord, rule: Rule) -> atom.Entry:
    url = call.url(f"{subscription.name}/Rules/{rule.name}")
    return atom.Entry(rule.name, url, rule.created_at, rule.created_at, write_rule(rule))
