"""Which host names are Azure's, and so end here when a client sends them through the proxy."""

from __future__ import annotations

from localzure.gateway.address import DOMAINS, ENTRA_HOSTS, SERVICE_BUS_DOMAINS

SUFFIXES = (
    *(f".{domain}" for domain in DOMAINS),
    *(f".servicebus.{domain}" for domain in SERVICE_BUS_DOMAINS),
    ".vault.azure.net",
    ".vault.azure.cn",
    ".vault.usgovcloudapi.net",
    ".documents.azure.com",
    ".documents.azure.cn",
    ".documents.azure.us",
)
"""Names of accounts, namespaces and vaults, in the public and the sovereign clouds; and our own."""

NAMES = ENTRA_HOSTS | {
    "management.azure.com",
    "management.chinacloudapi.cn",
    "management.usgovcloudapi.net",
    "login.chinacloudapi.cn",
    "login.partner.microsoftonline.cn",
    "login.microsoftonline.us",
    "169.254.169.254",
}
"""Single names: the authorities, the management plane, and the metadata service of virtual machines."""


def is_azure(host: str) -> bool:
    """Whether a host name, without a port, is one of Azure's."""
    name = host.lower().rstrip(".")
    return name in NAMES or name.endswith(SUFFIXES)
