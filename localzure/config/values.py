"""How the value of a setting is read, from a flag's or variable's text as well as from a file's tree.

A reader takes the raw value and the folder that relative paths start from, and gives the typed value or raises
`RefusedError`, whose text says what is allowed. Texts never show a value that may be secret.
"""

from __future__ import annotations

import json
import os
import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import date
from pathlib import Path
from typing import Any, get_args

from localzure.config.settings import (
    SERVICES,
    AccessRight,
    AccountKind,
    AccountSku,
    NamedHost,
    PluginOptions,
    Service,
    SharedAccessKey,
    StorageAccount,
)

Reader = Callable[[object, Path], object]

_DIGITS = re.compile(r"[0-9]{1,15}")
_SIZE = re.compile(r"([0-9]{1,12}) ?(|KiB|MiB|GiB)")
_SIZE_UNITS = {"": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
_DURATION = re.compile(r"(PT)?(\d{1,9}(?:\.\d{1,3})?)([SMH]?)", re.ASCII | re.IGNORECASE)
_HOST = re.compile(r"[A-Za-z0-9._:%-]{1,253}")
_LOGGER = re.compile(r"[A-Za-z_][\w.]*")
_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_PLUGIN_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}", re.ASCII)
_ACCOUNT_NAME = re.compile(r"[a-z0-9]{3,24}")

_TRUTH = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
_LEVELS = ("debug", "info", "warning", "error", "critical")
_SHOWN_CHARS_MAX = 60


class RefusedError(ValueError):
    """A value that a setting cannot take; the text says what it takes."""

    def __init__(self, text: str, at: str = "") -> None:
        super().__init__(text)
        self.at = at
        """The path below the setting's own, where the value has parts."""


def expected(what: str, raw: object, at: str = "") -> RefusedError:
    """The refusal of `raw`, where `what` was expected."""
    shown = repr(raw)
    if len(shown) > _SHOWN_CHARS_MAX:
        shown = f"{shown[:_SHOWN_CHARS_MAX]}…"
    return RefusedError(f"expected {what}, got {shown}", at)


def nearest(name: str, known: list[str], *, prefix: str = "", otherwise: str = "") -> str:
    """A closing remark: the known name that is most like `name`, else `otherwise`, else all of them.

    `prefix` is what all names have in common, which makes none of them alike.
    """
    from difflib import get_close_matches  # only needed to refuse

    close = get_close_matches(name.removeprefix(prefix), [one.removeprefix(prefix) for one in known], n=1)
    return f"did you mean '{prefix}{close[0]}'?" if close else otherwise or f"known: {', '.join(known)}"


def integer(low: int, high: int) -> Callable[[object, Path], int]:
    """A whole number from `low` to `high`."""

    def read(raw: object, _base: Path) -> int:
        text = str(raw).strip() if isinstance(raw, str | int) and not isinstance(raw, bool) else ""
        if not _DIGITS.fullmatch(text) or not low <= int(text) <= high:
            raise expected(f"an integer from {low} to {high}", raw)
        return int(text)

    return read


PORT_MAX = 65535


def port(raw: object, base: Path) -> int | None:
    """A TCP port; 0 asks for an ephemeral one, `off` (which YAML reads as false) for none."""
    if raw is False or (isinstance(raw, str) and raw.strip().lower() == "off"):
        return None
    try:
        return integer(0, PORT_MAX)(raw, base)
    except RefusedError:
        raise expected(f"an integer from 0 to {PORT_MAX}, or off", raw) from None


def all_ports(raw: object, _base: Path) -> int:
    """The port of every listener: only 0 can be everybody's."""
    if str(raw).strip() != "0" or isinstance(raw, bool):
        raise expected("0, which gives every listener an ephemeral port", raw)
    return 0


def boolean(raw: object, _base: Path) -> bool:
    """True or false, also as 1/0, yes/no and on/off."""
    truth = _TRUTH.get(str(raw).strip().lower())
    if truth is None:
        raise expected("true or false", raw)
    return truth


def size(raw: object, _base: Path) -> int:
    """A number of bytes, or of KiB, MiB or GiB."""
    match = _SIZE.fullmatch(str(raw).strip())
    if match is None or isinstance(raw, bool):
        raise expected("a size such as 1048576 or 10 MiB", raw)
    return int(match[1]) * _SIZE_UNITS[match[2]]


