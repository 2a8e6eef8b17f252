"""Service properties: what is kept, what is given back, and documents that Azure refuses."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from localzure.services.interface import SECOND, Instant
from localzure.services.storage_rest.cors import CorsRule
from localzure.services.storage_rest.errors import StorageRestError
from localzure.services.storage_rest.service_properties import (
    Logging,
    Metrics,
    RetentionPolicy,
    ServiceProperties,
    change_properties,
    properties_document,
    stats_document,
)
from localzure.services.storage_rest.xml_reader import parse_document

LOGGING = (
    "<Logging><Version>1.0</Version><Delete>true</Delete><Read>false</Read><Write>true</Write>"
    "<RetentionPolicy><Enabled>true</Enabled><Days>7</Days></RetentionPolicy></Logging>"
)
METRICS = (
    "<Version>1.0</Version><Enabled>true</Enabled><IncludeAPIs>false</IncludeAPIs>"
    "<RetentionPolicy><Enabled>false</Enabled></RetentionPolicy>"
)
RULE = (
    "<CorsRule><AllowedOrigins>http://a, http://b</AllowedOrigins><AllowedMethods>GET,PUT</AllowedMethods>"
    "<AllowedHeaders>x-ms-*</AllowedHeaders><ExposedHeaders /><MaxAgeInSeconds>5</MaxAgeInSeconds></CorsRule>"
)


def changed(sections: str, properties: ServiceProperties | None = None) -> ServiceProperties:
    properties = properties or ServiceProperties()
    document = f"<StorageServiceProperties>{sections}</StorageServiceProperties>"
    change_properties(properties, parse_document(document.encode()))
    return properties


def refusal(sections: str) -> StorageRestError:
    with pytest.raises(StorageRestError) as caught:
        changed(sections)
    return caught.value


def rule(**texts: str) -> str:
    """A rule with some of its texts replaced."""
    document = ET.fromstring(RULE)
    for name, text in texts.items():
        (child,) = document.findall(name)
        child.text = text
    return f"<Cors>{ET.tostring(document, encoding='unicode')}</Cors>"


def test_a_section_that_is_given_is_changed_whole() -> None:
    properties = changed(LOGGING + f"<HourMetrics>{METRICS}</HourMetrics><Cors>{RULE}</Cors>")
    assert properties.logging == Logging("1.0", True, False, True, RetentionPolicy(True, 7))
    assert properties.hour_metrics == Metrics("1.0", True, False, RetentionPolicy())
    assert properties.cors == [CorsRule(["http://a", "http://b"], ["GET", "PUT"], ["x-ms-*"], [], 5)]
    assert properties.minute_metrics == Metrics()


def test_a_section_that_is_not_given_stays() -> None:
    properties = changed(LOGGING)
    changed("<Cors />", properties)
    assert properties.logging.retention.days == 7
    changed(f"<Cors>{RULE}{RULE}</Cors>", properties)
    assert len(properties.cors) == 2
    changed("<Cors />", properties)
    assert properties.cors == []


def test_what_is_written_is_read_again() -> None:
    properties = changed(LOGGING + f"<MinuteMetrics>{METRICS}</MinuteMetrics><Cors>{RULE}</Cors>")
    again = ServiceProperties()
    change_properties(again, parse_document(properties_document(properties)))
    assert again == properties


def test_a_new_account() -> None:
    document = ET.fromstring(properties_document(ServiceProperties()))
    assert [child.tag for child in document] == ["Logging", "HourMetrics", "MinuteMetrics", "Cors"]
    assert document.findtext("HourMetrics/Enabled") == "false"
    assert document.find("HourMetrics/IncludeAPIs") is None


def test_the_older_name_of_the_hour_metrics() -> None:
    assert changed(f"<Metrics>{METRICS}</Metrics>").hour_metrics.enabled


@pytest.mark.parametrize(
    ("sections", "code", "node"),
    [
        ("", "InvalidXmlDocument", None),
        ("<Frogs />", "UnsupportedXmlNode", "Frogs"),
        (LOGGING + LOGGING, "InvalidXmlDocument", "Logging"),
        ("<Logging><Version>1.0</Version></Logging>", "InvalidXmlDocument", "Delete"),
        (LOGGING.replace("1.0", "2.0"), "InvalidXmlNodeValue", "Version"),
        (LOGGING.replace("true", "yes"), "InvalidXmlNodeValue", "Delete"),
        (LOGGING.replace("<Days>7</Days>", ""), "InvalidXmlDocument", "Days"),
        (LOGGING.replace("7", "0"), "InvalidXmlNodeValue", "Days"),
        (LOGGING.replace("7", "366"), "InvalidXmlNodeValue", "Days"),
        (LOGGING.replace("7", "seven"), "InvalidXmlNodeValue", "Days"),
        (LOGGING.replace("<Read>", "<Frog /><Read>"), "InvalidXmlDocument", "Frog"),
        (
            f"<HourMetrics>{METRICS.replace('<IncludeAPIs>false</IncludeAPIs>', '')}</HourMetrics>",
            "InvalidXmlDocument",
            "IncludeAPIs",
        ),
        ("<Cors><Frog /></Cors>", "InvalidXmlDocument", "Cors"),
        (f"<Cors>{RULE * 6}</Cors>", "InvalidXmlDocument", "Cors"),
        (rule(AllowedOrigins=""), "InvalidXmlNodeValue", "AllowedOrigins"),
        (rule(AllowedMethods="GET,FROG"), "InvalidXmlNodeValue", "AllowedMethods"),
        (rule(MaxAgeInSeconds="-1"), "InvalidXmlNodeValue", "MaxAgeInSeconds"),
        (rule(AllowedHeaders="a*,b*,c*"), "InvalidXmlNodeValue", "AllowedHeaders"),
        (rule(ExposedHeaders=",".join(f"h{n}" for n in range(65))), "InvalidXmlNodeValue", "ExposedHeaders"),
        (rule(AllowedOrigins="o" * 257), "InvalidXmlNodeValue", "AllowedOrigins"),
        (rule(ExposedHeaders=",".join(f"{n:0>64}" for n in range(40))), "InvalidXmlDocument", "Cors"),
    ],
)
def test_documents_that_azure_refuses(sections: str, code: str, node: str | None) -> None:
    error = refusal(sections)
    assert (error.code, error.status, error.details.get("XmlNodeName")) == (code, 400, node)


def test_another_document_is_refused() -> None:
    with pytest.raises(StorageRestError, match="InvalidXmlDocument"):
        change_properties(ServiceProperties(), parse_document(b"<Other><Cors /></Other>"))


def test_a_services_own_sections_are_left_to_it() -> None:
    document = parse_document(b"<StorageServiceProperties><StaticWebsite /><Cors /></StorageServiceProperties>")
    change_properties(properties := ServiceProperties(), document, frozenset({"StaticWebsite"}))
    assert properties == ServiceProperties()
    assert b"<StaticWebsite /></StorageServiceProperties>" in properties_document(properties, "<StaticWebsite />")


def test_stats() -> None:
    document = ET.fromstring(stats_document(Instant(1_767_225_600 * SECOND)))
    assert document.findtext("GeoReplication/Status") == "live"
    assert document.findtext("GeoReplication/LastSyncTime") == "Thu, 01 Jan 2026 00:00:00 GMT"
