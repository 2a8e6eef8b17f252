"""A fault rule: what it is for, what goes wrong, and when. It is also the form of a rule in JSON and YAML.

Every field is optional but `effect`; one that is left out restricts nothing. Patterns are shell patterns (`orders*`),
compared without regard to case.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta

if TYPE_CHECKING:
    from collections.abc import Mapping

Protocol = Literal["http", "amqp"]

Effect = Literal[
    "status",
    "delay",
    "reset",
    "truncate",
    "detach",
    "close",
    "reject",
    "release",
    "withhold_credit",
    "lose_session",
    "lose_lock",
]

PROTOCOLS: Mapping[Effect, tuple[Protocol, ...]] = {
    "status": ("http",),
    "reset": ("http",),
    "truncate": ("http",),
    "delay": ("http", "amqp"),
    "detach": ("amqp",),
    "close": ("amqp",),
    "reject": ("amqp",),
    "release": ("amqp",),
    "withhold_credit": ("amqp",),
    "lose_session": ("amqp",),
    "lose_lock": ("amqp",),
}
"""Where each effect can be had."""

MOMENTS: Mapping[Effect, frozenset[str]] = {
    "detach": frozenset({"attach", "send", "receive", "settle"}),
    "close": frozenset({"attach", "send", "receive", "settle"}),
    "delay": frozenset({"attach", "send", "receive", "settle"}),
    "reject": frozenset({"send"}),
    "release": frozenset({"send"}),
    "withhold_credit": frozenset({"credit"}),
    "lose_session": frozenset({"settle", "receive"}),
    "lose_lock": frozenset({"settle"}),
}
"""What a client must be doing on a link for an effect to make sense: the operations of AMQP, as rules name them."""

Status = Annotated[int, Meta(ge=400, le=599)]
Seconds = Annotated[float, Meta(ge=0, le=86_400)]
Count = Annotated[int, Meta(ge=1, le=1_000_000_000)]
Share = Annotated[float, Meta(ge=0, le=1)]


class FaultRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One rule. Raises msgspec.ValidationError where the fields do not fit together."""

    effect: Effect

    service: Literal["blob", "queue", "table", "servicebus"] | None = None
    operation: str = "*"
    """The operation's name, such as `BlockBlob_Upload`; over AMQP: attach, send, receive, settle, credit."""
    method: str = "*"
    """The HTTP method."""
    entity: str = "*"
    """`account/container/blob`, `account/queue`, `account/table` as in the path, or the address of a link."""
    client: str = "*"
    """The client's address, or what it calls itself (`User-Agent`, AMQP's container id)."""

    status: Status | list[Status] = 503
    """One, or several of which one is chosen."""
    code: str | None = None
    """The error code of the reply; by default the one that Azure has for the status."""
    retry_after: Seconds | None = None
    retry_after_format: Literal["seconds", "http_date", "milliseconds"] = "seconds"
    """`Retry-After: 2`, `Retry-After: Sat, 21 Nov 2026 …`, or `x-ms-retry-after-ms: 2000`."""
    delay: Seconds = 1.0
    """What `delay` waits, and for how long `withhold_credit` withholds."""
    keep_bytes: Annotated[int, Meta(ge=0)] | None = None
    """What `truncate` sends of the body; by default half."""
    condition: str | None = None
    """The AMQP condition that the client is told."""

    rate: Share = 1.0
    """The share of what fits that goes wrong."""
    every: Count = 1
    """Only every nth of what fits."""
    burst_size: Count | None = None
    """This many in a row …"""
    burst_interval: Seconds | None = None
    """… and then none until this many seconds after the first of them."""
    times: Count | None = None
    """At most this often."""
    seconds: Seconds | None = None
    """Only this long, from when the rule was made."""
    pattern: Literal["random", "sequential"] = "random"
    """How one of several statuses is chosen."""
    seed: int = 0
    """Makes chance repeatable: the same requests in the same order meet the same faults."""

    def __post_init__(self) -> None:
        if (self.burst_size is None) != (self.burst_interval is None):
            raise ValueError("burst_size and burst_interval belong together")
        if isinstance(self.status, list) and not self.status:
            raise ValueError("status is an empty list")

    @property
    def statuses(self) -> list[int]:
        """The statuses, also where there is only one."""
        return self.status if isinstance(self.status, list) else [self.status]
