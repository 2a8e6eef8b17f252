"""One request on its way through the service: what was asked, of what, by whom, and with which parts it is answered."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from localzure.services.storage_rest.times import EntityTags, Ticks
from localzure.services.table.engine.state import Engine, Moment
from localzure.services.table.keys import TableKeys

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localzure.auth.accounts import Accounts
    from localzure.auth.principal import Principal
    from localzure.config.settings import AuthLevel
    from localzure.services.interface import Address, Clock, Entropy, HttpRequest, ServiceContext, Transactions
    from localzure.services.table.operations import Operation
    from localzure.services.table.resource import Target


_READING = Moment(Ticks(0))


@dataclass(slots=True)
class Parts:
    """What every request is answered with."""

    transactions: Transactions
    clock: Clock
    entropy: Entropy
    engine: Engine
    accounts: Accounts
    level: AuthLevel
    tags: EntityTags = field(default_factory=EntityTags)

    @classmethod
    def build(cls, context: ServiceContext, accounts: Accounts, level: AuthLevel) -> Parts:
        """Build the parts from what the server gives."""
        engine = Engine(TableKeys(context.space))
        return cls(context.transactions, context.clock, context.entropy, engine, accounts, level)

    def reading(self) -> Moment:
        """The instant of a request that only reads: what it reads is the same at any."""
        return _READING

    def writing(self) -> Moment:
        """The instant of a request that writes: each has ticks of its own."""
        return Moment(self.tags.next(self.clock.now()))


@dataclass(slots=True)
class Call:
    """One request, or one of those in a batch."""

    parts: Parts
    request: HttpRequest
    address: Address
    operation: Operation
    query: Mapping[str, str]
    target: Target
    principal: Principal
