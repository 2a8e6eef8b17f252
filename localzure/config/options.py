"""The table of settings: what can be set, where, what it takes, and what it is when nobody sets it.

A row's path is its place in a configuration file (`ports.blob` is the key `blob` under `ports`). Its flag gives the
environment variable too: `--blob-port` is `LOCALZURE_BLOB_PORT`. Rows without a flag hold what belongs into a file.
"""

from __future__ import annotations

from dataclasses import dataclass

from localzure.config import values
from localzure.config.roles import role_assignments
from localzure.config.trouble import breaker_rules, fault_rules, rate_limits, retry_tests

PREFIX = "LOCALZURE_"
"""What every environment variable of ours starts with."""


@dataclass(frozen=True, slots=True)
class Option:
    """One setting."""

    path: str
    flag: str | None
    read: values.Reader
    metavar: str
    help: str
    many: bool = False
    """The flag may be given several times."""
    switch: bool = False
    """The flag takes no value."""
    served: bool = True
    """False: understood, told to be without effect in this version, and not shown in the help."""

    @property
    def variable(self) -> str | None:
        """Its environment variable."""
        return PREFIX + self.flag[2:].upper().replace("-", "_") if self.flag else None


CONFIG_FLAG = "--config"
CONFIG_VARIABLE = PREFIX + "CONFIG"

ENDPOINT_VARIABLE = PREFIX + "ENDPOINT"
"""The server that commands talk to; no setting of a server."""

_PORT_HELP = "Port of {} (default {}; 0 is an ephemeral one, off none)."


def _port(name: str, what: str, default: int, *, served: bool = True) -> Option:
    """The row of a listener's port."""
    flag = "--port" if name == "gateway" else f"--{name}-port"
    return Option(f"ports.{name}", flag, values.port, "PORT", _PORT_HELP.format(what, default), served=served)


