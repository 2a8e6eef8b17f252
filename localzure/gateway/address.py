"""The one decision of which service and account an HTTP request is for.

`resolve` is a pure function of the listener's default service, the Host header and the path as sent. In this order:

1. **A host name of the configuration** (`hosts:`) names a service, and an account where it says one.
2. **Host style.** A host of the form `{account}.{service}.{domain}`, with one of `DOMAINS` behind it, names both:
   `devstoreaccount1.blob.localhost:10000`, `devstoreaccount1.blob.core.windows.net`. The whole path is the resource.
   A website's host has a region before its service, or none: `devstoreaccount1.z13.web.core.windows.net`.
   `{namespace}.servicebus.windows.net` and `{namespace}.servicebus.localhost` name Service Bus, and
   `login.microsoftonline.com` the mock Entra ID.
3. **A service's own port.** Everything else there is path style, whatever the host is called (`localhost`,
   `host.docker.internal`, a container's name, an IP address): `/{account}/{resource}`.
4. **The gateway.** The first segment names the service, the second the account: `/blob/{account}/{resource}`.

Behind a proxy that changes the host, `X-Original-Host` tells the one that the client used: it decides, and is in every
URL of the reply.

An account is written `{account}-secondary` to mean its read-only replica. Nothing is decoded here: what signatures
cover and what names mean both start from the path as sent. Whether the account exists is for the service to say.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from localzure.services.interface import Address

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from localzure.config.settings import NamedHost
    from localzure.services.interface import HttpRequest

STORAGE_SERVICES = frozenset({"blob", "queue", "table", "web"})
"""Services that have accounts, in host names and in the gateway's paths."""

DOMAINS = ("localhost", "core.windows.net", "core.chinacloudapi.cn", "core.usgovcloudapi.net")
"""What follows `{account}.{service}.` in a host that is meant host style: ours, and those of Azure's clouds."""

SERVICE_BUS_DOMAINS = ("localhost", "windows.net", "chinacloudapi.cn", "usgovcloudapi.net")
"""What follows `{namespace}.servicebus.`."""

ENTRA_HOSTS = frozenset({"login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"})
"""The names of the public cloud's authority: the mock Entra ID answers to them on every port."""

SECONDARY = "-secondary"

_REGION = re.compile(r"z[0-9]{1,3}", re.ASCII)
"""What stands for the region in the host of a website."""


class Host(NamedTuple):
    """What a Host header says."""

    service: str | None
    """None where it says nothing and the path decides."""
    account: str = ""


ORIGINAL_HOST = "x-original-host"
"""The header in which a proxy tells the host that its client used."""

_NO_HOSTS: Mapping[str, NamedHost] = {}


def resolve(
    default_service: str | None,
    request: HttpRequest,
    hosts: Mapping[str, NamedHost] = _NO_HOSTS,
    plugins: Container[str] = (),
) -> tuple[str | None, Address]:
    """Return (service, address) of a request on a listener whose default is `default_service` (None: the gateway).

    `hosts` are the names of the configuration, `plugins` those of the services beside ours. The service is None where
    nothing names one; its address then has the whole path.
    """
    path = request.raw_path.removeprefix("/")
    name = request.headers.get(ORIGINAL_HOST) or request.host
    origin = f"{request.scheme}://{name}"
    host = _named(name, hosts) if hosts else parse_host(name)
    if host.service is not None and (host.account or host.service not in STORAGE_SERVICES):
        return host.service, _address(host.account, path, origin)
    default_service = host.service or default_service
    if default_service is not None:
        return default_service, _path_style(default_service, path, origin)
    prefix, _, rest = path.partition("/")
    if prefix in STORAGE_SERVICES or prefix in {"servicebus", "entra"} or prefix in plugins:
        return prefix, _path_style(prefix, rest, f"{origin}/{prefix}")
    return None, Address("", secondary=False, path=path, base_url=origin)


def _named(host: str, hosts: Mapping[str, NamedHost]) -> Host:
    """Read a host that may be one of the configuration."""
    found = hosts.get(host.lower() if host.startswith("[") else host.lower().partition(":")[0])
    return parse_host(host) if found is None else Host(found.service, found.account)


@lru_cache(maxsize=1024)
def parse_host(host: str) -> Host:
    """Read the Host header of a request: `host` or `host:port`, in any case."""
    name = host.lower() if host.startswith("[") else host.lower().partition(":")[0]
    if name in ENTRA_HOSTS:
        return Host("entra")
    account, _, rest = name.removesuffix(".").partition(".")
    service, _, domain = rest.partition(".")
    if _REGION.fullmatch(service) is not None and domain.startswith("web."):
        service, _, domain = domain.partition(".")
    if service in STORAGE_SERVICES and account and domain in DOMAINS:
        return Host(service, account)
    if service == "servicebus" and account and domain in SERVICE_BUS_DOMAINS:
        return Host(service)
    return Host(None)


def namespace_of(host: str) -> str | None:
    """Return the name of the Service Bus namespace in a host name such as `ns.servicebus.localhost`, in lower case."""
    if parse_host(host).service != "servicebus":
        return None
    return host.lower().partition(".")[0]


def _path_style(service: str, path: str, prefix: str) -> Address:
    """Take the account off the front of a path, for services that have accounts."""
    if service not in STORAGE_SERVICES:
        return Address("", secondary=False, path=path, base_url=prefix)
    account, _, rest = path.partition("/")
    return _address(account, rest, f"{prefix}/{account}")


def _address(account: str, path: str, base_url: str) -> Address:
    if account.endswith(SECONDARY):
        return Address(account.removesuffix(SECONDARY), secondary=True, path=path, base_url=base_url)
    return Address(account, secondary=False, path=path, base_url=base_url)