def duration(raw: object, _base: Path) -> float:
    """A duration in seconds: a number, or text such as `90s`, `15m`, `1h` or `PT15M`; 0 is never."""
    match = _DURATION.fullmatch(str(raw).strip())
    if isinstance(raw, bool) or match is None or (match[1] and not match[3]):
        raise expected("a duration such as 90, 15m, 1h or PT15M", raw)
    return float(match[2]) * {"": 1, "S": 1, "M": 60, "H": 3600}[match[3].upper()]


def choice(*allowed: str) -> Reader:
    """One of a few words."""

    def read(raw: object, _base: Path) -> str:
        text = raw.strip().lower() if isinstance(raw, str) else raw
        if text not in allowed:
            raise expected(f"one of {', '.join(allowed)}", raw)
        return str(text)

    return read


def auth_level(raw: object, base: Path) -> object:
    """How far clients are checked. YAML reads a bare `off` as false, which is meant as the word."""
    if raw is False:
        return "off"
    return choice("off", "any", "verify", "rbac")(raw, base)


def host(raw: object, _base: Path) -> str:
    """An address or a host name to listen on."""
    if not isinstance(raw, str) or not _HOST.fullmatch(raw.strip()):
        raise expected("an IP address or a host name", raw)
    return raw.strip()


def hosts(raw: object, base: Path) -> tuple[str, ...]:
    """Host names, as a list or parted by commas."""
    names = raw.split(",") if isinstance(raw, str) else raw
    return tuple(host(one, base) for one in (names if isinstance(names, list) else [names]))


def host_names(raw: object, base: Path) -> Mapping[str, NamedHost]:
    """What further host names stand for: a mapping to a service, or to a mapping with service and account."""
    if not isinstance(raw, Mapping):
        raise expected("a mapping from host name to a service, or to {service, account}", raw)
    found: dict[str, NamedHost] = {}
    for name, given in raw.items():
        parts = given if isinstance(given, Mapping) else {"service": given}
        service, account = parts.get("service"), parts.get("account", "")
        if service not in SERVICES or set(parts) - {"service", "account"}:
            raise expected(f"one of {', '.join(SERVICES)}, or {{service, account}}", given, at=str(name))
        if account and not _ACCOUNT_NAME.fullmatch(str(account)):
            raise expected("an account name of 3 to 24 lower-case letters and digits", account, at=f"{name}.account")
        found[host(name, base).lower()] = NamedHost(service, str(account))
    return found


def path(raw: object, base: Path) -> Path:
    """A path, with `~` for the home folder; relative ones start from `base`."""
    if not isinstance(raw, str | os.PathLike) or not str(raw) or "\0" in str(raw):
        raise expected("a path", raw)
    try:
        return base / Path(raw).expanduser()
    except RuntimeError:
        raise expected("a path (there is no such home folder)", raw) from None


def paths(raw: object, base: Path) -> tuple[Path, ...]:
    """Several paths: a list, or a text that separates them as PATH does."""
    items = raw.split(os.pathsep) if isinstance(raw, str) else raw
    if not isinstance(items, list | tuple):
        raise expected("a path or a list of paths", raw)
    return tuple(path(item, base) for item in items)


def text(raw: object, _base: Path) -> str:
    """Any text that is not empty and holds no white space, quote or separator of connection strings."""
    if not isinstance(raw, str) or not re.fullmatch(r"[^\s;'\"]{1,256}", raw):
        raise RefusedError("expected 1 to 256 characters without white space, quotes and semicolons")
    return raw


def levels(raw: object, _base: Path) -> tuple[str, Mapping[str, str]]:
    """Log levels: `info`, or `info,localzure.services.blob=debug`, or the same as a mapping with the key `default`."""
    if isinstance(raw, Mapping):
        pairs = [(str(name), level) for name, level in raw.items()]
    else:
        parts = [part.strip().rpartition("=") for part in str(raw).split(",")]
        pairs = [(name.strip() if equals else "default", level.strip()) for name, equals, level in parts]
    found: dict[str, str] = {}
    for name, level in pairs:
        if str(level).lower() not in _LEVELS:
            raise expected(f"one of {', '.join(_LEVELS)}", level, at=name if isinstance(raw, Mapping) else "")
        if not _LOGGER.fullmatch(name) or name in found:
            raise expected("a level, or LEVEL,LOGGER=LEVEL with each logger once", raw)
        found[name] = str(level).lower()
    return found.pop("default", "info"), found


