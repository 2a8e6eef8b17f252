"""Entities that are made at start, from the configuration file of Microsoft's Service Bus emulator.

    {"UserConfig": {"Namespaces": [{"Name": …, "Queues": [{"Name": …, "Properties": {"LockDuration": "PT1M", …}}]}]}}

Comments and trailing commas are allowed, and names of keys are taken in any case, as in .NET. A value that Azure would
refuse is refused here with its place in the file; what is not known is told and left out. Properties that are not given
have Azure's defaults: a queue that is only named keeps its messages for ever.
"""

from __future__ import annotations

import json
import logging
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from localzure.services.servicebus.durations import MICROSECONDS, parse_duration
from localzure.services.servicebus.model import MINUTE, EntityStatus, QueueDescription
from localzure.services.servicebus.properties import QUEUE_PROPERTIES, Kind, QueueProperty

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from localzure.services.servicebus.engine.entities import Entities
    from localzure_storage.store import Writer

FILE_BYTES_MAX = 16 * 1024 * 1024
"""Larger files are no seed; ten thousand entities with every property take less."""

NAME_CHARACTERS_MAX = 260
"""Longest path of a queue (Azure's quota)."""

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._/-]*[A-Za-z0-9])?", re.ASCII)
_NAME_ALLOWED = (
    f"letters, digits, '.', '-', '_' and '/', with a letter or digit first and last, up to {NAME_CHARACTERS_MAX} "
    "characters"
)

_log = logging.getLogger(__name__)


class SeedError(Exception):
    """A seed cannot be taken; the text is one line: file, place in it, value, and what is allowed."""


@dataclass(frozen=True, slots=True)
class QueueSeed:
    """A queue that is to exist."""

    name: str
    description: QueueDescription = field(default_factory=QueueDescription)
    origin: str = ""
    """File and place in it."""


SAMPLE_QUEUE = QueueSeed(
    "queue.1",
    QueueDescription(
        default_message_time_to_live=60 * MINUTE,
        duplicate_detection_history_time_window=20 * MICROSECONDS,
        max_delivery_count=3,
    ),
)
"""What Microsoft's emulator has where nobody configures it."""

WITHOUT_EFFECT = (
    "requires_duplicate_detection",
    "requires_session",
    "forward_to",
    "forward_dead_lettered_messages_to",
    "auto_delete_on_idle",
)
"""Fields of a description that are kept, and do nothing yet."""


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
        return parse_seed(data.decode("utf-8-sig"), str(path))
    except UnicodeDecodeError as error:
        raise SeedError(f"{path}: not UTF-8 text (byte {error.start})") from None


def parse_seed(text: str, shown: str) -> tuple[QueueSeed, ...]:
    """Read the queues of a seed; `shown` is what to call the file. Raises SeedError."""
    try:
        tree = json.loads(_without_comments(text))
    except json.JSONDecodeError as error:
        raise SeedError(f"{shown}: line {error.lineno}, column {error.colno}: {error.msg}") from None
    except RecursionError:
        raise SeedError(f"{shown}: nested too deep") from None
    user_config = _Place(shown, "", tree).required("UserConfig")
    user_config.expect({"Namespaces", "Logging"})
    seeds: dict[str, QueueSeed] = {}
    for namespace in user_config.required("Namespaces").elements():
        namespace.expect({"Name", "Queues", "Topics"})
        for queue in namespace.elements_of("Queues"):
            seed = _queue(queue)
            if seed.name.lower() in seeds:
                raise queue.required("Name").wrong("a name that no other queue has")
            seeds[seed.name.lower()] = seed
        topics = [str(topic.required("Name").value) for topic in namespace.elements_of("Topics")]
        if topics:
            _log.warning("%s: topics are not supported yet and are left out: %s", shown, ", ".join(topics))
    return tuple(seeds.values())


def apply_seed(entities: Entities, writer: Writer, seed: QueueSeed, now: int) -> None:
    """Make sure that a queue exists as seeded, at start, before anybody uses it. Raises SeedError."""
    record = entities.record(writer, seed.name)
    if record is None:
        entities.create_queue(writer, seed.name, seed.description, now)
    elif record.description != seed.description:
        for row in QUEUE_PROPERTIES:
            stored, wanted = getattr(record.description, row.field), getattr(seed.description, row.field)
            if row.is_fixed and stored != wanted:
                raise SeedError(
                    f"{seed.origin}.Properties.{row.name}: {json.dumps(wanted)} cannot be taken: the queue "
                    f"{record.name!r} exists with {json.dumps(stored)}, and this cannot be changed"
                )
        entities.update_queue(writer, record, seed.description, now)


