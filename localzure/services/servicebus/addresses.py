"""Addresses of links and audiences of tokens: which entity, sub-queue or node they name.

Clients write the same queue as `q`, `/q`, `amqps://host:5672/q` or percent-encoded; entity names may hold slashes and
are compared without regard to case.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from urllib.parse import unquote

CBS_NODE = "$cbs"
"""The node that takes tokens."""

_MANAGEMENT = "/$management"
_DEAD_LETTER = "/$deadletterqueue"
_TRANSFER = "/$transfer"
_SUBSCRIPTIONS = "subscriptions"


class SubQueue(Enum):
    """The queues that come with every queue and subscription."""

    NONE = ""
    DEAD_LETTER = "/$DeadLetterQueue"
    TRANSFER_DEAD_LETTER = "/$Transfer/$DeadLetterQueue"


@dataclass(frozen=True, slots=True)
class EntityAddress:
    """What an address names."""

    entity: str
    """The path of the queue, topic or subscription, in the client's own letters."""
    sub_queue: SubQueue
    is_management: bool
    """The node `$management` of it."""

    @property
    def path(self) -> str:
        """The path of the entity or sub-queue."""
        return self.entity + self.sub_queue.value


def normalize(address: str) -> str:
    """Return the path in an address: no scheme, host and port, decoded, without slashes at its ends."""
    if "://" in address:
        address = address.split("://", 1)[1].partition("/")[2]
    return unquote(address).strip("/")


def parse_address(address: str) -> EntityAddress:
    """Take an address apart."""
    path = normalize(address)
    is_management = f"/{path}".lower().endswith(_MANAGEMENT)
    if is_management:
        path = path[: -len(_MANAGEMENT)] if len(path) > len(_MANAGEMENT) else ""
    sub_queue = SubQueue.NONE
    if path.lower().endswith(_DEAD_LETTER):
        path, sub_queue = path[: -len(_DEAD_LETTER)], SubQueue.DEAD_LETTER
        if path.lower().endswith(_TRANSFER):
            path, sub_queue = path[: -len(_TRANSFER)], SubQueue.TRANSFER_DEAD_LETTER
    return EntityAddress(path.strip("/"), sub_queue, is_management)


def subscription_path(topic: str, name: str) -> str:
    """The path of a topic's subscription."""
    return f"{topic}/Subscriptions/{name}"


def split_subscription(path: str) -> tuple[str, str] | None:
    """The path of the topic and the name of the subscription in a path; None where it is of another kind."""
    front, _, name = path.rpartition("/")
    topic, _, word = front.rpartition("/")
    return (topic, name) if topic and name and word.lower() == _SUBSCRIPTIONS else None


def audience_path(audience: str) -> str:
    """Return the path that a token is for, in lower case; empty for a whole namespace.

    An audience without a scheme may still begin with a host, which is told by its dot, colon or name. One that is the
    whole URL of a request has its query too.
    """
    text = unquote(audience).partition("?")[0]
    if "://" not in text:
        host, _, rest = text.strip("/").partition("/")
        if "." in host or ":" in host or host.lower() == "localhost":
            text = rest
    path = normalize(text).lower()
    return f"/{path}".removesuffix(_MANAGEMENT).strip("/")
