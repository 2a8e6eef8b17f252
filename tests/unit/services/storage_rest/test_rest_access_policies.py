"""Stored access policies: what Set ACL keeps and Get ACL gives."""

from __future__ import annotations

import pytest

from localzure.services.storage_rest.access_policies import AccessPolicy, policies_document, read_policies
from localzure.services.storage_rest.errors import StorageRestError
from localzure.services.storage_rest.iso8601 import parse_ticks
from localzure.services.storage_rest.xml_reader import parse_document

START = parse_ticks("2026-01-01T00:00:00Z")


def policy(identifier: str = "one", terms: str = "") -> str:
    return f"<SignedIdentifier><Id>{identifier}</Id><AccessPolicy>{terms}</AccessPolicy></SignedIdentifier>"


def read(*policies: str) -> list[AccessPolicy]:
    document = f"<SignedIdentifiers>{''.join(policies)}</SignedIdentifiers>"
    return read_policies(parse_document(document.encode()), "raud")


def test_what_is_given_is_kept() -> None:
    terms = "<Start>2026-01-01</Start><Expiry>2026-01-02T00:00:00.5Z</Expiry><Permission>ra</Permission>"
    (found,) = read(policy(terms=terms))
    assert found == AccessPolicy("one", START, parse_ticks("2026-01-02T00:00:00.5Z"), "ra")


def test_what_is_not_given_is_none() -> None:
    assert read(policy(), "<SignedIdentifier><Id>two</Id></SignedIdentifier>") == [
        AccessPolicy("one"),
        AccessPolicy("two"),
    ]
    assert read(policy(terms="<Start /><Expiry></Expiry><Permission />")) == [AccessPolicy("one")]
    assert read() == []
    assert read_policies(None, "raud") == []


def test_what_is_written_is_read_again() -> None:
    policies = [AccessPolicy("a&b", START, None, "raud"), AccessPolicy("two")]
    assert read_policies(parse_document(policies_document(policies)), "raud") == policies
    document = policies_document(policies)
    assert b"<Start>2026-01-01T00:00:00.0000000Z</Start>" in document
    assert b"<SignedIdentifier><Id>two</Id></SignedIdentifier>" in document
    assert policies_document([]).endswith(b"<SignedIdentifiers />")


@pytest.mark.parametrize(
    ("policies", "code"),
    [
        ([policy(str(number)) for number in range(6)], "InvalidXmlDocument"),
        ([policy(), policy()], "InvalidXmlDocument"),
        ([policy("")], "InvalidXmlDocument"),
        ([policy("i" * 65)], "InvalidXmlDocument"),
        (["<SignedIdentifier />"], "InvalidXmlDocument"),
        (["<Frog />"], "InvalidXmlDocument"),
        (["<SignedIdentifier><Frog /></SignedIdentifier>"], "InvalidXmlDocument"),
        ([policy(terms="<Frog />")], "InvalidXmlDocument"),
        ([policy(terms="<Start>yesterday</Start>")], "InvalidXmlNodeValue"),
        ([policy(terms="<Permission>rx</Permission>")], "InvalidXmlDocument"),
    ],
)
def test_documents_that_azure_refuses(policies: list[str], code: str) -> None:
    with pytest.raises(StorageRestError) as caught:
        read(*policies)
    assert (caught.value.code, caught.value.status) == (code, 400)


def test_another_document_is_refused() -> None:
    with pytest.raises(StorageRestError, match="InvalidXmlDocument"):
        read_policies(parse_document(b"<Other />"), "raud")
