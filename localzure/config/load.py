"""From command line, environment, file and defaults to `Settings`.

Each value keeps its source, which ranks: command line over environment over file over default. Two groups of
settings are decided by rank too. Where the store lives is said by `data_dir`, `in_memory` and `durability` at once:
the highest source that says anything decides, and must not contradict itself. `ports.all` rules every port that no
source of at least its own rank sets.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from localzure.config import values
from localzure.config.file import ConfigurationError, read_file
from localzure.config.options import BY_PATH, CONFIG_FLAG, CONFIG_VARIABLE, ENDPOINT_VARIABLE, OPTIONS, PREFIX
from localzure.config.settings import EntraOptions, LogSettings, Ports, Settings, SharedAccessKey

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


_DEFAULT, _FILE, _ENVIRONMENT, _COMMAND_LINE = range(4)

_DEFAULT_DATA_DIR = ".localzure"

ACCOUNTS_VARIABLE = "AZURITE_ACCOUNTS"
"""Azurite's variable, whose accounts take the place of the default one."""

_LINKED = re.compile(PREFIX + r"(SERVICE_HOST|SERVICE_PORT(_.*)?|PORT_\d+_.*)")
"""What Kubernetes sets in every pod beside a service called `localzure`, and Docker beside such a link."""


@dataclass(frozen=True, slots=True)
class _Given:
    """A value and where it came from."""

    value: Any
    rank: int
    origin: str


def load(flags: Mapping[str, object], environment: Mapping[str, str], directory: Path | None = None) -> Settings:
    """Read every source and give the settings.

    `flags` holds the values of the command line by flag, such as `{"--blob-port": "0"}`, None where one is absent;
    `directory` is where relative paths start, the working directory unless given. Raises ConfigurationError.
    """
    base = directory or _working_directory()
    given: dict[str, _Given] = {}
    warnings: list[str] = []
    file = _take_file(flags, environment, base, given)
    _take_environment(environment, base, given, warnings)
    _take_flags(flags, base, given)
    warnings += [
        f"{found.origin} has no effect: this version does not serve that port"
        for path, found in given.items()
        if not BY_PATH[path].served
    ]
    return _settings(given, base, tuple(warnings), file)


def _working_directory() -> Path:
    """The folder that the process was started in."""
    try:
        return Path.cwd()
    except OSError:
        raise ConfigurationError("the working directory does not exist any more: start from another folder") from None


def _take_file(
    flags: Mapping[str, object], environment: Mapping[str, str], base: Path, given: dict[str, _Given]
) -> Path | None:
    """Take what the configuration file sets, where one is named; returns it."""
    name, raw = CONFIG_FLAG, flags.get(CONFIG_FLAG)
    if raw is None:
        name, raw = CONFIG_VARIABLE, environment.get(CONFIG_VARIABLE) or None
    if raw is None:
        return None
    path: Path = _read(values.path, raw, base, name)
    found = read_file(path, str(raw), BY_PATH)
    for key, value in found.items():
        origin = f"{raw}: at {key}"
        given[key] = _Given(_read(BY_PATH[key].read, value, path.parent, origin), _FILE, origin)
    return path


def _take_environment(
    environment: Mapping[str, str], base: Path, given: dict[str, _Given], warnings: list[str]
) -> None:
    """Take our variables; an empty one counts as absent, an unknown one is told."""
    known = {option.variable: option for option in OPTIONS if option.variable}
    for name, raw in sorted(environment.items()):
        if (
            not name.startswith(PREFIX)
            or name in {CONFIG_VARIABLE, ENDPOINT_VARIABLE}
            or not raw
            or _is_link(name, raw)
        ):
            continue
        option = known.get(name)
        if option is None:
            otherwise = "'localzure start --help' lists the flags"
            remark = values.nearest(name, [str(one) for one in known], prefix=PREFIX, otherwise=otherwise)
            warnings.append(f"{name}: unknown variable; {remark}")
        else:
            given[option.path] = _Given(_read(option.read, raw, base, name), _ENVIRONMENT, name)
    if environment.get(ACCOUNTS_VARIABLE):
        accounts = _read(values.azurite_accounts, environment[ACCOUNTS_VARIABLE], base, ACCOUNTS_VARIABLE)
        given["storage.accounts"] = _Given(accounts, _ENVIRONMENT, ACCOUNTS_VARIABLE)


def _is_link(name: str, raw: str) -> bool:
    """Whether a variable was set by Kubernetes or Docker, and not by somebody who means us."""
    return bool(_LINKED.fullmatch(name)) or (name == f"{PREFIX}PORT" and raw.startswith("tcp://"))


def _take_flags(flags: Mapping[str, object], base: Path, given: dict[str, _Given]) -> None:
    """Take what the command line sets."""
    for option in OPTIONS:
        raw = flags.get(option.flag) if option.flag else None
        if raw is not None and raw != ():
            given[option.path] = _Given(
                _read(option.read, raw, base, str(option.flag)), _COMMAND_LINE, str(option.flag)
            )


