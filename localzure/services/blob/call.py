"""One request on its way through the service: what was asked, of what, by whom, and with which parts it is answered."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from localzure.services.blob.engine.state import Engine, Moment
from localzure.services.blob.jobs import Jobs
from localzure.services.blob.keys import BlobKeys
from localzure.services.storage_rest.times import EntityTags, Ticks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Protocol

    from localzure.auth.accounts import Accounts
    from localzure.auth.principal import Principal
    from localzure.config.settings import AuthLevel
    from localzure.services.blob.engine.state import AccountFeatures
    from localzure.services.blob.operations import Operation
    from localzure.services.interface import (
        Address,
        Clock,
        Entropy,
        Fetch,
        HttpReply,
        HttpRequest,
        ServiceContext,
        ServiceError,
        Transactions,
    )
    from localzure_storage.extents import Extents

    class Admit(Protocol):
        """Lets a request in: as a principal that is known already, or as who it proves to be from."""

        def __call__(self, request: HttpRequest, address: Address, principal: Principal | None = None) -> Call:
            """Raises BlobError, AuthenticationError."""
            ...

    class Serve(Protocol):
        """Answers a request of a batch, in a transaction of its own, if it is for one of some operations."""

        def __call__(
            self, request: HttpRequest, address: Address, operations: frozenset[str], version: str | None
        ) -> HttpReply:
            """Errors are written as replies. `version` is that of a request that names none."""
            ...


@dataclass(slots=True)
class Parts:
    """What every request is answered with."""

    transactions: Transactions
    extents: Extents
    clock: Clock
    entropy: Entropy
    engine: Engine
    accounts: Accounts
    level: AuthLevel
    admit: Admit
    """Who sent a request and what it is for, for the sources of copies too (see `http.BlobService.admit`)."""
    serve: Serve
    refuse: Callable[[HttpRequest, ServiceError], HttpReply]
    """Writes an error as a reply."""
    jobs: Jobs
    fetch: Fetch | None
    """Gets the sources of copies from other servers; None where that is not allowed."""
    tags: EntityTags = field(default_factory=EntityTags)

    @classmethod
    def build(
        cls,
        context: ServiceContext,
        accounts: Accounts,
        level: AuthLevel,
        features: Mapping[str, AccountFeatures],
        admit: Admit,
        serve: Serve,
        refuse: Callable[[HttpRequest, ServiceError], HttpReply],
        fetch: Fetch | None,
    ) -> Parts:
        """Build the parts from what the server gives."""
        engine = Engine(BlobKeys(context.space), context.extents, features)
        return cls(
            transactions=context.transactions,
            extents=context.extents,
            clock=context.clock,
            entropy=context.entropy,
            engine=engine,
            accounts=accounts,
            level=level,
            admit=admit,
            serve=serve,
            refuse=refuse,
            jobs=Jobs(context.alarm),
            fetch=fetch,
        )

    def writing(self) -> Moment:
        """The instant of a request that writes, with the entity tag of what it writes."""
        now = self.clock.now()
        return Moment(now, self.tags.next(now))

    def reading(self) -> Moment:
        """The instant of a request that only reads."""
        return Moment(self.clock.now(), Ticks(0))


@dataclass(slots=True)
class Call:
    """One request."""

    parts: Parts
    request: HttpRequest
    address: Address
    operation: Operation
    query: Mapping[str, str]
    container: str
    """Empty for an operation on the service."""
    blob: str
    """Empty for an operation on the service or a container."""
    principal: Principal
    permissions: frozenset[str] | None = None
    """What a shared access signature gives; None for a caller without one."""
