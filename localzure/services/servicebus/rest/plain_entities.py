"""Entities in plain JSON: made, changed, shown, listed and deleted by people with curl.

    PUT /servicebus/orders                              {"properties": {"lockDuration": "PT30S"}}
    PUT /servicebus/news                                {"kind": "topic"}
    PUT /servicebus/news/subscriptions/all              {"properties": {"requiresSession": true}}
    PUT /servicebus/news/subscriptions/all/rules/large  {"filter": {"sqlExpression": "size > 10"}}

What is there already is changed: properties that are not given stay as they are. Names of properties are Azure's, with
a small letter first; what cannot be is refused with the words of Azure's administration API.
"""

from __future__ import annotations

from dataclasses import fields
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from localzure.services.servicebus.addresses import normalize, subscription_path
from localzure.services.servicebus.admin.errors import AdminError, bad_request, not_found
from localzure.services.servicebus.durations import FOREVER, format_duration, parse_duration
from localzure.services.servicebus.engine import lifecycle, rule_storage
from localzure.services.servicebus.model import EntityDescription, EntityKind, EntityStatus
from localzure.services.servicebus.properties import (
    NAME_ALLOWED,
    PROPERTIES,
    RULE_NAME_ALLOWED,
    SUBSCRIPTION_NAME_ALLOWED,
    EntityProperty,
    Kind,
    contradiction,
    fixed_property_changed,
    is_name,
    is_rule_name,
    is_subscription_name,
)
from localzure.services.servicebus.rest.plain import instant, small
from localzure.services.servicebus.rules.model import (
    CorrelationFilter,
    FalseFilter,
    Rule,
    SqlAction,
    SqlFilter,
    TrueFilter,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from localzure.services.interface import Transactions
    from localzure.services.servicebus.engine.broker import Broker
    from localzure.services.servicebus.model import EntityRecord
    from localzure.services.servicebus.rules.model import Filter
    from localzure_storage.store import Reader, Writer

PAGE_MAX = 100
"""Entities or rules in one page."""


def _camel(name: str) -> str:
    return small("".join([part.capitalize() for part in name.split("_")]))


_CORRELATION = {_camel(each.name): each.name for each in fields(CorrelationFilter)}
"""Names of a correlation filter's fields: `correlationId` → `correlation_id`."""


class Entities:
    """The entities of a namespace, in plain JSON. Whatever it refuses is an AdminError or ServiceBusError."""

    def __init__(self, broker: Broker, transactions: Transactions) -> None:
        self._broker = broker
        self._transactions = transactions

    def page(self, skip: int, top: int) -> dict[str, object]:
        """A page of queues and topics."""
        entities = self._broker.entities
        with self._broker.reader() as reader:

            def every() -> Iterator[EntityRecord]:
                yield from entities.queues(reader)
                yield from entities.topics(reader)

            return _page([self._told(record) for record in islice(every(), skip, skip + top + 1)], skip, top)

    def subscriptions(self, topic: str, skip: int, top: int) -> dict[str, object]:
        """A page of a topic's subscriptions."""
        with self._broker.reader() as reader:
            record = self._topic(reader, topic)
            found = islice(self._broker.entities.subscriptions(reader, record, skip), top + 1)
            return _page([self._told(each) for each in found], skip, top)

    def show(self, path: str) -> dict[str, object]:
        """One queue, topic or subscription."""
        with self._broker.reader() as reader:
            return self._told(self._record(reader, path))

    def put(self, path: str, given: Mapping[str, Any]) -> tuple[dict[str, object], bool]:
        """Make or change a queue or topic; returns it, and whether it is new."""
        _expect(given, {"kind", "properties"}, "An entity")
        wanted = _kind(given.get("kind", ""))
        if not is_name(path):
            raise bad_request(f"'{path:.300}' cannot be the name of an entity: it must be {NAME_ALLOWED}.")
        with self._transactions.writer() as writer:
            record = self._broker.entities.record(writer, path)
            if record is not None:
                if wanted is not None and wanted is not record.kind:
                    raise AdminError(409, f"'{path}' is there already, as a {record.kind.name.lower()}.")
                return self._changed(writer, record, given), False
            kind = wanted or EntityKind.QUEUE
            described = self._described(writer, kind, EntityDescription(), given, path)
            create = lifecycle.create_queue if kind is EntityKind.QUEUE else lifecycle.create_topic
            return self._told(create(self._broker, writer, path, described)), True

    def put_subscription(self, topic: str, name: str, given: Mapping[str, Any]) -> tuple[dict[str, object], bool]:
        """Make or change a subscription; returns it, and whether it is new."""
        _expect(given, {"properties"}, "A subscription")
        if not is_subscription_name(name):
            told = f"'{name:.300}' cannot be the name of a subscription: it must be {SUBSCRIPTION_NAME_ALLOWED}."
            raise bad_request(told)
        with self._transactions.writer() as writer:
            parent = self._topic(writer, topic)
            path = subscription_path(parent.name, name)
            record = self._broker.entities.record(writer, path)
            if record is not None:
                return self._changed(writer, record, given), False
            described = self._described(writer, EntityKind.SUBSCRIPTION, EntityDescription(), given, path)
            rule = rule_storage.default_rule(self._broker.now())
            made = lifecycle.create_subscription(self._broker, writer, parent, name, described, rule)
            return self._told(made), True

    def delete(self, path: str) -> None:
        """Delete a queue, topic or subscription with all that is in it."""
        with self._transactions.writer() as writer:
            lifecycle.delete_entity(self._broker, writer, self._record(writer, path))

    def rules(self, path: str, skip: int, top: int) -> dict[str, object]:
        """A page of a subscription's rules."""
        with self._broker.reader() as reader:
            record = self._record(reader, path)
            found = islice(rule_storage.rules_of(reader, self._broker.keys, record.queue_id, skip), top + 1)
            return _page([_rule_told(rule) for rule in found], skip, top)

    def rule(self, path: str, name: str) -> dict[str, object]:
        """One rule."""
        with self._broker.reader() as reader:
            record = self._record(reader, path)
            rule = rule_storage.rule_called(reader, self._broker.keys, record.queue_id, name)
        if rule is None:
            raise not_found(f"{path}/rules/{name}")
        return _rule_told(rule)

    def put_rule(self, path: str, name: str, given: Mapping[str, Any]) -> tuple[dict[str, object], bool]:
        """Make or change a rule; returns it, and whether it is new."""
        _expect(given, {"filter", "action"}, "A rule")
        if not is_rule_name(name):
            raise bad_request(f"'{name:.100}' cannot be the name of a rule: it must be {RULE_NAME_ALLOWED}.")
        rule = Rule(name, _filter(given.get("filter")), _action(given.get("action")), self._broker.now())
        with self._transactions.writer() as writer:
            record = self._record(writer, path)
            if rule_storage.rule_called(writer, self._broker.keys, record.queue_id, name) is None:
                rule_storage.add_rule(self._broker, writer, record, rule)
                return _rule_told(rule), True
            return _rule_told(rule_storage.update_rule(self._broker, writer, record, rule)), False

    def delete_rule(self, path: str, name: str) -> None:
        """Delete a rule."""
        with self._transactions.writer() as writer:
            rule_storage.remove_rule(self._broker, writer, self._record(writer, path), name)

    def _record(self, reader: Reader, path: str) -> EntityRecord:
        record = self._broker.entities.record(reader, path)
        if record is None:
            raise not_found(path)
        return record

    def _topic(self, reader: Reader, path: str) -> EntityRecord:
        record = self._record(reader, path)
        if record.kind is not EntityKind.TOPIC:
            raise not_found(path)
        return record

    def _changed(self, writer: Writer, record: EntityRecord, given: Mapping[str, Any]) -> dict[str, object]:
        described = self._described(writer, record.kind, record.description, given, record.name)
        if (row := fixed_property_changed(record.description, described)) is not None:
            raise bad_request(f"The value for the {row.name} property of an existing entity cannot be changed.")
        return self._told(lifecycle.update_entity(self._broker, writer, record, described))

    def _described(
        self, reader: Reader, kind: EntityKind, current: EntityDescription, given: Mapping[str, Any], path: str
    ) -> EntityDescription:
        rows = {row.name.lower(): row for row in PROPERTIES[kind]}
        values: dict[str, Any] = {}
        properties = given.get("properties", {})
        if not isinstance(properties, dict):
            raise bad_request("The 'properties' are a JSON object.")
        for name, value in properties.items():
            row = rows.get(name.lower())
            if row is None:
                names = ", ".join(small(each.name) for each in rows.values())
                raise bad_request(f"A {kind.name.lower()} has no property '{name:.100}'; it has {names}.")
            values[row.field] = _value(row, value)
            self._require_target(reader, row, values[row.field], path)
        described = msgspec.structs.replace(current, **values)
        if (told := contradiction(described)) is not None:
            raise bad_request(told)
        return described

    def _require_target(self, reader: Reader, row: EntityProperty, value: object, path: str) -> None:
        if row.kind is Kind.ENTITY and (target := normalize(str(value))) and target.lower() != path.lower():
            record = self._broker.entities.record(reader, target)
            if record is None or record.kind is EntityKind.SUBSCRIPTION:
                raise AdminError(400, "The auto forwarding destination entity does not exist.", sub_code=40400)

    def _told(self, record: EntityRecord) -> dict[str, object]:
        description = record.description
        properties = {small(row.name): _shown(row, getattr(description, row.field)) for row in PROPERTIES[record.kind]}
        return {
            "name": record.name,
            "kind": record.kind.name.lower(),
            "createdAt": instant(record.created_at),
            "updatedAt": instant(record.updated_at),
            "properties": properties,
        }


def _page(found: list[dict[str, object]], skip: int, top: int) -> dict[str, object]:
    return {"value": found[:top], "next": skip + top if len(found) > top else None}


def _kind(given: object) -> EntityKind | None:
    kinds = {"": None, "queue": EntityKind.QUEUE, "topic": EntityKind.TOPIC}
    if not isinstance(given, str) or given not in kinds:
        raise bad_request('The "kind" of an entity is "queue" or "topic".')
    return kinds[given]


def _expect(given: Mapping[str, Any], known: set[str], what: str) -> None:
    """Raise AdminError where there is something that nobody would read."""
    for name in given:
        if name not in known:
            raise bad_request(f"{what} has no '{name:.100}'; it has {', '.join(sorted(known))}.")


def _value(row: EntityProperty, value: Any) -> Any:
    """Read one property. Raises AdminError."""
    wanted: type[Any] = bool if row.kind is Kind.BOOLEAN else int if row.kind is Kind.NUMBER else str
    wrong = bad_request(f"The property '{small(row.name)}' must be {row.allowed}.")
    if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
        raise wrong
    try:
        if row.kind is Kind.DURATION:
            value = parse_duration(value)
        elif row.kind is Kind.STATUS:
            value = EntityStatus(value)
    except ValueError:
        raise wrong from None
    if not row.allows(value):
        raise bad_request(row.refusal(value))
    return value


def _shown(row: EntityProperty, value: Any) -> object:
    if row.kind is Kind.DURATION:
        return None if value >= FOREVER else format_duration(value)
    return value.value if isinstance(value, EntityStatus) else value


def _filter(given: object) -> Filter:
    if given is None:
        return TrueFilter()
    if not isinstance(given, dict):
        raise bad_request('A filter is a JSON object such as {"sqlExpression": "size > 10"}.')
    if "sqlExpression" in given:
        _expect(given, {"sqlExpression", "parameters"}, "An SQL filter")
        return SqlFilter(_expression(given), _values(given.get("parameters")))
    _expect(given, set(_CORRELATION), "A correlation filter")
    texts = {_CORRELATION[name]: value for name, value in given.items() if name != "properties"}
    if not all(isinstance(value, str) for value in texts.values()):
        raise bad_request("A correlation filter compares texts; other values are for its 'properties'.")
    return CorrelationFilter(**texts, properties=_values(given.get("properties")))


def _action(given: object) -> SqlAction | None:
    if given is None:
        return None
    if not isinstance(given, dict):
        raise bad_request('An action is a JSON object such as {"sqlExpression": "SET seen = 1"}.')
    _expect(given, {"sqlExpression", "parameters"}, "An action")
    return SqlAction(_expression(given), _values(given.get("parameters")))


def _expression(given: Mapping[str, Any]) -> str:
    expression = given.get("sqlExpression")
    if not isinstance(expression, str):
        raise bad_request("The 'sqlExpression' is a text.")
    return expression


def _values(given: object) -> dict[str, Any]:
    if given is None:
        return {}
    if not isinstance(given, dict) or not all(isinstance(value, str | int | float | bool) for value in given.values()):
        raise bad_request("Parameters and properties are a JSON object of texts, numbers and truth values.")
    return dict(given)


def _rule_told(rule: Rule) -> dict[str, object]:
    told: dict[str, object] = {"name": rule.name, "createdAt": instant(rule.created_at)}
    told["filter"] = _filter_told(rule.filter)
    if rule.action is not None:
        told["action"] = _sql_told(rule.action)
    return told


def _filter_told(found: Filter) -> dict[str, object]:
    if isinstance(found, SqlFilter):
        return _sql_told(found)
    if isinstance(found, CorrelationFilter):
        told = {name: getattr(found, field) for name, field in _CORRELATION.items() if field != "properties"}
        told = {name: value for name, value in told.items() if value is not None}
        return told | ({"properties": _plain(found.properties)} if found.properties else {})
    return {"sqlExpression": "1=0" if isinstance(found, FalseFilter) else "1=1"}


def _sql_told(found: SqlFilter | SqlAction) -> dict[str, object]:
    told: dict[str, object] = {"sqlExpression": found.expression}
    return told | ({"parameters": _plain(found.parameters)} if found.parameters else {})


def _plain(values: Mapping[str, Any]) -> dict[str, object]:
    return {
        name: value if isinstance(value, str | int | float | bool) else str(value) for name, value in values.items()
    }