def _queue(place: _Place) -> QueueSeed:
    place.expect({"Name", "Properties"})
    name = place.required("Name")
    if not isinstance(name.value, str) or len(name.value) > NAME_CHARACTERS_MAX or not _NAME.fullmatch(name.value):
        raise name.wrong(_NAME_ALLOWED)
    values: dict[str, Any] = {}
    properties = place.member("Properties")
    if properties is not None:
        properties.expect({row.name for row in QUEUE_PROPERTIES})
        for row in QUEUE_PROPERTIES:
            given = properties.member(row.name)
            if given is not None:
                values[row.field] = _value(row, given)
    description = QueueDescription(**values)
    idle = [
        row.name
        for row in QUEUE_PROPERTIES
        if row.field in WITHOUT_EFFECT and getattr(description, row.field) != getattr(QueueDescription(), row.field)
    ]
    if idle:
        _log.warning("%s: kept, but without effect yet: %s", place.shown, ", ".join(idle))
    return QueueSeed(name.value, description, place.shown)


def _value(row: QueueProperty, place: _Place) -> bool | int | str:
    """One property's value, checked. Raises SeedError."""
    value: bool | int | str = place.value
    try:
        if row.kind is Kind.DURATION and isinstance(value, str):
            value = parse_duration(value)
        elif row.kind is Kind.STATUS and isinstance(value, str):
            value = EntityStatus(value)
        elif not isinstance(value, _JSON_TYPES[row.kind]) or (row.kind is Kind.NUMBER and isinstance(value, bool)):
            raise place.wrong(row.allowed)
    except ValueError:
        raise place.wrong(row.allowed) from None
    if not row.allows(value):
        raise place.wrong(row.allowed)
    return value


_JSON_TYPES: dict[Kind, type | tuple[()]] = {
    Kind.BOOLEAN: bool,
    Kind.NUMBER: int,
    Kind.TEXT: str,
    Kind.DURATION: (),
    Kind.STATUS: (),
}


@dataclass(frozen=True, slots=True)
class _Place:
    """A value in the file, and where it is."""

    file: str
    path: str
    value: Any

    @property
    def shown(self) -> str:
        return f"{self.file}: {self.path}" if self.path else self.file

    def wrong(self, allowed: str) -> SeedError:
        return SeedError(f"{self.shown}: {json.dumps(self.value):.200} is not allowed, it must be {allowed}")

    def mapping(self) -> Mapping[str, Any]:
        if not isinstance(self.value, dict):
            raise self.wrong("an object")
        return self.value

    def member(self, name: str) -> _Place | None:
        """The member called `name`, in any case; None where it is missing or null."""
        for key, value in self.mapping().items():
            if key.lower() == name.lower() and value is not None:
                return _Place(self.file, f"{self.path}.{key}" if self.path else key, value)
        return None

    def required(self, name: str) -> _Place:
        found = self.member(name)
        if found is None:
            raise SeedError(f"{self.shown}: {name!r} is missing")
        return found

    def elements(self) -> Iterator[_Place]:
        if not isinstance(self.value, list):
            raise self.wrong("an array")
        for index, value in enumerate(self.value):
            yield _Place(self.file, f"{self.path}[{index}]", value)

    def elements_of(self, name: str) -> Iterator[_Place]:
        found = self.member(name)
        if found is not None:
            yield from found.elements()

    def expect(self, names: set[str]) -> None:
        """Tell what nobody knows: a misspelt name would otherwise be lost without a word."""
        known = {name.lower() for name in names}
        for key in self.mapping():
            if key.lower() not in known:
                _log.warning("%s: unknown and left out: %r; known are %s", self.shown, key, ", ".join(sorted(names)))


_STRING_OR_COMMENT = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
_STRING_OR_LAST_COMMA = re.compile(r'"(?:\\.|[^"\\])*"|,(?=\s*[\]}])', re.DOTALL)
_NOT_NEWLINE = re.compile(r"[^\n]")


def _without_comments(text: str) -> str:
    """Blank out comments and trailing commas, so that everything else keeps its line and column."""

    def blank(match: re.Match[str]) -> str:
        found = match.group()
        return found if found.startswith('"') else _NOT_NEWLINE.sub(" ", found)

    return _STRING_OR_LAST_COMMA.sub(blank, _STRING_OR_COMMENT.sub(blank, text))
