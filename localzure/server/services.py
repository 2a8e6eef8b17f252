"""Which services there are, and how each is built and wired to the server."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from localzure.auth.accounts import Accounts
from localzure.auth.tokens import TokenVerifier
from localzure.config.settings import DEVELOPMENT_ACCOUNT
from localzure.rbac.assignments import RoleAssignments
from localzure.server.aside import LoopAside
from localzure.server.fetching import LoopFetch
from localzure.server.generations import Generations
from localzure.server.namespace_porting import NamespacePorter
from localzure.server.namespaces import NamespaceParts, Namespaces
from localzure.server.resting import RESTING
from localzure.server.startup import StartupError
from localzure.server.timers import LoopAlarm
from localzure.services.blob import AccountFeatures, BlobService, BlobSettings
from localzure.services.entra import EntraService, EntraSettings
from localzure.services.entra.model import Subject
from localzure.services.interface import ServiceContext
from localzure.services.queue import QueueService, QueueSettings
from localzure.services.servicebus.access import AccessKey, rights_called
from localzure.services.servicebus.admin.http import NAMESPACE
from localzure.services.servicebus.engine.counts import Counts
from localzure.services.servicebus.engine.quotas import Quotas
from localzure.services.servicebus.seed import load_seed
from localzure.services.servicebus.seed_tree import SeedError
from localzure.services.servicebus.settings import TIERS, ServiceBusSettings
from localzure.services.table import TableService, TableSettings
from localzure_storage.extents import Extents
from localzure_storage.keys import Subspace
from localzure_storage.store import StorageError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Collection, Iterable, Sequence

    from localzure.config.settings import Settings, StorageAccount
    from localzure.server.clock import VirtualClock
    from localzure.server.own_api.routes import Route
    from localzure.server.transactions import TickTransactions
    from localzure.services.interface import AmqpService, Entropy, HttpService
    from localzure.services.porting import Porter
    from localzure.services.servicebus.seed import EntitySeed
    from localzure_storage.store import Writer

ROOT = Subspace(b"")
"""The whole key space of the store: each service has the part below its name, extents have theirs."""

SWEEP_RECORDS = 256
"""Records that one step of a service's sweep may free: a millisecond or two of work."""

SWEEP_BYTES = 4 * 1024 * 1024
"""Content that one step of the sweep may free: a few milliseconds of work."""


@dataclass(slots=True)
class Services:
    """The services that run."""

    accounts: Accounts
    """The storage accounts, shared by all that serve them."""
    roles: RoleAssignments
    """What identities may do, where that is asked."""
    aside: LoopAside
    fetch: LoopFetch
    features: dict[str, AccountFeatures] = field(default_factory=dict)
    """What each account's Blob service is told to be, shared with it."""
    http: dict[str, HttpService] = field(default_factory=dict)
    warm_ups: list[Callable[[], None]] = field(default_factory=list)
    """What begins to prepare a thing ahead, beside the loop."""
    amqp: AmqpService | None = None
    routes: dict[str, Sequence[Route]] = field(default_factory=dict)
    """What a service adds to LocalZure's own API, by its name."""
    sweeps: dict[str, Callable[[Writer], bool]] = field(default_factory=dict)
    """By its name, what frees in bounded steps what a service has left behind; True while there may be more."""
    empties: dict[str, Callable[[Writer, str | None, int], bool]] = field(default_factory=dict)
    """By its name, what takes some things from an account, None for all; True while there may be more."""
    porters: dict[str, Porter] = field(default_factory=dict)
    """By its name, what carries the content of a service out and in."""
    alarms: dict[str, LoopAlarm] = field(default_factory=dict)
    is_importing: bool = False
    """Sweeping rests meanwhile: what is to be swept if an import fails is what it brings in."""

    def take_accounts(self, accounts: Iterable[StorageAccount]) -> None:
        """Let these accounts be all there are, as their entries say, from the next request on."""
        known = tuple(accounts)
        self.accounts.replace({account.name: account.key_bytes for account in known})
        self.features.clear()
        self.features.update({account.name: _features(account) for account in known})

    def serving_amqp(self) -> AmqpService:
        """The service that takes AMQP connections now."""
        return RESTING if self.amqp is None else self.amqp

    def close(self) -> None:
        """Cancel what is armed."""
        self.aside.close()
        self.fetch.close()
        for alarm in self.alarms.values():
            alarm.silence()


