"""Entities that are made at start, from the configuration file of Microsoft's emulator or from a seed of our own.

    {"UserConfig": {"Namespaces": [{"Name": …, "Queues": [{"Name": …, "Properties": {"LockDuration": "PT1M", …}}],
        "Topics": [{"Name": …, "Properties": …, "Subscriptions": [{"Name": …, "Properties": …, "Rules": […]}]}]}]}}

    servicebus:
      queues:
        orders: {lock_duration: PT1M, max_delivery_count: 5, authorization_rules: …}
      topics:
        prices: {subscriptions: {audit: {rules: …}}}

A file named `.yaml` or `.yml` is YAML, any other JSON in which comments are allowed; which of the two forms it has is
told by its first key. Names of keys are taken in any case, with underscores or without. A value that Azure would
refuse is refused here with its place in the file; what is not known is told and left out. Properties that are not given
have Azure's defaults: a queue that is only named keeps its messages for ever. `seed_rules` has the rules, and
`seed_keys` the access keys.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from localzure.services.servicebus.addresses import parse_address, split_subscription, subscription_path
from localzure.services.servicebus.durations import MICROSECONDS, parse_duration
from localzure.services.servicebus.engine.rule_storage import default_rule, put_rule, require_good, rule_called
from localzure.services.servicebus.errors import ServiceBusError
from localzure.services.servicebus.model import MINUTE, EntityDescription, EntityKind, EntityStatus
from localzure.services.servicebus.properties import (
    NAME_ALLOWED,
    PROPERTIES,
    SUBSCRIPTION_NAME_ALLOWED,
    EntityProperty,
    Kind,
    contradiction,
    fixed_property_changed,
    is_name,
    is_subscription_name,
)
from localzure.services.servicebus.rules.model import CorrelationFilter, Rule
from localzure.services.servicebus.seed_keys import MEMBER, dated, seeded_rules
from localzure.services.servicebus.seed_rules import RuleSeed, microsofts_rules, own_rules
from localzure.services.servicebus.seed_tree import Place, SeedError, parse_tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from localzure.services.servicebus.engine.broker import Broker
    from localzure_storage.store import Writer

FILE_BYTES_MAX = 16 * 1024 * 1024
"""Larger files are no seed; ten thousand entities with every property take less."""

_YAML_SUFFIXES = {".yaml", ".yml"}

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EntitySeed:
    """A queue, topic or subscription that is to exist. A subscription comes after its topic."""

    name: str
    """Its path."""
    description: EntityDescription = field(default_factory=EntityDescription)
    origin: str = ""
    """File and place in it."""
    kind: EntityKind = EntityKind.QUEUE
    rules: tuple[RuleSeed, ...] = ()
    """Of a subscription; one without any takes every message."""


_SAMPLE = EntityDescription(
    default_message_time_to_live=60 * MINUTE, duplicate_detection_history_time_window=20 * MICROSECONDS
)
_SAMPLE_TO_RECEIVE = EntityDescription(default_message_time_to_live=60 * MINUTE, max_delivery_count=3)
_SAMPLE_CORRELATION = CorrelationFilter(
    content_type="application/text",
    correlation_id="id1",
    label="subject1",
    message_id="msgid1",
    reply_to="someQueue",
    reply_to_session_id="sessionId",
    session_id="session1",
    to="xyz",
)

SAMPLE = (
    EntitySeed("queue.1", msgspec.structs.replace(_SAMPLE, max_delivery_count=3)),
    EntitySeed("topic.1", _SAMPLE, kind=EntityKind.TOPIC),
    EntitySeed(
        "topic.1/Subscriptions/subscription.1",
        _SAMPLE_TO_RECEIVE,
        kind=EntityKind.SUBSCRIPTION,
        rules=(RuleSeed("app-prop-filter-1", _SAMPLE_CORRELATION),),
    ),
    EntitySeed(
        "topic.1/Subscriptions/subscription.2",
        _SAMPLE_TO_RECEIVE,
        kind=EntityKind.SUBSCRIPTION,
        rules=(RuleSeed("user-prop-filter-1", CorrelationFilter(properties={"prop3": "value3"})),),
    ),
    EntitySeed("topic.1/Subscriptions/subscription.3", _SAMPLE_TO_RECEIVE, kind=EntityKind.SUBSCRIPTION),
)
"""What Microsoft's emulator has where nobody configures it."""


