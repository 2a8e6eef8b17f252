"""Descriptions of queues through XML and back, and whatever bytes a client sends."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from localzure.services.servicebus.addresses import SubQueue
from localzure.services.servicebus.admin import atom
from localzure.services.servicebus.admin.errors import AdminError
from localzure.services.servicebus.admin.queues import read_queue, write_queue
from localzure.services.servicebus.model import (
    AuthorizationRule,
    Counters,
    EntityDescription,
    EntityRecord,
    EntityStatus,
)
from localzure.services.servicebus.properties import QUEUE_PROPERTIES, EntityProperty, Kind
from tests.twins import SeededEntropy

NOW = 1_767_225_600_000_000
ENTROPY = SeededEntropy()

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

descriptions = st.fixed_dictionaries(
    {row.field: values(row) for row in QUEUE_PROPERTIES} | {"authorization_rules": rules}
).filter(lambda given: not (given["enable_express"] and given["requires_duplicate_detection"]))

counters = st.builds(
    Counters, active=st.integers(0, 2**31), deferred=st.integers(0, 9), scheduled=st.integers(0, 9), bytes=instants
)


def written(description: EntityDescription, counts: list[Counters]) -> bytes:
    record = EntityRecord(
        name="q",
        queue_id=1,
        dead_letter_id=2,
        transfer_dead_letter_id=3,
        created_at=NOW,
        updated_at=NOW,
        description=description,
    )
    described = write_queue(record, dict(zip(SubQueue, counts, strict=True)), NOW, "sb://some.host:5300/")
    return atom.entry_document(atom.Entry("q", "https://some.host/q", NOW, NOW, described), "ns")


@given(descriptions, st.lists(counters, min_size=3, max_size=3))
def test_what_is_written_is_read_back(given_values: dict[str, Any], counts: list[Counters]) -> None:
    description = EntityDescription(**given_values)
    element = atom.description_of(atom.parse(written(description, counts)))
    # As an update by a client that sends back what it got.
    assert read_queue(element, description, NOW, ENTROPY) == description


@given(descriptions, st.randoms(use_true_random=False), st.sampled_from(["", "ns0:", "d4p1:"]))
def test_neither_order_nor_prefixes_matter(given_values: dict[str, Any], random: Any, prefix: str) -> None:
    description = EntityDescription(**given_values)
    root = atom.parse(written(description, [Counters()] * 3))
    element = atom.description_of(root)
    random.shuffle(element.children)
    assert read_queue(element, description, NOW, ENTROPY) == description
    bare = written(EntityDescription(max_delivery_count=description.max_delivery_count), [Counters()] * 3)
    prefixed = bare.replace(b"<MaxDeliveryCount", f"<{prefix}MaxDeliveryCount".encode())
    prefixed = prefixed.replace(b"</MaxDeliveryCount", f"</{prefix}MaxDeliveryCount".encode())
    found = read_queue(atom.description_of(atom.parse(prefixed)), None, NOW, ENTROPY)
    assert found.max_delivery_count == description.max_delivery_count


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
    ).map(b"".join)
)
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with suppress(atom.AtomError, AdminError):
        read_queue(atom.description_of(atom.parse(data)), None, NOW, ENTROPY)