def services(raw: object, _base: Path) -> tuple[Service, ...]:
    """The services to run: their names, or a mapping from name to true or false."""
    switched: dict[str, bool]
    if isinstance(raw, Mapping):
        switched = dict.fromkeys(SERVICES, True)
        for name, value in raw.items():
            if not isinstance(value, bool):
                raise expected("true or false", value, at=str(name))
            switched[str(name)] = value
    else:
        names = raw.split(",") if isinstance(raw, str) else raw
        if not isinstance(names, list | tuple):
            raise expected("service names, or a mapping from service name to true or false", raw)
        switched = {str(name).strip(): True for name in names}
    for name in switched:
        if name not in SERVICES:
            raise RefusedError(f"no service is called {name!r}; {nearest(name, list(SERVICES))}")
    running = tuple(service for service in SERVICES if switched.get(service))
    if not running:
        raise RefusedError(f"every service is off; leave on at least one of {', '.join(SERVICES)}")
    return running


def plugins(raw: object, _base: Path) -> tuple[str, ...]:
    """The names of the plugins to run; `off` (which YAML reads as false) is none."""
    if raw is False or (isinstance(raw, str) and raw.strip().lower() == "off"):
        return ()
    names = raw.split(",") if isinstance(raw, str) else raw
    if not isinstance(names, list | tuple):
        raise expected("names of plugins, or off", raw)
    return tuple(_plugin_name(name) for name in names)


def plugin_options(raw: object, base: Path) -> Mapping[str, PluginOptions]:
    """What is said of single plugins: a mapping from name to `enabled`, `port` and the plugin's own settings."""
    if not isinstance(raw, Mapping):
        raise expected("a mapping from a plugin's name to its options", raw)
    found = {}
    for name, given in raw.items():
        if not isinstance(given, Mapping):
            raise expected("a mapping of options, such as {enabled: false}", given, at=str(name))
        own = {str(key): value for key, value in given.items() if key not in {"enabled", "port"}}
        enabled = given.get("enabled")
        if enabled is not None and not isinstance(enabled, bool):
            raise expected("true or false", enabled, at=f"{name}.enabled")
        own_port = port(given["port"], base) if "port" in given else None
        has_port = own_port is not None or "port" not in given
        found[_plugin_name(name)] = PluginOptions(enabled, own_port, has_port, own)
    return found


def _plugin_name(raw: object) -> str:
    name = str(raw).strip()
    if not _PLUGIN_NAME.fullmatch(name):
        raise expected("the name of a plugin: small letters, digits and hyphens", raw)
    return name


def accounts(raw: object, _base: Path) -> tuple[StorageAccount, ...]:
    """Storage accounts: a mapping from account name to a key, a list of two, or a mapping that says more of it."""
    if not isinstance(raw, Mapping) or not raw:
        raise RefusedError("expected a mapping from account name to a key or a list of two keys")
    return tuple(_account(str(name), keys) for name, keys in raw.items())


def azurite_accounts(raw: object, _base: Path) -> tuple[StorageAccount, ...]:
    """Storage accounts as Azurite's variable has them: `name:key[:key]`, separated by semicolons."""
    found: dict[str, StorageAccount] = {}
    for part in str(raw).split(";"):
        if part.strip():
            name, *keys = part.strip().split(":")
            found[name] = _account(name, keys)
    if not found:
        raise RefusedError("expected name:key[:key], several of them separated by semicolons")
    return tuple(found.values())


def client_secrets(raw: object, _base: Path) -> Mapping[str, tuple[str, ...]]:
    """Secrets of applications: a mapping from client id to a secret or a list of them."""
    if not isinstance(raw, Mapping):
        raise RefusedError("expected a mapping from client id to a secret or a list of secrets")
    found: dict[str, tuple[str, ...]] = {}
    for client, given in raw.items():
        secrets = given if isinstance(given, list) else [given]
        if not secrets or not all(isinstance(secret, str) and secret for secret in secrets):
            raise RefusedError("expected a secret or a list of secrets, each a text", at=str(client))
        found[str(client)] = tuple(secrets)
    return found