def load_seed(path: Path) -> tuple[EntitySeed, ...]:
    """Read the entities of a seed file. Raises SeedError."""
    try:
        with path.open("rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise SeedError(f"{path}: {(error.strerror or str(error)).lower()}") from None
    if len(data) > FILE_BYTES_MAX:
        raise SeedError(f"{path}: larger than {FILE_BYTES_MAX} bytes, which is no seed")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SeedError(f"{path}: not UTF-8 text (byte {error.start})") from None
    return parse_seed(text, str(path), is_yaml=path.suffix.lower() in _YAML_SUFFIXES)


def parse_seed(text: str, shown: str, *, is_yaml: bool = False) -> tuple[EntitySeed, ...]:
    """Read the entities of a seed; `shown` is what to call the file. Raises SeedError."""
    tree = parse_tree(text, shown, is_yaml=is_yaml)
    seeds: dict[str, EntitySeed] = {}
    for given in _entities(tree):
        name, is_right, allowed = given.name, *_NAMES[given.kind]
        if not isinstance(name.value, str) or not is_right(name.value):
            raise name.wrong(allowed)
        path = name.value if given.topic is None else subscription_path(str(given.topic.value), name.value)
        if path.lower() in seeds:
            raise name.wrong("a name that nothing else has")
        description = _description(given)
        origin = given.properties.shown
        seeds[path.lower()] = EntitySeed(path, description, origin, given.kind, _distinct(given.rules))
    return tuple(seeds.values())


def _distinct(rules: Iterator[RuleSeed]) -> tuple[RuleSeed, ...]:
    found: dict[str, RuleSeed] = {}
    for rule in rules:
        if rule.name.lower() in found:
            raise SeedError(f"{rule.origin}: the rule {rule.name!r} is given twice")
        found[rule.name.lower()] = rule
    return tuple(found.values())


def apply_seeds(broker: Broker, writer: Writer, seeds: Sequence[EntitySeed]) -> None:
    """Make sure that entities exist as seeded, at start, before anybody uses them. Raises SeedError."""
    for seed in seeds:
        _apply(broker, writer, seed)
    for seed in seeds:
        for row in PROPERTIES[seed.kind]:
            target = getattr(seed.description, row.field)
            path = parse_address(target).entity if row.kind is Kind.ENTITY and target else ""
            if path and broker.entities.record(writer, path) is None:
                _log.warning("%s: %s is %r, which does not exist", seed.origin, row.name, target)


def _apply(broker: Broker, writer: Writer, seed: EntitySeed) -> None:
    entities, now = broker.entities, broker.now()
    record = entities.record(writer, seed.name)
    if record is None:
        _create(broker, writer, seed)
        return
    if record.kind is not seed.kind:
        raise SeedError(
            f"{seed.origin}: {seed.name!r} cannot be made: there is a {record.kind.name.lower()} of that name"
        )
    changed = fixed_property_changed(record.description, seed.description)
    if changed is not None:
        stored, given = (getattr(each, changed.field) for each in (record.description, seed.description))
        raise SeedError(
            f"{seed.origin}.{changed.name}: {json.dumps(given)} cannot be taken: the {record.kind.name.lower()} "
            f"{record.name!r} exists with {json.dumps(stored)}, and this cannot be changed"
        )
    # A seed that says nothing of access keys leaves those of the entity as they are.
    rules = dated(seed.description.authorization_rules, record.description.authorization_rules, now)
    wanted = entities.fitted(msgspec.structs.replace(seed.description, authorization_rules=rules))
    if record.description != wanted:
        entities.update(writer, record, wanted, now)
    for rule in _rules(broker, seed):
        known = rule_called(writer, broker.keys, record.queue_id, rule.name)
        if known is None or (known.filter, known.action) != (rule.filter, rule.action):
            put_rule(writer, broker.keys, record, rule)


def _create(broker: Broker, writer: Writer, seed: EntitySeed) -> None:
    entities, now = broker.entities, broker.now()
    rules = dated(seed.description.authorization_rules, (), now)
    description = msgspec.structs.replace(seed.description, authorization_rules=rules)
    if seed.kind is EntityKind.QUEUE:
        entities.create_queue(writer, seed.name, description, now)
        return
    parts = split_subscription(seed.name) if seed.kind is EntityKind.SUBSCRIPTION else None
    topic = None if parts is None else entities.record(writer, parts[0])
    if parts is None or topic is None:
        entities.create_topic(writer, seed.name, description, now)
        return
    made = entities.create_subscription(writer, topic, parts[1], description, now)
    for rule in _rules(broker, seed) or [default_rule(now)]:
        put_rule(writer, broker.keys, made, rule)


def _rules(broker: Broker, seed: EntitySeed) -> list[Rule]:
    """The rules of a subscription, known to be good. Raises SeedError."""
    rules = []
    for given in seed.rules:
        rule = Rule(given.name, given.filter, given.action, broker.now())
        try:
            require_good(rule, broker.entropy)
        except ServiceBusError as error:
            raise SeedError(f"{given.origin}: {error.text}") from None
        rules.append(rule)
    return rules


class _Given(NamedTuple):
    """An entity in a file."""

    kind: EntityKind
    name: Place
    properties: Place
    topic: Place | None = None
    """The name of a subscription's topic."""
    rules: Iterator[RuleSeed] = iter(())


_NAMES = {
    EntityKind.QUEUE: (is_name, NAME_ALLOWED),
    EntityKind.TOPIC: (is_name, NAME_ALLOWED),
    EntityKind.SUBSCRIPTION: (is_subscription_name, SUBSCRIPTION_NAME_ALLOWED),
}


def _entities(tree: Place) -> Iterator[_Given]:
    """The entities in a file. Raises SeedError."""
    if (user_config := tree.member("UserConfig")) is not None:
        yield from _of_user_config(user_config)
    elif (own := tree.member("servicebus")) is not None:
        tree.expect({"servicebus"})
        own.expect({"queues", "topics"})
        for name, place in own.members_of("queues"):
            yield _Given(EntityKind.QUEUE, place.named(name), place)
        for name, place in own.members_of("topics"):
            yield _Given(EntityKind.TOPIC, place.named(name), place)
            for subscription, below in place.members_of("subscriptions"):
                rules = below.maybe_member("rules")
                yield _Given(
                    EntityKind.SUBSCRIPTION,
                    below.named(subscription),
                    below,
                    place.named(name),
                    iter(()) if rules is None else own_rules(rules),
                )
    else:
        raise SeedError(f"{tree.shown}: neither 'servicebus' nor 'UserConfig' (Microsoft's form) is there")


def _of_user_config(user_config: Place) -> Iterator[_Given]:
    user_config.expect({"Namespaces", "Logging"})
    for namespace in user_config.required("Namespaces").elements():
        namespace.expect({"Name", "Queues", "Topics"})
        for queue in namespace.elements_of("Queues"):
            queue.expect({"Name", "Properties"})
            yield _Given(EntityKind.QUEUE, queue.required("Name"), _properties(queue))
        for topic in namespace.elements_of("Topics"):
            topic.expect({"Name", "Properties", "Subscriptions"})
            name = topic.required("Name")
            yield _Given(EntityKind.TOPIC, name, _properties(topic))
            for below in topic.elements_of("Subscriptions"):
                below.expect({"Name", "Properties", "Rules"})
                yield _Given(
                    EntityKind.SUBSCRIPTION, below.required("Name"), _properties(below), name, microsofts_rules(below)
                )


def _properties(entity: Place) -> Place:
    return entity.member("Properties") or Place(entity.file, entity.path, None)


_BELOW = {
    EntityKind.QUEUE: {MEMBER},
    EntityKind.TOPIC: {MEMBER, "subscriptions"},
    EntityKind.SUBSCRIPTION: {"rules"},
}
"""What stands beside the properties of an entity in our own form."""


def _description(given: _Given) -> EntityDescription:
    """The properties of an entity, of which there may be none. Raises SeedError."""
    place = given.properties
    if place.value is None:
        return EntityDescription()
    rows = PROPERTIES[given.kind]
    place.expect({row.name for row in rows} | _BELOW[given.kind])
    values: dict[str, Any] = {
        row.field: _value(row, member) for row in rows if (member := place.member(row.name)) is not None
    }
    if given.kind is not EntityKind.SUBSCRIPTION:
        values["authorization_rules"] = seeded_rules(place)
    description = EntityDescription(**values)
    if (told := contradiction(description)) is not None:
        raise SeedError(f"{place.shown}: {told}")
    return description


def _value(row: EntityProperty, place: Place) -> bool | int | str:
    """One property's value, checked. Raises SeedError."""
    value: Any = place.value
    if not _is_of(row.kind, value):
        raise place.wrong(row.allowed)
    try:
        if row.kind is Kind.DURATION:
            value = parse_duration(value)
        elif row.kind is Kind.STATUS:
            value = EntityStatus(value)
    except ValueError:
        raise place.wrong(row.allowed) from None
    if not row.allows(value):
        raise place.wrong(row.allowed)
    checked: bool | int | str = value
    return checked


def _is_of(kind: Kind, value: object) -> bool:
    """Whether a value of the file has the type that properties of this kind are written in."""
    if kind is Kind.NUMBER:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, bool if kind is Kind.BOOLEAN else str)
