"""Entities that are made at start, from the configuration file of Microsoft's emulator or from a seed of our own.

    {"UserConfig": {"Namespaces": [{"Name": …, "Queues": [{"Name": …, "Properties": {"LockDuration": "PT1M", …}}]}]}}

    servicebus:
      queues:
        orders: {lock_duration: PT1M, max_delivery_count: 5}

A file named `.yaml` or `.yml` is YAML, any other JSON in which comments are allowed; which of the two forms it has is
told by its first key. Names of keys are taken in any case, with underscores or without. A value that Azure would
refuse is refused here with its place in the file; what is not known is told and left out. Properties that are not given
have Azure's defaults: a queue that is only named keeps its messages for ever.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from localzure.services.servicebus.addresses import parse_address
from localzure.services.servicebus.durations import MICROSECONDS, parse_duration
from localzure.services.servicebus.model import MINUTE, EntityDescription, EntityKind, EntityStatus
from localzure.services.servicebus.properties import (
    NAME_ALLOWED,
    PROPERTIES,
    EntityProperty,
    Kind,
    contradiction,
    fixed_property_changed,
    is_name,
)
from localzure.services.servicebus.seed_tree import Place, SeedError, parse_tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from localzure.services.servicebus.engine.entities import Entities
    from localzure_storage.store import Writer

FILE_BYTES_MAX = 16 * 1024 * 1024
"""Larger files are no seed; ten thousand entities with every property take less."""

_PROPERTY_NAMES = [row.name for row in PROPERTIES[EntityKind.QUEUE]]
_YAML_SUFFIXES = {".yaml", ".yml"}

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class QueueSeed:
    """A queue that is to exist."""

    name: str
    description: EntityDescription = field(default_factory=EntityDescription)
    origin: str = ""
    """File and place in it."""


SAMPLE_QUEUE = QueueSeed(
    "queue.1",
    EntityDescription(
        default_message_time_to_live=60 * MINUTE,
        duplicate_detection_history_time_window=20 * MICROSECONDS,
        max_delivery_count=3,
    ),
)
"""What Microsoft's emulator has where nobody configures it."""


def load_seed(path: Path) -> tuple[QueueSeed, ...]:
    """Read the queues of a seed file. Raises SeedError."""
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


def parse_seed(text: str, shown: str, *, is_yaml: bool = False) -> tuple[QueueSeed, ...]:
    """Read the queues of a seed; `shown` is what to call the file. Raises SeedError."""
    tree = parse_tree(text, shown, is_yaml=is_yaml)
    seeds: dict[str, QueueSeed] = {}
    for name, place in _queues(tree):
        if not isinstance(name.value, str) or not is_name(name.value):
            raise name.wrong(NAME_ALLOWED)
        if name.value.lower() in seeds:
            raise name.wrong("a name that no other queue has")
        seeds[name.value.lower()] = QueueSeed(name.value, _description(place), place.shown)
    return tuple(seeds.values())


def apply_seeds(entities: Entities, writer: Writer, seeds: Sequence[QueueSeed], now: int) -> None:
    """Make sure that queues exist as seeded, at start, before anybody uses them. Raises SeedError."""
    for seed in seeds:
        _apply(entities, writer, seed, now)
    for seed in seeds:
        for row in PROPERTIES[EntityKind.QUEUE]:
            target = getattr(seed.description, row.field)
            if row.kind is Kind.ENTITY and target and entities.record(writer, parse_address(target).entity) is None:
                _log.warning("%s: %s is %r, which does not exist", seed.origin, row.name, target)


def _apply(entities: Entities, writer: Writer, seed: QueueSeed, now: int) -> None:
    record = entities.record(writer, seed.name)
    if record is None:
        entities.create_queue(writer, seed.name, seed.description, now)
        return
    changed = fixed_property_changed(record.description, seed.description)
    if changed is not None:
        stored, given = (getattr(each, changed.field) for each in (record.description, seed.description))
        raise SeedError(
            f"{seed.origin}.{changed.name}: {json.dumps(given)} cannot be taken: the queue {record.name!r} exists "
            f"with {json.dumps(stored)}, and this cannot be changed"
        )
    # A seed says nothing of access keys: those of the queue stay.
    wanted = msgspec.structs.replace(seed.description, authorization_rules=record.description.authorization_rules)
    if record.description != wanted:
        entities.update(writer, record, wanted, now)


def _queues(tree: Place) -> Iterator[tuple[Place, Place]]:
    """The name of each queue, and where its properties are. Raises SeedError."""
    if (user_config := tree.member("UserConfig")) is not None:
        yield from _queues_of_user_config(user_config)
    elif (own := tree.member("servicebus")) is not None:
        tree.expect({"servicebus"})
        own.expect({"queues"})
        if (queues := own.member("queues")) is not None:
            for name, place in queues.members():
                yield Place(place.file, place.path, name), place
    else:
        raise SeedError(f"{tree.shown}: neither 'servicebus' nor 'UserConfig' (Microsoft's form) is there")


def _queues_of_user_config(user_config: Place) -> Iterator[tuple[Place, Place]]:
    user_config.expect({"Namespaces", "Logging"})
    for namespace in user_config.required("Namespaces").elements():
        namespace.expect({"Name", "Queues", "Topics"})
        for queue in namespace.elements_of("Queues"):
            queue.expect({"Name", "Properties"})
            properties = queue.member("Properties") or Place(queue.file, queue.path, None)
            yield queue.required("Name"), properties
        topics = [str(topic.required("Name").value) for topic in namespace.elements_of("Topics")]
        if topics:
            _log.warning("%s: topics are not supported yet and are left out: %s", user_config.file, ", ".join(topics))


def _description(place: Place) -> EntityDescription:
    """The properties at `place`, which may be null. Raises SeedError."""
    if place.value is None:
        return EntityDescription()
    place.expect(_PROPERTY_NAMES)
    values: dict[str, Any] = {
        row.field: _value(row, given) for row in PROPERTIES[EntityKind.QUEUE] if (given := place.member(row.name))
    }
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
