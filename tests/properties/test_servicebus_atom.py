"""Descriptions of entities and rules through XML and back, and whatever bytes a client sends."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import fields
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from localzure.services.servicebus.addresses import SubQueue
from localzure.services.servicebus.admin import atom
from localzure.services.servicebus.admin.descriptions import FORMS, Usage, read_description, write_description
from localzure.services.servicebus.admin.errors import AdminError
from localzure.services.servicebus.admin.rule_descriptions import read_rule, write_rule
from localzure.services.servicebus.engine.view import TIMESPAN
from localzure.services.servicebus.model import (
    AuthorizationRule,
    Counters,
    EntityDescription,
    EntityKind,
    EntityRecord,
    EntityStatus,
    Tally,
)
from localzure.services.servicebus.properties import PROPERTIES, EntityProperty, Kind
from localzure.services.servicebus.rules.model import (
    CorrelationFilter,
    FalseFilter,
    Rule,
    SqlAction,
    SqlFilter,
    TrueFilter,
    ZonelessTime,
)
from localzure.services.servicebus.rules.stored import decode_rule, encode_rule
from localzure_protocols.amqp.types import Described, Int, Timestamp
from tests.twins import SeededEntropy

NOW = 1_767_225_600_000_000
ENTROPY = SeededEntropy()
CORRELATION_FIELDS = [each.name for each in fields(CorrelationFilter) if each.name != "properties"]

names = st.from_regex(r"[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,30}[A-Za-z0-9])?", fullmatch=True)
# What XML can hold. Spaces at the ends of keys are nobody's.
texts = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")
    | st.sampled_from("\t\n\r"),
    max_size=60,
)
words = texts.map(str.strip).filter(bool)
instants = st.integers(1, 4 * 10**15)


def values(row: EntityProperty) -> st.SearchStrategy[Any]:
    """The values that a property may have."""
    match row.kind:
        case Kind.BOOLEAN:
            return st.booleans()
        case Kind.NUMBER:
            return st.sampled_from(row.choices) if row.choices else st.integers(row.least, row.most)
        case Kind.DURATION:
            # What falls short of the greatest by less than a second is taken for it.
            return st.integers(row.least, row.most - 1_000_000) | st.just(row.most)
        case Kind.TEXT:
            return texts
        case Kind.ENTITY:
            return st.just("") | names.map(lambda name: f"sb://some.host:5300/{name}")
        case Kind.STATUS:
            return st.sampled_from(EntityStatus)


rules = st.lists(
    st.builds(
        AuthorizationRule,
        key_name=words,
        primary_key=words,
        secondary_key=words,
        rights=st.sampled_from([("Listen",), ("Send",), ("Send", "Listen"), ("Manage", "Listen", "Send"), ()]),
        created_at=instants,
        modified_at=instants,
    ),
    max_size=3,
    unique_by=lambda rule: rule.key_name,
).map(tuple)


@st.composite
def descriptions(draw: st.DrawFn) -> tuple[EntityKind, EntityDescription]:
    """An entity of any kind, each of its properties set."""
    kind = draw(st.sampled_from(EntityKind))
    given_values = {row.field: draw(values(row)) for row in PROPERTIES[kind]}
    if kind is not EntityKind.SUBSCRIPTION:
        given_values["authorization_rules"] = draw(rules)
    if given_values.get("enable_express"):
        given_values["requires_duplicate_detection"] = False
    return kind, EntityDescription(**given_values)


counters = st.builds(
    Counters, active=st.integers(0, 2**31), deferred=st.integers(0, 9), scheduled=st.integers(0, 9), bytes=instants
)


def written(kind: EntityKind, description: EntityDescription, counts: list[Counters]) -> bytes:
    record = EntityRecord(
        name="t/Subscriptions/s" if kind is EntityKind.SUBSCRIPTION else "q",
        queue_id=1,
        dead_letter_id=2,
        transfer_dead_letter_id=3,
        created_at=NOW,
        updated_at=NOW,
        description=description,
        kind=kind,
    )
    usage = Usage(dict(zip(SubQueue, counts, strict=True)), NOW, Tally(subscriptions=7))
    described = write_description(record, usage, "sb://some.host:5300/")
    return atom.entry_document(atom.Entry("q", "https://some.host/q", NOW, NOW, described), "ns")


@given(descriptions(), st.lists(counters, min_size=3, max_size=3))
def test_what_is_written_is_read_back(described: tuple[EntityKind, EntityDescription], counts: list[Counters]) -> None:
    kind, description = described
    element = atom.description_of(atom.parse(written(kind, description, counts)))
    order = FORMS[kind].order
    names = [child.name for child in element.children]
    assert names == [name for name in order if name in names]
    # As an update by a client that sends back what it got.
    assert read_description(kind, element, description, NOW, ENTROPY) == description


@given(descriptions(), st.randoms(use_true_random=False), st.sampled_from(["", "ns0:", "d4p1:"]))
def test_neither_order_nor_prefixes_matter(
    described: tuple[EntityKind, EntityDescription], random: Any, prefix: str
) -> None:
    kind, description = described
    root = atom.parse(written(kind, description, [Counters()] * 3))
    element = atom.description_of(root)
    random.shuffle(element.children)
    assert read_description(kind, element, description, NOW, ENTROPY) == description
    bare = written(kind, EntityDescription(default_message_time_to_live=NOW), [Counters()] * 3)
    prefixed = bare.replace(b"<DefaultMessageTimeToLive", f"<{prefix}DefaultMessageTimeToLive".encode())
    prefixed = prefixed.replace(b"</DefaultMessageTimeToLive", f"</{prefix}DefaultMessageTimeToLive".encode())
    found = read_description(kind, atom.description_of(atom.parse(prefixed)), None, NOW, ENTROPY)
    assert found.default_message_time_to_live == NOW


# What each type of XML Schema can hold, as it is kept; times have milliseconds, and durations no more than .NET's.
rule_values = st.one_of(
    texts,
    st.booleans(),
    st.integers(-(2**31), 2**31 - 1).map(Int),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.integers(0, 4 * 10**12).map(Timestamp),
    st.integers(0, 4 * 10**12).map(ZonelessTime),
    st.integers(-(10**15), 10**15).map(lambda microseconds: Described(TIMESPAN, 10 * microseconds)),
    st.none(),
)
rule_maps = st.dictionaries(texts.filter(bool), rule_values, max_size=4)
correlations = st.builds(
    CorrelationFilter, properties=rule_maps, **{field: st.none() | texts.filter(bool) for field in CORRELATION_FIELDS}
)
filters = st.one_of(st.just(TrueFilter()), st.just(FalseFilter()), st.builds(SqlFilter, texts, rule_maps), correlations)
whole_rules = st.builds(Rule, words, filters, st.none() | st.builds(SqlAction, texts, rule_maps), instants)


@given(whole_rules)
def test_rules_are_read_back_with_the_types_of_their_values(rule: Rule) -> None:
    document = atom.entry_document(atom.Entry("r", "https://some.host/r", NOW, NOW, write_rule(rule)), "ns")
    read = read_rule(atom.description_of(atom.parse(document)), rule.name, rule.created_at)
    assert read == rule
    assert typed(read) == typed(rule)
    # What is stored is the same as well.
    assert typed(decode_rule(encode_rule(read))) == typed(rule)


def typed(rule: Rule) -> list[Any]:
    """The types of the values in a rule."""
    maps = [getattr(rule.filter, "parameters", {}), getattr(rule.filter, "properties", {})]
    maps.append({} if rule.action is None else rule.action.parameters)
    return [{name: type(value) for name, value in each.items()} for each in maps]


@settings(max_examples=300)
@given(
    st.binary(max_size=200)
    | st.lists(
        st.sampled_from(
            [
                b"<entry>",
                b"</entry>",
                b"<content>",
                b"</content>",
                b"<QueueDescription>",
                b"</QueueDescription>",
                b"<LockDuration>",
                b"</LockDuration>",
                b"<AuthorizationRules><AuthorizationRule/></AuthorizationRules>",
                b"<MaxDeliveryCount>3</MaxDeliveryCount>",
                b"<!DOCTYPE x>",
                b"&amp;",
                b"&x;",
                b'<a i:nil="true" xmlns:i="y"/>',
                b"PT1M",
            ]
        ),
        max_size=12,
    ).map(b"".join),
    st.sampled_from(EntityKind),
)
def test_any_bytes_are_read_or_refused(data: bytes, kind: EntityKind) -> None:
    with suppress(atom.AtomError, AdminError):
        read_description(kind, atom.description_of(atom.parse(data)), None, NOW, ENTROPY)