def read_seeds(settings: Settings) -> tuple[EntitySeed, ...]:
    """Read the seed files, before anything is made. Raises StartupError."""
    try:
        return tuple(seed for path in settings.seeds for seed in load_seed(path))
    except SeedError as error:
        raise StartupError(str(error)) from error


class Builder:
    """Builds each service of the settings from the server's parts."""

    def __init__(
        self,
        settings: Settings,
        transactions: TickTransactions,
        clock: VirtualClock,
        entropy: Entropy,
        loop: asyncio.AbstractEventLoop,
        seeds: tuple[EntitySeed, ...],
    ) -> None:
        """All services share these; `seeds` come from `read_seeds`."""
        self._settings = settings
        self._transactions = transactions
        self._clock = clock
        self._entropy = entropy
        self._loop = loop
        self._extents = Extents(ROOT.subspace("extents"))
        self._generations = Generations(ROOT)
        self._rearm_queue: Callable[[], None] | None = None
        self._counts = Counts()
        self._running: dict[str, None] = {}
        """The built-in services that run, in the order of their start."""
        self._is_seeded = False
        """Service Bus was started once: seeding is for the server's start."""
        self.also_rebuilt: list[Callable[[], None]] = []
        """What is called when all services are built anew."""
        self._accounts = Accounts({account.name: account.key_bytes for account in settings.accounts})
        if settings.accounts_on_first_use:
            self._accounts.first_use_keys = DEVELOPMENT_ACCOUNT.key_bytes
        roles = RoleAssignments(settings.role_assignments, lambda tenant, client: Subject(tenant, client).oid)
        self._accounts.roles = roles if settings.auth == "rbac" else None
        self._services = Services(self._accounts, roles, LoopAside(loop), LoopFetch(loop))
        self._namespaces = Namespaces(
            NamespaceParts(
                self._context,
                self._servicebus_settings,
                seeds,
                transactions,
                self._generations,
                lambda: commit(transactions),
            ),
            self._services,
            ROOT,
            on_first_use=settings.namespaces_on_first_use,
        )

    def build(self) -> Services:
        """Build what all services share; `start` builds each."""
        self._services.features.update({account.name: _features(account) for account in self._settings.accounts})
        self._build_entra()
        self._services.sweeps["extents"] = lambda writer: self._extents.sweep(writer, SWEEP_BYTES)
        self._services.sweeps["over"] = lambda writer: self._generations.sweep(writer, SWEEP_RECORDS)
        return self._services

    def rebuild(self) -> None:
        """Build all services anew, on a store that holds something else now. Raises StorageError.

        Nobody may use the old ones any more. Nothing is seeded: the store was once.
        """
        for alarm in self._services.alarms.values():
            alarm.silence()
        self._extents = Extents(ROOT.subspace("extents"))
        self._build_entra()
        for name in self._running:
            self._start(name)
        for rebuild in self.also_rebuilt:
            rebuild()

    def start(self, name: str) -> None:
        """Build a service on what the store holds. Raises StartupError for a seed that cannot be taken."""
        self._start(name)
        self._running[name] = None

    def stop(self, name: str) -> None:
        """Let a service do nothing more: its connections are closed, and what comes due waits for its start."""
        del self._running[name]
        self._services.empties.pop(name, None)
        for part, alarm in self._services.alarms.items():
            if part.partition("/")[0] == name:
                alarm.silence()
        if name == "servicebus":
            self.close_servicebus("The service was stopped.")
            self._services.amqp = None

    def _start(self, name: str) -> None:
        builders = {
            "blob": self._build_blob,
            "queue": self._build_queue,
            "table": self._build_table,
            "servicebus": self._build_servicebus,
        }
        builders[name]()

    def context(self, part: str) -> tuple[ServiceContext, LoopAlarm]:
        """What a service is built from whose part of the store is called so."""
        return self._context(part)

    def space(self, part: str) -> Subspace:
        """The part of the store that is called so now."""
        with self._transactions.reader() as reader:
            return self._generations.space(reader, part)

    def renew(self, writer: Writer, part: str) -> None:
        """Let the part be an empty one; what it held is swept."""
        self._generations.renew(writer, part)

    def reload(self, names: Collection[str]) -> None:
        """Let services go on with content that was put into the store from outside. Raises StorageError."""
        names = [name for name in names if name in self._running]
        if "queue" in names and (rearm := self._rearm_queue) is not None:
            rearm()
        if "servicebus" in names and self._services.amqp is not None:
            self._namespaces.reload()

    def close_servicebus(self, reason: str) -> None:
        """Close the connections of Service Bus, with an error after which clients connect again."""
        self._namespaces.close(reason)

    @property
    def namespaces(self) -> Namespaces:
        """The namespaces of Service Bus."""
        return self._namespaces

    def _build_entra(self) -> None:
        """The authority whose tokens all services trust; it is there whichever of them run."""
        context, _ = self._context("entra")
        given = self._settings.entra
        service = EntraService(
            context,
            EntraSettings(
                token_seconds=given.token_seconds,
                key_days=given.key_days,
                device_approval=given.device_approval,
                secrets=given.secrets,
                claims=given.claims,
            ),
            self._services.aside,
        )
        self._services.http["entra"] = service
        self._services.empties["entra"] = service.empty
        self._services.warm_ups.append(service.ring.warm_up)
        self._accounts.tokens = TokenVerifier(service.ring, [secret.encode() for secret in given.trusted_secrets])

    def _build_blob(self) -> None:
        context, alarm = self._context("blob")
        fetch = self._services.fetch if self._settings.allow_external_sources else None
        settings = BlobSettings(self._accounts, self._settings.auth, self._services.features, fetch)
        service = BlobService(context, settings)
        alarm.ring = service.expire
        self._services.http["blob"] = service
        self._services.http["web"] = service.website
        self._services.sweeps["blob"] = lambda writer: service.sweep(writer, SWEEP_RECORDS)
        self._services.empties["blob"] = service.empty
        self._services.porters["blob"] = service.porter()

    def _build_queue(self) -> None:
        context, alarm = self._context("queue")
        service = QueueService(context, QueueSettings(self._accounts, self._settings.auth))
        alarm.ring = service.expire
        service.start()
        self._rearm_queue = service.start
        self._services.http["queue"] = service
        self._services.sweeps["queue"] = lambda writer: service.sweep(writer, SWEEP_RECORDS)
        self._services.empties["queue"] = service.empty
        self._services.porters["queue"] = service.porter()

    def _build_table(self) -> None:
        context, _ = self._context("table")
        service = TableService(context, TableSettings(self._accounts, self._settings.auth))
        self._services.http["table"] = service
        self._services.sweeps["table"] = lambda writer: service.sweep(writer, SWEEP_RECORDS)
        self._services.empties["table"] = service.empty
        self._services.porters["table"] = service.porter()

    def _build_servicebus(self) -> None:
        try:
            self._namespaces.start(is_seeded=self._is_seeded)
        except SeedError as error:
            raise StartupError(str(error)) from error
        except StorageError as error:
            raise StartupError(f"the store cannot take the entities to start with: {error}") from error
        self._is_seeded = True
        self._services.porters["servicebus"] = NamespacePorter(self._generations, ROOT)

    def _servicebus_settings(self, namespace: str) -> ServiceBusSettings:
        given = self._settings
        keys = [
            AccessKey(key.name, key.key, rights_called(key.rights))
            for key in (given.servicebus_key, *given.servicebus_keys)
        ]
        return ServiceBusSettings(
            given.auth,
            tuple(keys),
            self._accounts.tokens,
            Quotas() if given.strict_quotas else None,
            TIERS[given.servicebus_tier],
            self._accounts.roles,
            namespace or (NAMESPACE if given.namespaces_on_first_use else None),
            self._counts,
        )

    def _context(self, name: str) -> tuple[ServiceContext, LoopAlarm]:
        alarm = self._services.alarms[name] = LoopAlarm(self._loop, self._clock)
        with self._transactions.reader() as reader:
            space = self._generations.space(reader, name)
        return ServiceContext(self._transactions, self._clock, self._entropy, alarm, space, self._extents), alarm


def _features(account: StorageAccount) -> AccountFeatures:
    """What the Blob service is told of an account."""
    return AccountFeatures(
        kind=account.kind,
        sku=account.sku or ("Premium_LRS" if account.kind == "BlockBlobStorage" else "Standard_RAGRS"),
        is_versioned=account.versioning,
        container_retention_days=account.container_retention_days,
        blob_retention_days=account.blob_retention_days,
        has_immutable_storage=account.immutable_storage,
        tracks_access=account.last_access_tracking,
        default_version=account.default_version,
    )


def commit(transactions: TickTransactions) -> None:
    """Commit what was written, now. Raises StorageError where it cannot be."""
    failures: list[StorageError] = []
    transactions.after_commit(_nothing, failures.append)
    transactions.commit()
    if failures:
        raise failures[0]


def _nothing() -> None:
    """What follows a commit that only its failure is asked of."""
