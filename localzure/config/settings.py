"""What a server is told to be: the typed result of reading the configuration.

Everything here is frozen, and keys stay out of every `repr`. `load.load` builds it; nothing else does, except tests.
"""

from __future__ import annotations

from base64 import b64decode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from localzure.faults.rules import FaultRule
    from localzure.rbac.assignments import RoleAssignment
    from localzure.throttling.breaker import BreakerRules
    from localzure.throttling.limits import RateLimit

Durability = Literal["process", "full", "none"]
AuthLevel = Literal["off", "any", "verify", "rbac"]
"""How much is asked of clients: `off` looks at nothing and lets everybody do everything, `any` takes every well-formed
proof for good, `verify` checks it, and at `rbac` identities also need roles for what they do. Storage takes a request
without credentials for anonymous at `any` and above."""

AccountKind = Literal["StorageV2", "Storage", "BlobStorage", "BlockBlobStorage"]
AccountSku = Literal[
    "Standard_LRS",
    "Standard_GRS",
    "Standard_RAGRS",
    "Standard_ZRS",
    "Standard_GZRS",
    "Standard_RAGZRS",
    "Premium_LRS",
    "Premium_ZRS",
]
AccessRight = Literal["Listen", "Send", "Manage"]
ServiceBusTier = Literal["standard", "premium"]
LogFormat = Literal["json", "text"]
Service = Literal["blob", "queue", "table", "servicebus"]

SERVICES: tuple[Service, ...] = ("blob", "queue", "table", "servicebus")
"""The services that this version has."""

LISTENERS: tuple[tuple[str, Service | None], ...] = (
    ("gateway", None),
    ("blob", "blob"),
    ("queue", "queue"),
    ("table", "table"),
    ("amqp", "servicebus"),
    ("amqps", "servicebus"),
    ("servicebus", "servicebus"),
    ("http", None),
    ("https", None),
)
"""The listeners that this version binds, and the service that each belongs to."""


@dataclass(frozen=True, slots=True)
class Ports:
    """The port of every listener; 0 is an ephemeral one, None is not bound."""

    gateway: int | None = 8080
    blob: int | None = 10000
    queue: int | None = 10001
    table: int | None = 10002
    amqp: int | None = 5672
    amqps: int | None = 5671
    servicebus: int | None = 5300
    http: int | None = None
    https: int | None = None


@dataclass(frozen=True, slots=True)
class Listener:
    """One listener to bind."""

    name: str
    """Its name in the endpoints: gateway, blob, queue, table, amqp, amqps, servicebus, http, https, or a plugin's."""
    service: str | None
    """The service that a request or connection without other hints is for."""
    port: int
    """0 is any."""
    flag: str
    """The flag that moves it, for the line that says the port is in use."""


@dataclass(frozen=True, slots=True)
class LogSettings:
    """How the server logs."""

    level: str = "info"
    """Level of LocalZure's own loggers: debug, info, warning, error or critical."""
    levels: Mapping[str, str] = field(default_factory=dict)
    """Levels of single loggers, by name, such as `localzure.services.blob`."""
    format: LogFormat = "text"
    file: Path | None = None
    """Where to log instead of to stderr."""
    file_bytes: int = 10 * 1024 * 1024
    """Size at which the file is rotated; 0 is never."""
    file_count: int = 5
    """How many rotated files are kept."""


@dataclass(frozen=True, slots=True)
class StorageAccount:
    """A storage account and its one or two keys."""

    name: str
    keys: tuple[str, ...] = field(repr=False)
    """In base64, as clients have them."""
    kind: AccountKind = "StorageV2"
    sku: AccountSku | None = None
    """How its content is stored; None is what is usual for its kind."""
    versioning: bool = False
    """Whether the versions of blobs are kept."""
    container_retention_days: int = 0
    """Days for which a deleted container can be restored; 0 is never."""
    blob_retention_days: int = 0
    """Days for which a deleted blob can be restored, until the service's properties say otherwise; 0 is never."""
    last_access_tracking: bool = False
    """Whether it is followed when blobs are read."""
    immutable_storage: bool = True
    """Whether blobs can have immutability policies and legal holds."""
    default_version: str | None = None
    """The version of requests that name none, until the service's properties say otherwise; None is the latest."""

    @property
    def key_bytes(self) -> tuple[bytes, ...]:
        """The keys as signatures use them."""
        return tuple(b64decode(key) for key in self.keys)


@dataclass(frozen=True, slots=True)
class NamedHost:
    """What a host name of the configuration stands for."""

    service: Service
    account: str = ""
    """The account, for a host that names one; empty where the path does."""


@dataclass(frozen=True, slots=True)
class SharedAccessKey:
    """A named key of the Service Bus namespace."""

    name: str = "RootManageSharedAccessKey"
    key: str = field(default="SAS_KEY_VALUE", repr=False)
    rights: tuple[AccessRight, ...] = ("Listen", "Send", "Manage")


@dataclass(frozen=True, slots=True)
class EntraOptions:
    """How the mock Entra ID is told to be."""

    token_seconds: int = 3599
    """How long its tokens hold."""
    key_days: int = 30
    """After how many days it signs with a new key."""
    device_approval: Literal["auto", "page"] = "auto"
    """Whether device codes are approved at once, or at its page."""
    secrets: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    """Client id → its secrets; a client that is not here has any secret."""
    claims: Mapping[str, object] = field(default_factory=dict)
    """Claims that every access token gets."""
    trusted_secrets: tuple[str, ...] = field(default=(), repr=False)
    """Secrets with which tests sign tokens of their own (HS256)."""


