"""The properties of a storage service: logging, metrics and CORS rules, in the XML of Set and Get Service Properties.

Nothing is logged or measured by them here; they are kept and given back, and the CORS rules are obeyed. Since version
2013-08-15 a request changes only the sections that it holds, and must give a section whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

from localzure.auth.dates import http_date
from localzure.services.storage_rest.cors import CorsRule
from localzure.services.storage_rest.errors import StorageRestError
from localzure.services.storage_rest.xml_writer import element

if TYPE_CHECKING:
    from localzure.services.interface import Instant
    from localzure.services.storage_rest.xml_reader import Element

RULES_MAX = 5
"""CORS rules of a service."""

RULES_CHARS_MAX = 2048
"""Characters in all CORS rules together."""

LIST_MAX = 64
"""Origins, and literal headers, in a list of a CORS rule."""

PREFIXES_MAX = 2
"""Prefixed headers in a list of a CORS rule."""

ITEM_CHARS_MAX = 256
"""Characters in an origin or a header of a CORS rule."""

DAYS_MAX = 365
"""Longest retention."""

METHODS = frozenset({"DELETE", "GET", "HEAD", "MERGE", "OPTIONS", "PATCH", "POST", "PUT"})
"""Methods that a CORS rule may allow."""


class RetentionPolicy(Struct, array_like=True):
    """How long logs or metrics are kept."""

    enabled: bool = False
    days: int | None = None


class Logging(Struct, array_like=True):
    """What is logged."""

    version: str = "1.0"
    delete: bool = False
    read: bool = False
    write: bool = False
    retention: RetentionPolicy = field(default_factory=RetentionPolicy)


class Metrics(Struct, array_like=True):
    """What is measured."""

    version: str = "1.0"
    enabled: bool = False
    include_apis: bool | None = None
    retention: RetentionPolicy = field(default_factory=RetentionPolicy)


class ServiceProperties(Struct, array_like=True):
    """The properties that all storage services have."""

    logging: Logging = field(default_factory=Logging)
    hour_metrics: Metrics = field(default_factory=Metrics)
    minute_metrics: Metrics = field(default_factory=Metrics)
    cors: list[CorsRule] = field(default_factory=list)


def change_properties(
    properties: ServiceProperties, document: Element, own_sections: frozenset[str] = frozenset()
) -> None:
    """Change what the sections of a `StorageServiceProperties` document give.

    Sections named in `own_sections` are the service's, and left to it. Raises StorageRestError `InvalidXmlDocument`,
    `InvalidXmlNodeValue`, `UnsupportedXmlNode`; the properties may be half changed then.
    """
    if document.name != "StorageServiceProperties" or not document.children:
        raise StorageRestError("InvalidXmlDocument")
    seen: set[str] = set()
    for section in document.children:
        if section.name in seen:
            raise StorageRestError("InvalidXmlDocument", XmlNodeName=section.name)
        seen.add(section.name)
        if section.name == "Logging":
            properties.logging = _logging(section)
        elif section.name in {"HourMetrics", "Metrics"}:
            properties.hour_metrics = _metrics(section)
        elif section.name == "MinuteMetrics":
            properties.minute_metrics = _metrics(section)
        elif section.name == "Cors":
            properties.cors = _cors(section)
        elif section.name not in own_sections:
            raise StorageRestError("UnsupportedXmlNode", XmlNodeName=section.name)


def properties_document(properties: ServiceProperties, own_sections: str = "") -> bytes:
    """Write Get Service Properties; `own_sections` are the service's, already written."""
    logging = properties.logging
    rules = "".join(map(_rule_element, properties.cors))
    return (
        '<?xml version="1.0" encoding="utf-8"?><StorageServiceProperties>'
        f"<Logging>{element('Version', logging.version)}{_flag('Delete', logging.delete)}"
        f"{_flag('Read', logging.read)}{_flag('Write', logging.write)}{_retention_element(logging.retention)}</Logging>"
        f"{_metrics_element('HourMetrics', properties.hour_metrics)}"
        f"{_metrics_element('MinuteMetrics', properties.minute_metrics)}"
        f"{f'<Cors>{rules}</Cors>' if rules else '<Cors />'}{own_sections}</StorageServiceProperties>"
    ).encode()


def stats_document(now: Instant) -> bytes:
    """Write Get Service Stats: the secondary is live, and never behind."""
    return (
        '<?xml version="1.0" encoding="utf-8"?><StorageServiceStats><GeoReplication><Status>live</Status>'
        f"<LastSyncTime>{http_date(now)}</LastSyncTime></GeoReplication></StorageServiceStats>"
    ).encode()


# --- reading ------------------------------------------------------------------------------------------------------


