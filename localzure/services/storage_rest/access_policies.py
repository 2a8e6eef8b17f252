"""Stored access policies: the signed identifiers of a container, queue or table, in the XML of Set and Get ACL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from localzure.services.storage_rest.errors import StorageRestError
from localzure.services.storage_rest.iso8601 import format_ticks_in_full, parse_ticks
from localzure.services.storage_rest.times import Ticks  # noqa: TC001 - msgspec reads the annotations
from localzure.services.storage_rest.xml_writer import element

if TYPE_CHECKING:
    from collections.abc import Iterable

    from localzure.services.storage_rest.xml_reader import Element

POLICIES_MAX = 5
"""Stored access policies of one resource."""

ID_CHARS_MAX = 64
"""Characters in the id of a policy."""


class AccessPolicy(Struct, array_like=True):
    """One stored access policy. What is None, the signature that names it must give."""

    id: str
    start: Ticks | None = None
    expiry: Ticks | None = None
    permission: str | None = None


def read_policies(document: Element | None, permissions: str) -> list[AccessPolicy]:
    """Read a `SignedIdentifiers` document; None, an empty body, is an empty list.

    `permissions` are the letters that the resource knows. Raises StorageRestError `InvalidXmlDocument`,
    `InvalidXmlNodeValue`.
    """
    if document is None:
        return []
    if document.name != "SignedIdentifiers" or len(document.children) > POLICIES_MAX:
        raise StorageRestError("InvalidXmlDocument")
    policies = [_policy(child, permissions) for child in document.children]
    if len({policy.id for policy in policies}) < len(policies):
        raise StorageRestError("InvalidXmlDocument")
    return policies


def policies_document(policies: Iterable[AccessPolicy]) -> bytes:
    """Write Get ACL. A policy that says nothing is written as its id alone."""
    items = "".join(map(_policy_element, policies))
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        f"{f'<SignedIdentifiers>{items}</SignedIdentifiers>' if items else '<SignedIdentifiers />'}"
    ).encode()


def _policy(section: Element, permissions: str) -> AccessPolicy:
    if section.name != "SignedIdentifier":
        raise StorageRestError("InvalidXmlDocument", XmlNodeName=section.name)
    policy = AccessPolicy("")
    for child in section.children:
        if child.name == "Id":
            policy.id = child.text.strip()
        elif child.name == "AccessPolicy":
            _read_terms(policy, child, permissions)
        else:
            raise StorageRestError("InvalidXmlDocument", XmlNodeName=child.name)
    if not 0 < len(policy.id) <= ID_CHARS_MAX:
        raise StorageRestError("InvalidXmlDocument", XmlNodeName="Id")
    return policy


def _read_terms(policy: AccessPolicy, section: Element, permissions: str) -> None:
    for child in section.children:
        text = child.text.strip()
        if child.name == "Start":
            policy.start = _time(child, text)
        elif child.name == "Expiry":
            policy.expiry = _time(child, text)
        elif child.name == "Permission":
            if not set(permissions).issuperset(text):
                raise StorageRestError("InvalidXmlDocument", XmlNodeName=child.name)
            policy.permission = text or None
        else:
            raise StorageRestError("InvalidXmlDocument", XmlNodeName=child.name)


def _time(section: Element, text: str) -> Ticks | None:
    if not text:
        return None
    ticks = parse_ticks(text)
    if ticks is None:
        raise _bad_value(section)
    return ticks


def _bad_value(section: Element) -> StorageRestError:
    return StorageRestError("InvalidXmlNodeValue", XmlNodeName=section.name, XmlNodeValue=section.text)


def _policy_element(policy: AccessPolicy) -> str:
    terms = ""
    if policy.start is not None:
        terms += element("Start", format_ticks_in_full(policy.start))
    if policy.expiry is not None:
        terms += element("Expiry", format_ticks_in_full(policy.expiry))
    if policy.permission is not None:
        terms += element("Permission", policy.permission)
    terms = f"<AccessPolicy>{terms}</AccessPolicy>" if terms else ""
    return f"<SignedIdentifier>{element('Id', policy.id)}{terms}</SignedIdentifier>"
