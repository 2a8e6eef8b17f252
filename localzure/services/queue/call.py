"""One request on its way through the service: what was asked, of what, by whom, and with which parts it is answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from localzure.services.queue.deadlines import Deadlines
from localzure.services.queue.engine.state import Engine, Moment
from localzure.services.queue.keys import QueueKeys

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localzure.auth.accounts import Accounts
    from localzure.auth.principal import Principal
    from localzure.config.settings import AuthLevel
    from localzure.services.interface import Address, Clock, Entropy, HttpRequest, ServiceContext, Transactions
    from localzure.services.queue.operations import Operation


@dataclass(slots=True)
class Parts:
    """What every request is answered with."""

    transactions: Transactions
    clock: Clock
    entropy: Entropy
    engine: Engine
    deadlines: Deadlines
    accounts: Accounts
    level: AuthLevel

    @classmethod
    def build(cls, context: ServiceContext, accounts: Accounts, level: AuthLevel) -> Parts:
        """Build the parts from what the server gives."""
        engine = Engine(QueueKeys(context.space))
        deadlines = Deadlines(engine, context.transactions, context.clock, context.alarm)
        return cls(context.transactions, context.clock, context.entropy, engine, deadlines, accounts, level)

    def reading(self) -> Moment:
        """The instant of a request."""
        return Moment(self.clock.now(), self.entropy)

    writing = reading


@dataclass(slots=True)
class Call:
    """One request."""

    parts: Parts
    request: HttpRequest
    address: Address
    operation: Operation
    query: Mapping[str, str]
    queue: str
    """Empty for an operation on the service."""
    message: str
    """The message's id as it was sent; empty for an operation on anything else."""
    principal: Principal
