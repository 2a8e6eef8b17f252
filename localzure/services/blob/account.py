"""An account's Blob service on the wire: its properties, statistics and kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure.services.blob.engine import accounts, containers
from localzure.services.blob.engine.accounts import AccountRecord, StaticWebsite
from localzure.services.blob.errors import BlobError
from localzure.services.blob.handling import writing_document, xml_reply
from localzure.services.interface import HttpReply
from localzure.services.storage_rest.handling import reading
from localzure.services.storage_rest.headers import is_version, reply_headers
from localzure.services.storage_rest.service_properties import (
    RetentionPolicy,
    change_properties,
    properties_document,
    stats_document,
)
from localzure.services.storage_rest.sinks import Bodiless
from localzure.services.storage_rest.xml_writer import element

if TYPE_CHECKING:
    from localzure.services.blob.call import Call
    from localzure.services.blob.engine.state import Engine, Moment
    from localzure.services.interface import BodySink
    from localzure.services.storage_rest.xml_reader import Element
    from localzure_storage.store import Reader, Writer

OWN_SECTIONS = frozenset({"DefaultServiceVersion", "DeleteRetentionPolicy", "StaticWebsite"})
"""Sections of the properties that only this service has."""

DAYS_MAX = 365
"""Longest retention of deleted blobs."""


def _account(call: Call) -> str:
    return call.address.account


def _load(engine: Engine, reader: Reader, account: str, _moment: Moment) -> AccountRecord:
    return accounts.load(engine, reader, account)


def _set_properties(call: Call, document: Element | None) -> tuple[str, Element]:
    if document is None:
        raise BlobError("InvalidXmlDocument")
    return call.address.account, document


def _change(engine: Engine, writer: Writer, command: tuple[str, Element], moment: Moment) -> None:
    account, document = command
    record = accounts.load(engine, writer, account)
    change_properties(record.properties, document, OWN_SECTIONS)
    for section in document.children:
        if section.name == "DefaultServiceVersion":
            if not is_version(section.text.strip()):
                raise _bad_value(section)
            record.default_version = section.text.strip()
        elif section.name == "DeleteRetentionPolicy":
            record.delete_retention, record.allows_permanent_delete = _retention(section)
        elif section.name == "StaticWebsite":
            record.website = _website(section)
    if record.website.enabled:
        containers.create_missing(engine, writer, account, "$web", moment)
    logging = record.properties.logging
    if logging.read or logging.write or logging.delete:
        containers.create_missing(engine, writer, account, containers.LOGS, moment)
    accounts.save(engine, writer, account, record)


def _retention(section: Element) -> tuple[RetentionPolicy, bool]:
    parts = {part.name: part for part in section.children}
    if not _flag(parts.get("Enabled"), section):
        return RetentionPolicy(), False
    days = parts.get("Days")
    text = "" if days is None else days.text.strip()
    if days is None or not text.isascii() or not text.isdecimal() or len(text) > 4 or not 1 <= int(text) <= DAYS_MAX:
        raise _bad_value(section if days is None else days)
    allows = "AllowPermanentDelete" in parts and _flag(parts["AllowPermanentDelete"], section)
    return RetentionPolicy(enabled=True, days=int(text)), allows


def _website(section: Element) -> StaticWebsite:
    parts = {part.name: part for part in section.children}
    website = StaticWebsite(enabled=_flag(parts.get("Enabled"), section))
    if website.enabled:
        texts = {name: part.text.strip() or None for name, part in parts.items()}
        website.index_document = texts.get("IndexDocument")
        website.error_document = texts.get("ErrorDocument404Path")
        website.default_index_path = texts.get("DefaultIndexDocumentPath")
        if website.index_document is not None and website.default_index_path is not None:
            raise BlobError("InvalidXmlDocument", XmlNodeName="DefaultIndexDocumentPath")
    return website


def _flag(part: Element | None, section: Element) -> bool:
    if part is None:
        raise BlobError("InvalidXmlDocument", XmlNodeName=section.name)
    text = part.text.strip().lower()
    if text not in {"true", "false"}:
        raise _bad_value(part)
    return text == "true"


def _bad_value(section: Element) -> BlobError:
    return BlobError("InvalidXmlNodeValue", XmlNodeName=section.name, XmlNodeValue=section.text)


def _render_properties(call: Call, record: AccountRecord) -> HttpReply:
    engine, account, website = call.parts.engine, call.address.account, record.website
    retention = accounts.delete_retention(engine, account, record)
    version = accounts.default_version(engine, account, record)
    own = "" if version is None else element("DefaultServiceVersion", version)
    own += f"<DeleteRetentionPolicy><Enabled>{_word(retention.enabled)}</Enabled>"
    if retention.enabled:
        own += f"<Days>{retention.days}</Days>"
        own += f"<AllowPermanentDelete>{_word(record.allows_permanent_delete)}</AllowPermanentDelete>"
    own += f"</DeleteRetentionPolicy><StaticWebsite><Enabled>{_word(website.enabled)}</Enabled>"
    for name, value in (
        ("IndexDocument", website.index_document),
        ("DefaultIndexDocumentPath", website.default_index_path),
        ("ErrorDocument404Path", website.error_document),
    ):
        own += element(name, value) if value else ""
    return xml_reply(call, properties_document(record.properties, f"{own}</StaticWebsite>"))


def _word(value: bool) -> str:
    return "true" if value else "false"


def _render_set(call: Call, _reply: None) -> HttpReply:
    return HttpReply(202, reply_headers(call.request))


get_properties = reading(_account, _load, _render_properties)
set_properties = writing_document(_set_properties, _change, _render_set)


def get_stats(call: Call) -> BodySink:
    """Get Blob Service Stats, which only the secondary has."""
    if not call.address.secondary:
        raise BlobError("InvalidQueryParameterValue", QueryParameterName="comp", QueryParameterValue="stats")
    return Bodiless(lambda: xml_reply(call, stats_document(call.parts.clock.now())))


def get_account_info(call: Call) -> BodySink:
    """Get Account Information."""
    features = call.parts.engine.features_of(call.address.account)
    headers = reply_headers(call.request)
    headers += [
        ("x-ms-sku-name", features.sku),
        ("x-ms-account-kind", features.kind),
        ("x-ms-is-hns-enabled", "false"),
    ]
    return Bodiless(lambda: HttpReply(200, headers))