OPTIONS: tuple[Option, ...] = (
    Option("host", "--host", values.host, "HOST", "Address to listen on (default 127.0.0.1)."),
    Option("data_dir", "--data-dir", values.path, "DIR", "Folder of the store (default ./.localzure)."),
    Option("in_memory", "--in-memory", values.boolean, "", "Keep everything in memory.", switch=True),
    Option(
        "durability",
        "--durability",
        values.choice("process", "full", "none"),
        "LEVEL",
        "process (default): survives the end of the process, and opens, at most a second old, after a power loss; "
        "full: on disk before the reply; none: in memory.",
    ),
    Option("seed", "--seed", values.paths, "FILE", "Entities to create at start (several times).", many=True),
    Option("ports.all", "--all-ports", values.all_ports, "0", "0 makes every port that is not set ephemeral."),
    _port("gateway", "the gateway to all services", 8080),
    _port("blob", "Blob storage", 10000),
    _port("queue", "Queue storage", 10001),
    _port("table", "Table storage", 10002),
    _port("amqp", "Service Bus over AMQP", 5672),
    _port("amqps", "Service Bus over AMQP with TLS", 5671),
    _port("servicebus", "Service Bus administration and REST", 5300),
    Option("ports.http", "--http-port", values.port, "PORT", "One more port of the gateway, such as 80."),
    Option("ports.https", "--https-port", values.port, "PORT", "One more port of the gateway, such as 443."),
    Option("tls.certificate", "--tls-cert", values.path, "FILE", "Certificate, PEM or PFX (default: of the local CA)."),
    Option("tls.key", "--tls-key", values.path, "FILE", "Its private key in PEM, if it is in a file of its own."),
    Option("tls.password", "--tls-password", values.text, "TEXT", "The password of the key or PFX."),
    Option("ready_file", "--ready-file", values.path, "FILE", "JSON file to write when every listener serves."),
    Option(
        "drop_in",
        "--drop-in",
        values.boolean,
        "",
        "Stand in for Microsoft's emulators: print the lines that test kits wait for, take their mounts and variables.",
        switch=True,
    ),
    Option(
        "auth",
        "--auth",
        values.auth_level,
        "LEVEL",
        "verify (default): check signatures; rbac: and let identities do only what their roles allow; "
        "any: accept every well-formed credential; off: check nothing.",
    ),
    Option(
        "services", "--services", values.services, "NAMES", "Services to run, such as blob,servicebus (default all)."
    ),
    Option(
        "plugins.run",
        "--plugins",
        values.plugins,
        "NAMES",
        "Plugins to run, such as mailbox,clock (default all that are installed; off: none).",
    ),
    Option("plugins.options", None, values.plugin_options, "", "By a plugin's name: enabled, port, and its settings."),
    Option(
        "snapshots.every",
        "--snapshot-every",
        values.duration,
        "TIME",
        "Make a snapshot every 15m, 1h (default never).",
    ),
    Option("snapshots.keep", None, values.integer(1, 1000), "", "How many of these are kept (default 5)."),
    Option("admin.token", "--admin-token", values.text, "TEXT", "Bearer token that LocalZure's own API then demands."),
    Option(
        "admin.hosts",
        "--admin-hosts",
        values.hosts,
        "NAMES",
        "Host names, beside local ones, by which LocalZure's own API may be called.",
    ),
    Option(
        "log.level",
        "--log-level",
        values.levels,
        "LEVEL",
        "debug, info (default), warning, error or critical; "
        "also per module, such as info,localzure.services.blob=debug.",
    ),
    Option("log.format", "--log-format", values.choice("json", "text"), "FORMAT", "text (default) or json."),
    Option("log.file", "--log-file", values.path, "FILE", "Log to this file instead of stderr."),
    Option("log.file_bytes", "--log-file-bytes", values.size, "SIZE", "Rotate the file at this size (default 10 MiB)."),
    Option("log.file_count", "--log-file-count", values.integer(1, 1000), "N", "Rotated files to keep (default 5)."),
    Option(
        "storage.allow_external_sources",
        "--allow-external-sources",
        values.boolean,
        "",
        "Copy from URLs of other servers too.",
        switch=True,
    ),
    Option("log.access", "--access-log", values.boolean, "", "Log every HTTP request.", switch=True),
    Option("log.audit", "--audit-log", values.boolean, "", "Log who changes what, over HTTP.", switch=True),
    Option("otel.endpoint", "--otel-endpoint", values.text, "URL", "Send traces there (OTLP over HTTP)."),
    Option(
        "storage.accounts_on_first_use",
        "--accounts-on-first-use",
        values.boolean,
        "",
        "Make any storage account when it is first used, with the key of devstoreaccount1.",
        switch=True,
    ),
    Option(
        "servicebus.namespaces_on_first_use",
        "--namespaces-on-first-use",
        values.boolean,
        "",
        "Make each {name}.servicebus.localhost a Service Bus namespace of its own when it is first used.",
        switch=True,
    ),
    Option("proxy.offline", "--offline", values.boolean, "", "As a proxy, refuse what is not for Azure.", switch=True),
    Option(
        "proxy.clients",
        "--proxy-clients",
        values.choice("loopback", "any"),
        "WHO",
        "Who may use the proxy: loopback (default) or any.",
    ),
    Option("storage.accounts", None, values.accounts, "", "Storage accounts: a mapping from name to one or two keys."),
    Option(
        "rbac.assignments", None, role_assignments, "", "A list of role assignments: principal, role and scope of each."
    ),
    Option("entra.token_seconds", None, values.integer(1, 864_000), "", "How long tokens of the mock Entra ID hold."),
    Option("entra.key_days", None, values.integer(1, 3650), "", "After how many days it signs with a new key."),
    Option(
        "entra.device_approval", None, values.choice("auto", "page"), "", "How device codes and sign-ins are approved."
    ),
    Option(
        "entra.secrets", None, values.client_secrets, "", "A mapping from client id to its secrets; others have any."
    ),
    Option("entra.claims", None, values.claims, "", "A mapping of claims that every access token gets."),
    Option(
        "entra.trusted_secrets", None, values.texts, "", "Secrets with which tests sign tokens of their own (HS256)."
    ),
    Option("faults", None, fault_rules, "", "A list of fault rules that are armed from the start."),
    Option("test_mode", None, retry_tests, "", "Faults for a retry test: a mapping from service to its words."),
    Option("limits", None, rate_limits, "", "Limits on rates: a list, or azure for Azure's own numbers."),
    Option("circuit_breaker", None, breaker_rules, "", "When a service that fails is left alone: true, or its rules."),
    Option("hosts", None, values.host_names, "", "Further host names, and the service (and account) of each."),
    Option(
        "servicebus.strict_quotas",
        "--strict-quotas",
        values.boolean,
        "",
        "Hold Service Bus to Azure's own limits.",
        switch=True,
    ),
    Option("servicebus.key_name", None, values.text, "", "Name of the Service Bus namespace's key."),
    Option("servicebus.key", None, values.text, "", "The Service Bus namespace's key."),
    Option("servicebus.keys", None, values.access_keys, "", "Further keys: a mapping from name to key and rights."),
    Option("servicebus.tier", None, values.choice("standard", "premium"), "", "The Service Bus namespace's tier."),
)
"""Every setting, in the order of the help."""

BY_PATH = {option.path: option for option in OPTIONS}
