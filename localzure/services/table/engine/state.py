"""What every decision is made with: the keys, and the instant of the request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localzure.services.storage_rest.times import Ticks
    from localzure.services.table.keys import TableKeys


@dataclass(slots=True)
class Engine:
    """The parts that decisions share. All that the service knows is in the store."""

    keys: TableKeys


@dataclass(slots=True)
class Moment:
    """The one instant of a request: the Timestamp of what it writes."""

    ticks: Ticks