def _children(section: Element, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> dict[str, Element]:
    found: dict[str, Element] = {}
    for child in section.children:
        if child.name in found or child.name not in (*required, *optional):
            raise StorageRestError("InvalidXmlDocument", XmlNodeName=child.name)
        found[child.name] = child
    for name in required:
        if name not in found:
            raise StorageRestError("InvalidXmlDocument", XmlNodeName=name)
    return found


def _logging(section: Element) -> Logging:
    children = _children(section, ("Version", "Delete", "Read", "Write", "RetentionPolicy"))
    return Logging(
        version=_version(children["Version"]),
        delete=_boolean(children["Delete"]),
        read=_boolean(children["Read"]),
        write=_boolean(children["Write"]),
        retention=_retention(children["RetentionPolicy"]),
    )


def _metrics(section: Element) -> Metrics:
    children = _children(section, ("Version", "Enabled", "RetentionPolicy"), ("IncludeAPIs",))
    enabled = _boolean(children["Enabled"])
    include = children.get("IncludeAPIs")
    if enabled and include is None:
        raise StorageRestError("InvalidXmlDocument", XmlNodeName="IncludeAPIs")
    return Metrics(
        version=_version(children["Version"]),
        enabled=enabled,
        include_apis=_boolean(include) if enabled and include is not None else None,
        retention=_retention(children["RetentionPolicy"]),
    )


def _retention(section: Element) -> RetentionPolicy:
    children = _children(section, ("Enabled",), ("Days",))
    if not _boolean(children["Enabled"]):
        return RetentionPolicy()
    if "Days" not in children:
        raise StorageRestError("InvalidXmlDocument", XmlNodeName="Days")
    return RetentionPolicy(enabled=True, days=_number(children["Days"], 1, DAYS_MAX))


def _cors(section: Element) -> list[CorsRule]:
    if len(section.children) > RULES_MAX or any(child.name != "CorsRule" for child in section.children):
        raise StorageRestError("InvalidXmlDocument", XmlNodeName="Cors")
    rules = [_rule(child) for child in section.children]
    lists = (
        items
        for rule in rules
        for items in (rule.allowed_origins, rule.allowed_methods, rule.allowed_headers, rule.exposed_headers)
    )
    if sum(len(item) for items in lists for item in items) > RULES_CHARS_MAX:
        raise StorageRestError("InvalidXmlDocument", XmlNodeName="Cors")
    return rules


def _rule(section: Element) -> CorsRule:
    names = ("AllowedOrigins", "AllowedMethods", "AllowedHeaders", "ExposedHeaders", "MaxAgeInSeconds")
    children = _children(section, names)
    methods = _items(children["AllowedMethods"])
    origins = _items(children["AllowedOrigins"])
    if not methods or not METHODS.issuperset(methods):
        raise _bad_value(children["AllowedMethods"])
    if not origins:
        raise _bad_value(children["AllowedOrigins"])
    return CorsRule(
        allowed_origins=origins,
        allowed_methods=methods,
        allowed_headers=_headers(children["AllowedHeaders"]),
        exposed_headers=_headers(children["ExposedHeaders"]),
        max_age=_number(children["MaxAgeInSeconds"], 0, 0x7FFFFFFF),
    )


def _items(section: Element) -> list[str]:
    items = [item for item in (part.strip() for part in section.text.split(",")) if item]
    if len(items) > LIST_MAX + PREFIXES_MAX or any(len(item) > ITEM_CHARS_MAX for item in items):
        raise _bad_value(section)
    return items


def _headers(section: Element) -> list[str]:
    items = _items(section)
    prefixes = sum(item.endswith("*") and item != "*" for item in items)
    if prefixes > PREFIXES_MAX or len(items) - prefixes > LIST_MAX:
        raise _bad_value(section)
    return items


def _version(section: Element) -> str:
    text = section.text.strip()
    if text != "1.0":
        raise _bad_value(section)
    return text


def _boolean(section: Element) -> bool:
    text = section.text.strip().lower()
    if text not in {"true", "false"}:
        raise _bad_value(section)
    return text == "true"


def _number(section: Element, least: int, most: int) -> int:
    text = section.text.strip()
    if not text.isascii() or not text.isdecimal() or len(text) > 10 or not least <= int(text) <= most:
        raise _bad_value(section)
    return int(text)


def _bad_value(section: Element) -> StorageRestError:
    return StorageRestError("InvalidXmlNodeValue", XmlNodeName=section.name, XmlNodeValue=section.text)


# --- writing ------------------------------------------------------------------------------------------------------


def _flag(name: str, value: bool) -> str:
    return f"<{name}>{'true' if value else 'false'}</{name}>"


def _retention_element(retention: RetentionPolicy) -> str:
    days = "" if retention.days is None else f"<Days>{retention.days}</Days>"
    return f"<RetentionPolicy>{_flag('Enabled', retention.enabled)}{days}</RetentionPolicy>"


def _metrics_element(name: str, metrics: Metrics) -> str:
    include = "" if metrics.include_apis is None else _flag("IncludeAPIs", metrics.include_apis)
    return (
        f"<{name}>{element('Version', metrics.version)}{_flag('Enabled', metrics.enabled)}{include}"
        f"{_retention_element(metrics.retention)}</{name}>"
    )


def _rule_element(rule: CorsRule) -> str:
    return (
        f"<CorsRule>{element('AllowedMethods', ','.join(rule.allowed_methods))}"
        f"{element('AllowedOrigins', ','.join(rule.allowed_origins))}"
        f"{element('AllowedHeaders', ','.join(rule.allowed_headers))}"
        f"{element('ExposedHeaders', ','.join(rule.exposed_headers))}"
        f"<MaxAgeInSeconds>{rule.max_age}</MaxAgeInSeconds></CorsRule>"
    )
