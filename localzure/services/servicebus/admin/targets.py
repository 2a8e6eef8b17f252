"""What a path is for: the resources of the namespace.

Names of entities may hold slashes, so what follows an entity is found from the words that Azure keeps for it, which
clients write in different cases. Names keep the letters that they are sent with.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import NamedTuple
from uuid import UUID


class Resource(Enum):
    """What operations are done on."""

    NAMESPACE = auto()
    QUEUES = auto()
    TOPICS = auto()
    ENTITY = auto()
    SUBSCRIPTIONS = auto()
    SUBSCRIPTION = auto()
    RULES = auto()
    RULE = auto()
    MESSAGES = auto()
    HEAD = auto()
    """The next message."""
    MESSAGE = auto()
    """A locked message."""


class Target(NamedTuple):
    """A resource, and what it is or belongs to."""

    resource: Resource
    entity: str = ""
    """The queue or topic, or for messages whatever they are of."""
    subscription: str = ""
    rule: str = ""


_FIXED = {
    "$namespaceinfo": Resource.NAMESPACE,
    "$resources/queues": Resource.QUEUES,
    "$resources/topics": Resource.TOPICS,
}


def target_of(path: str) -> Target:
    """Say what a decoded path is for. Whether a name can be one is for its operation to say."""
    path = path.strip("/")
    fixed = _FIXED.get(path.lower())
    if fixed is not None:
        return Target(fixed)
    parts = path.split("/")
    words = [part.lower() for part in parts]
    if "subscriptions" in words[1:]:
        at = words.index("subscriptions", 1)
        resource = _below_topic(words[at + 1 :])
        if resource is not None:
            return Target(resource, "/".join(parts[:at]), *parts[at + 1 : at + 2], *parts[at + 3 : at + 4])
    if "messages" in words[1:]:
        at = len(words) - 1 - words[::-1].index("messages")
        resource = _below_messages(words[at + 1 :])
        if resource is not None:
            return Target(resource, "/".join(parts[:at]))
    return Target(Resource.ENTITY, path)


def _below_topic(words: list[str]) -> Resource | None:
    """What follows `subscriptions`: its name, then its rules."""
    if not words:
        return Resource.SUBSCRIPTIONS
    if len(words) == 1:
        return Resource.SUBSCRIPTION
    if words[1] == "rules" and len(words) <= 3:
        return Resource.RULES if len(words) == 2 else Resource.RULE
    return None


def _below_messages(words: list[str]) -> Resource | None:
    """What follows `messages`: nothing, the head of the queue, or a message's id and lock token."""
    if not words:
        return Resource.MESSAGES
    if words == ["head"]:
        return Resource.HEAD
    if len(words) == 2:
        try:
            UUID(words[1])
        except ValueError:
            return None
        return Resource.MESSAGE
    return None
