"""When to send a heartbeat, and when a silent peer is given up (OASIS AMQP 1.0, part 2, 2.4.5).

Time comes in as `tick(now)`; what happens in between is only noted. A heartbeat goes out when nothing was sent for a
quarter of the peer's time-out between two looks, so that no gap is longer than half of it.
"""

from __future__ import annotations

ADVERTISED_TIMEOUT_MS = 240_000
"""What we ask of the peer; Azure Service Bus' value. Below two minutes Microsoft's Python client cannot follow."""

SILENCE_SECONDS_MAX = 2 * ADVERTISED_TIMEOUT_MS / 1000
"""A peer is given up after twice what it was asked for, as the standard recommends."""

OPEN_SECONDS_MAX = 60.0
"""How long a peer may take from connecting to OPEN; Azure Service Bus' value."""

INTERVAL_SECONDS_MIN = 0.25
INTERVAL_SECONDS_MAX = 30.0
INTERVAL_SECONDS_BEFORE_OPEN = 0.5


class Heartbeat:
    """The idle time-outs of one connection."""

    __slots__ = ("_heard_at", "_interval", "_next_at", "has_heard", "has_said", "is_open", "wants_heartbeats")

    def __init__(self) -> None:
        self.has_heard = False
        """Set by the connection when bytes come."""
        self.has_said = False
        """Set by the connection when bytes go."""
        self.is_open = False
        self.wants_heartbeats = False
        self._heard_at: float | None = None
        self._interval = INTERVAL_SECONDS_BEFORE_OPEN
        self._next_at: float | None = None

    def opened(self, remote_timeout_ms: int) -> None:
        """The peer's OPEN is there; 0 where it asks for no heartbeats."""
        self.is_open = True
        self.wants_heartbeats = remote_timeout_ms > 0
        self._interval = INTERVAL_SECONDS_MAX
        if self.wants_heartbeats:
            quarter = remote_timeout_ms / 1000 / 4
            self._interval = min(INTERVAL_SECONDS_MAX, max(INTERVAL_SECONDS_MIN, quarter))

    def is_due(self, now: float) -> bool:
        """Whether to send a heartbeat at `now`."""
        if self._next_at is None or now < self._next_at:
            return False
        is_silent, self.has_said = not self.has_said, False
        self._next_at = now + self._interval
        return is_silent and self.wants_heartbeats

    def is_lost(self, now: float) -> bool:
        """Whether the peer has been silent for too long at `now`."""
        if self._heard_at is None or (self.has_heard and self.is_open):
            self._heard_at = now
        self.has_heard = False
        return now >= self._heard_at + (SILENCE_SECONDS_MAX if self.is_open else OPEN_SECONDS_MAX)

    def next_at(self, now: float) -> float:
        """When to look again."""
        if self._next_at is None or self._next_at > now + self._interval:
            self._next_at = now + self._interval
        return self._next_at
