"""The call that empties: everything, a service, or a storage account."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from localzure.server.own_api.routes import InvalidCallError, OwnApiError, Route
from localzure.server.services import commit

if TYPE_CHECKING:
    from localzure.server.namespaces import Namespaces
    from localzure.server.own_api.routes import OwnCall
    from localzure.server.services import Services
    from localzure.server.transactions import TickTransactions

STEP_RECORDS = 200
"""Containers, queues or tables that one step takes away: a few milliseconds of work."""

STORAGE_SERVICES = ("blob", "queue", "table")

_NAMESPACE = "servicebus"


class Reset(msgspec.Struct, forbid_unknown_fields=True):
    """What `POST reset` asks for: service and account together are one service of one account."""

    service: str | None = None
    account: str | None = None
    namespace: str | None = None
    """A namespace of Service Bus; an empty text is the one that every server has."""


class ResetCalls:
    """The call, for the services that run."""

    def __init__(
        self,
        services: Services,
        transactions: TickTransactions,
        namespaces: Namespaces,
        changing: asyncio.Lock,
    ) -> None:
        """`changing` is held while the state as a whole is changed."""
        self._changing = changing
        self._services = services
        self._transactions = transactions
        self._namespaces = namespaces

    def routes(self) -> list[Route]:
        """The calls."""
        return [Route("POST", "reset", self._reset)]

    async def _reset(self, call: OwnCall) -> dict[str, object]:
        wanted = call.read(Reset)
        if wanted.account is not None:
            self._services.accounts.use(wanted.account)
        if wanted.account is not None and wanted.account not in self._services.accounts:
            raise OwnApiError(404, "AccountNotFound", f"There is no storage account {wanted.account!r}.")
        names = self._named(wanted)
        async with self._changing:
            for name in names:
                if name == _NAMESPACE:
                    await self._renew(wanted.namespace)
                else:
                    await self._empty(name, wanted.account)
        return {"reset": names, "account": wanted.account}

    def _named(self, wanted: Reset) -> list[str]:
        """The services that are meant. Raises OwnApiError."""
        if wanted.namespace is not None:
            if wanted.account is not None or wanted.service not in (None, _NAMESPACE):
                raise InvalidCallError("A namespace is of Service Bus alone.")
            if self._services.amqp is None or wanted.namespace.lower() not in self._namespaces.names():
                raise OwnApiError(404, "NamespaceNotFound", f"There is no namespace {wanted.namespace!r}.")
            return [_NAMESPACE]
        running = [*self._services.empties, *([_NAMESPACE] if self._services.amqp is not None else [])]
        if wanted.service is None:
            # Keys are no content: tokens of clients that go on stay good.
            return [name for name in running if name in STORAGE_SERVICES or not (wanted.account or name == "entra")]
        if wanted.service not in running:
            raise InvalidCallError(f"No service {wanted.service!r} runs: choose one of {', '.join(running)}.")
        if wanted.account is not None and wanted.service not in STORAGE_SERVICES:
            raise InvalidCallError(f"The service {wanted.service} has no storage accounts.")
        return [wanted.service]

    async def _renew(self, name: str | None) -> None:
        for each in self._namespaces.names() if name is None else [name.lower()]:
            self._namespaces.renew(each)
            await asyncio.sleep(0)

    async def _empty(self, name: str, account: str | None) -> None:
        """Take everything away in steps, between which others have their turn."""
        more = True
        while more:
            with self._transactions.writer() as writer:
                more = self._services.empties[name](writer, account, STEP_RECORDS)
            commit(self._transactions)
            await asyncio.sleep(0)