DEVELOPMENT_ACCOUNT = StorageAccount(
    "devstoreaccount1",
    ("Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==",),
)
"""The account that `UseDevelopmentStorage=true` means in every SDK, with its well-known key."""


@dataclass(frozen=True, slots=True)
class PluginOptions:
    """What the configuration says of one plugin."""

    is_enabled: bool | None = None
    """None where it does not say."""
    port: int | None = None
    """None where it does not say, or the plugin is to have no port of its own (`has_port`)."""
    has_port: bool = True
    settings: Mapping[str, object] = field(default_factory=dict)
    """The plugin's own."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The whole configuration of one server."""

    host: str = "127.0.0.1"
    data_dir: Path | None = None
    """Where the store lives; None keeps everything in memory."""
    durability: Durability = "none"
    """`none` exactly when there is no data directory."""
    seeds: tuple[Path, ...] = ()
    ports: Ports = field(default_factory=Ports)
    ready_file: Path | None = None
    drop_in: bool = False
    """Whether the server looks to test kits like Microsoft's emulators: what they wait for, mount and set."""
    tls_certificate: Path | None = None
    """The user's own certificate, PEM with its chain or PFX; None is a leaf of the local authority."""
    tls_key: Path | None = None
    """Its private key, where the certificate's file does not hold it."""
    tls_password: str | None = field(default=None, repr=False)
    """The password of the key, or of the PFX."""
    auth: AuthLevel = "verify"
    role_assignments: tuple[RoleAssignment, ...] = ()
    """What identities may do at `rbac`."""
    allow_external_sources: bool = False
    """Whether the source of a copy may be on another server."""
    log: LogSettings = field(default_factory=LogSettings)
    services: tuple[Service, ...] = SERVICES
    """The services that run, in the order of `SERVICES`."""
    plugins: tuple[str, ...] | None = None
    """The plugins that run; None is all that are installed and that nothing switches off."""
    plugin_options: Mapping[str, PluginOptions] = field(default_factory=dict, repr=False)
    """What is said of single plugins, by name."""
    accounts: tuple[StorageAccount, ...] = (DEVELOPMENT_ACCOUNT,)
    accounts_on_first_use: bool = False
    """Whether any other account is made when it is first used, with the key of the development account."""
    namespaces_on_first_use: bool = False
    """Whether each host name of a Service Bus namespace is one of its own."""
    config_file: Path | None = None
    """The configuration file, where there is one."""
    servicebus_key: SharedAccessKey = field(default_factory=SharedAccessKey)
    servicebus_keys: tuple[SharedAccessKey, ...] = ()
    """Further keys of the namespace."""
    servicebus_tier: ServiceBusTier = "standard"
    strict_quotas: bool = False
    """Whether Service Bus has Azure's own limits on what there may be."""
    entra: EntraOptions = field(default_factory=EntraOptions)
    snapshot_seconds: float = 0
    """How often a snapshot is made by itself; 0 is never."""
    snapshot_count: int = 5
    """How many of these are kept."""
    admin_token: str | None = field(default=None, repr=False)
    """What LocalZure's own API demands as bearer token; None lets everybody who reaches the port call it."""
    admin_hosts: tuple[str, ...] = ()
    """Host names, beside local ones, by which its own API may be called."""
    faults: tuple[FaultRule, ...] = ()
    """The fault rules that are armed from the start."""
    access_log: bool = False
    """Whether every HTTP request is logged."""
    audit_log: bool = False
    """Whether it is logged who changes what."""
    otel_endpoint: str | None = None
    """Where OpenTelemetry's traces go, over OTLP on HTTP."""
    offline: bool = False
    """Whether the proxy refuses what is not for Azure."""
    proxy_clients: Literal["loopback", "any"] = "loopback"
    """Who may use the proxy."""
    rate_limits: tuple[RateLimit, ...] = ()
    breakers: BreakerRules | None = None
    """When a service that fails is left alone for a while; None is never."""
    hosts: Mapping[str, NamedHost] = field(default_factory=dict)
    """Further host names, in lower case and without a port, and what they name."""
    origins: Mapping[str, str] = field(default_factory=dict)
    """Where each value that is no default came from, by its path in the file: a flag, a variable, a file and path."""
    warnings: tuple[str, ...] = ()
    """Lines to log once logging is set up."""

    @property
    def in_memory(self) -> bool:
        """Whether nothing is kept on disk."""
        return self.data_dir is None

    def listeners(self) -> tuple[Listener, ...]:
        """The listeners to bind: those of the services that run, and those that were asked for."""
        rows = [
            Listener(name, service, port, listener_flag(name))
            for name, service in LISTENERS
            if (service is None or service in self.services) and (port := getattr(self.ports, name)) is not None
        ]
        return tuple(rows)

    def secrets(self) -> tuple[str, ...]:
        """Every configured key, for the log's redaction."""
        more = [key.key for key in self.servicebus_keys]
        password = (self.tls_password,) if self.tls_password else ()
        clients = [secret for secrets in self.entra.secrets.values() for secret in secrets]
        clients += self.entra.trusted_secrets
        keys = (key for account in self.accounts for key in account.keys)
        token = (self.admin_token,) if self.admin_token else ()
        return (*keys, self.servicebus_key.key, *more, *password, *token, *clients)


def listener_flag(name: str) -> str:
    """The flag that sets the port of the listener `name`."""
    return "--port" if name == "gateway" else f"--{name}-port"
