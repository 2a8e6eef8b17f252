"""Get User Delegation Key in the XML of the storage services: the times that a key is asked for, and the key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure.auth.delegation import issue
from localzure.services.storage_rest.errors import StorageRestError
from localzure.services.storage_rest.headers import LATEST_VERSION
from localzure.services.storage_rest.times import iso_time
from localzure.services.storage_rest.xml_writer import element

if TYPE_CHECKING:
    from localzure.auth.accounts import Accounts
    from localzure.auth.delegation import KeyInfo
    from localzure.auth.principal import Principal
    from localzure.services.interface import HttpRequest, Instant
    from localzure.services.storage_rest.xml_reader import Element

_ASKED = frozenset({"Start", "Expiry", "DelegatedUserTid"})
"""What a `KeyInfo` document may say."""


def answer_key_info(
    document: Element, request: HttpRequest, principal: Principal, accounts: Accounts, service: str, now: Instant
) -> bytes:
    """Return the `UserDelegationKey` document that answers a `KeyInfo` document.

    `service` is `b`, `q` or `t`, `now` the wall time: a key without a start holds from then on. Raises
    StorageRestError, and AuthenticationError for callers who showed no token.
    """
    asked = _read(document)
    start = asked.get("Start") or f"{iso_time(now)[:19]}Z"
    expiry = asked["Expiry"]
    version = request.headers.get("x-ms-version", LATEST_VERSION)
    tenant = asked.get("DelegatedUserTid", "")
    issued = issue(accounts, principal, service, version, start, expiry, now, tenant)
    if issued is None:
        raise StorageRestError("InvalidXmlNodeValue", XmlNodeName="Expiry", XmlNodeValue=expiry)
    return _write(*issued)


def _read(document: Element) -> dict[str, str]:
    asked = {child.name: child.text.strip() for child in document.children}
    if document.name != "KeyInfo" or not asked.keys() <= _ASKED or len(asked) < len(document.children):
        raise StorageRestError("InvalidXmlDocument", XmlNodeName=document.name)
    if "Expiry" not in asked:
        raise StorageRestError("InvalidXmlDocument", XmlNodeName="Expiry")
    return asked


def _write(info: KeyInfo, value: str) -> bytes:
    tenant = element("SignedDelegatedUserTid", info.delegated_tid) if info.delegated_tid else ""
    return (
        '<?xml version="1.0" encoding="utf-8"?><UserDelegationKey>'
        f"{element('SignedOid', info.oid)}{element('SignedTid', info.tid)}{element('SignedStart', info.start)}"
        f"{element('SignedExpiry', info.expiry)}{element('SignedService', info.service)}"
        f"{element('SignedVersion', info.version)}{tenant}{element('Value', value)}</UserDelegationKey>"
    ).encode()
