"""What every decision is made with: the keys, and the instant and randomness of the request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localzure.services.interface import Entropy, Instant
    from localzure.services.queue.keys import QueueKeys


@dataclass(slots=True)
class Engine:
    """The parts that decisions share. All that the engine knows is in the store."""

    keys: QueueKeys


@dataclass(slots=True)
class Moment:
    """The one instant of a request, and where the ids and receipts that it gives come from."""

    now: Instant
    entropy: Entropy