def access_keys(raw: object, base: Path) -> tuple[SharedAccessKey, ...]:
    """Keys of the Service Bus namespace: a mapping from a key's name to its `key` and its `rights`."""
    if not isinstance(raw, Mapping):
        raise RefusedError("expected a mapping from the name of a key to its key and rights")
    rights = get_args(AccessRight)
    found = []
    for name, given in raw.items():
        if not isinstance(given, Mapping) or set(given) != {"key", "rights"}:
            raise RefusedError("expected a mapping with key and rights", at=str(name))
        try:
            key = str(text(given["key"], base))
        except RefusedError as error:
            raise RefusedError(str(error), at=f"{name}.key") from None
        asked = given["rights"] if isinstance(given["rights"], list) else []
        chosen = {str(right).capitalize() for right in asked}
        if not chosen or not chosen <= set(rights):
            raise RefusedError(f"expected a list of some of {', '.join(rights)}", at=f"{name}.rights")
        allowed = rights if "Manage" in chosen else tuple(right for right in rights if right in chosen)
        found.append(SharedAccessKey(str(name), key, allowed))
    return tuple(found)


def texts(raw: object, _base: Path) -> tuple[str, ...]:
    """A text, or a list of texts."""
    given = raw if isinstance(raw, list) else [raw]
    if not all(isinstance(one, str) and one and one.isprintable() for one in given):
        raise RefusedError("expected a text or a list of texts")
    return tuple(given)


def claims(raw: object, _base: Path) -> Mapping[str, object]:
    """Claims of tokens: a mapping whose values JSON can carry."""
    if not isinstance(raw, Mapping):
        raise expected("a mapping from claim to value", raw)
    try:
        return dict(json.loads(json.dumps(raw)))
    except (TypeError, ValueError, RecursionError):
        raise RefusedError("expected claims that JSON can carry") from None


def _account(name: str, raw: object) -> StorageAccount:
    """One storage account: its keys, or a mapping that says more of it. The naming rule is Azure's."""
    if not _ACCOUNT_NAME.fullmatch(name):
        raise RefusedError("expected an account name of 3 to 24 lower-case letters and digits", at=name)
    if not isinstance(raw, Mapping):
        return StorageAccount(name, _keys(name, raw))
    for key in raw:
        if key not in _ACCOUNT_KEYS:
            raise RefusedError(f"unknown key {key!r}; {nearest(str(key), list(_ACCOUNT_KEYS))}", at=name)
    given = {str(key): _account_value(str(key), value, f"{name}.{key}") for key, value in raw.items() if key != "keys"}
    return StorageAccount(name, _keys(name, raw.get("keys")), **given)


def _account_value(key: str, value: object, at: str) -> Any:
    """Read one of the things that the mapping of an account says."""
    if key in {"kind", "sku"}:
        choices = get_args(AccountKind if key == "kind" else AccountSku)
        if value not in choices:
            raise expected(f"one of {', '.join(choices)}", value, at=at)
    elif key in {"versioning", "immutable_storage", "last_access_tracking"}:
        if not isinstance(value, bool):
            raise expected("true or false", value, at=at)
    elif key == "default_version":
        # YAML reads a bare date as one.
        value = value.isoformat() if isinstance(value, date) else value
        if not isinstance(value, str) or not _VERSION.fullmatch(value):
            raise expected("a version such as 2026-02-06", value, at=at)
    elif not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 365:
        raise expected("0 to 365 days", value, at=at)
    return value


_ACCOUNT_KEYS = tuple(field.name for field in fields(StorageAccount) if field.name != "name")
"""What the mapping of an account may hold."""


def _keys(name: str, raw: object) -> tuple[str, ...]:
    given = raw if isinstance(raw, list) else [raw]
    keys = tuple(key for key in given if isinstance(key, str) and _is_base64(key))
    if not 1 <= len(keys) == len(given) <= 2:
        raise RefusedError("expected one or two keys in base64", at=name)
    return keys


def _is_base64(key: str) -> bool:
    """Whether `key` is base64 of anything."""
    try:
        return bool(b64decode(key, validate=True))
    except ValueError:
        return False