def _read(read: Callable[[object, Path], Any], raw: object, base: Path, origin: str) -> Any:
    """Read one value; an error names where it came from."""
    try:
        return read(raw, base)
    except values.RefusedError as error:
        below = f".{error.at}" if error.at else ""
        raise ConfigurationError(f"{origin}{below}: {error}") from None


def _settings(given: Mapping[str, _Given], base: Path, warnings: tuple[str, ...], config_file: Path | None) -> Settings:
    """Put the settings together, with what was given over the defaults."""

    def some(**paths: str) -> dict[str, Any]:
        """The values that were given, by the name of their field."""
        return {name: given[path].value for name, path in paths.items() if path in given}

    level, levels = given["log.level"].value if "log.level" in given else ("info", {})
    log = some(format="log.format", file="log.file", file_bytes="log.file_bytes", file_count="log.file_count")
    data_dir, durability = _storage(given, base)
    settings = Settings(
        data_dir=data_dir,
        durability=durability,
        ports=_ports(given),
        log=LogSettings(level, levels, **log),
        **some(servicebus_keys="servicebus.keys", servicebus_tier="servicebus.tier"),
        servicebus_key=SharedAccessKey(**some(name="servicebus.key_name", key="servicebus.key")),
        origins={path: found.origin for path, found in given.items()},
        warnings=warnings,
        **some(host="host", seeds="seed", ready_file="ready_file", auth="auth", services="services", drop_in="drop_in"),
        **some(tls_certificate="tls.certificate", tls_key="tls.key", tls_password="tls.password"),  # noqa: S106 - a path
        **some(plugins="plugins.run", plugin_options="plugins.options"),
        **some(accounts_on_first_use="storage.accounts_on_first_use"),
        **some(namespaces_on_first_use="servicebus.namespaces_on_first_use"),
        **some(accounts="storage.accounts", admin_token="admin.token", admin_hosts="admin.hosts"),  # noqa: S106 - a path
        **some(allow_external_sources="storage.allow_external_sources", strict_quotas="servicebus.strict_quotas"),
        **some(snapshot_seconds="snapshots.every", snapshot_count="snapshots.keep"),
        faults=(*some(rules="faults").get("rules", ()), *some(rules="test_mode").get("rules", ())),
        **some(access_log="log.access", audit_log="log.audit", otel_endpoint="otel.endpoint"),
        **some(offline="proxy.offline", proxy_clients="proxy.clients"),
        **some(role_assignments="rbac.assignments"),
        **some(rate_limits="limits", breakers="circuit_breaker", hosts="hosts"),
        config_file=config_file,
        entra=EntraOptions(**some(**{name: f"entra.{name}" for name in EntraOptions.__slots__})),
    )
    _refuse_shared_ports(settings)
    return settings


def _storage(given: Mapping[str, _Given], base: Path) -> tuple[Path | None, Any]:
    """Where the store lives and how durable it is; (None, "none") is in memory."""
    says_memory = {"data_dir": None, "in_memory": True, "durability": "none"}
    said = [
        (given[path].rank, given[path].value == word, given[path].origin)
        for path, word in says_memory.items()
        if path in given
    ]
    top = max((rank for rank, _, _ in said), default=_DEFAULT)
    decided = {memory: origin for rank, memory, origin in said if rank == top}
    if len(decided) == 2:
        raise ConfigurationError(
            f"{decided[False]} and {decided[True]} contradict each other: choose a store on disk or one in memory"
        )
    if True in decided:
        return None, "none"
    data_dir = given["data_dir"].value if "data_dir" in given else base / _DEFAULT_DATA_DIR
    durability = given["durability"].value if "durability" in given else "process"
    return data_dir, "process" if durability == "none" else durability


def _ports(given: Mapping[str, _Given]) -> Ports:
    """The port of every listener. Those that are not bound unless asked for stay so with `ports.all`."""
    everybody = given.get("ports.all")
    chosen: dict[str, Any] = {}
    for name in Ports.__slots__:
        own = given.get(f"ports.{name}")
        if everybody and (own is None or own.rank < everybody.rank):
            if own is not None or getattr(Ports(), name) is not None:
                chosen[name] = everybody.value
        elif own is not None:
            chosen[name] = own.value
    return Ports(**chosen)


def _refuse_shared_ports(settings: Settings) -> None:
    """Two listeners cannot have one port."""
    taken: dict[int, str] = {}
    for listener in settings.listeners():
        if listener.port and listener.port in taken:
            raise ConfigurationError(
                f"{taken[listener.port]} and {listener.flag} are both {listener.port}: give each listener its own port"
            )
        taken[listener.port] = listener.flag
