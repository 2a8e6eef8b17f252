"""Get User Delegation Key: what a `KeyInfo` document may say, and what is answered."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from localzure.auth.accounts import Accounts
from localzure.auth.principal import AuthenticationError, Principal, PrincipalKind
from localzure.auth.tokens import Claims
from localzure.services.interface import HttpRequest
from localzure.services.storage_rest.errors import StorageRestError
from localzure.services.storage_rest.headers import LATEST_VERSION
from localzure.services.storage_rest.user_delegation import answer_key_info
from localzure.services.storage_rest.xml_reader import parse_document
from tests.twins import START

ACCOUNTS = Accounts({"acct": (b"key",)})
USER = Principal(PrincipalKind.IDENTITY, "acct", claims=Claims("oid", "tid", "", "", None, None, {}))
EXPIRY = "<Expiry>2026-01-03T00:00:00Z</Expiry>"


def answer(inside: str, principal: Principal = USER, **headers: str) -> dict[str, str | None]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = HttpRequest("POST", "/acct", "", named, "http", "localhost", "127.0.0.1", "id")
    document = parse_document(inside.encode())
    body = answer_key_info(document, request, principal, ACCOUNTS, "b", START)
    return {element.tag: element.text for element in ET.fromstring(body)}


def test_a_key_without_a_start_holds_from_now_on() -> None:
    said = answer(f"<KeyInfo>{EXPIRY}</KeyInfo>")
    assert (said["SignedStart"], said["SignedExpiry"]) == ("2026-01-01T00:00:00Z", "2026-01-03T00:00:00Z")
    assert (said["SignedService"], said["SignedVersion"]) == ("b", LATEST_VERSION)
    assert answer(f"<KeyInfo>\n <Start/>\n {EXPIRY}</KeyInfo>") == said
    assert "SignedDelegatedUserTid" not in said


def test_a_key_is_of_its_version_and_tenant() -> None:
    inside = f"<KeyInfo>{EXPIRY}<DelegatedUserTid>other</DelegatedUserTid></KeyInfo>"
    said = answer(inside, x_ms_version="2025-07-05")
    assert (said["SignedVersion"], said["SignedDelegatedUserTid"]) == ("2025-07-05", "other")
    assert said["Value"] != answer(inside)["Value"]
    assert said["Value"] != answer(f"<KeyInfo>{EXPIRY}</KeyInfo>", x_ms_version="2025-07-05")["Value"]


@pytest.mark.parametrize(
    ("inside", "code"),
    [
        ("<KeyInfo/>", "InvalidXmlDocument"),
        (f"<Key>{EXPIRY}</Key>", "InvalidXmlDocument"),
        (f"<KeyInfo>{EXPIRY}{EXPIRY}</KeyInfo>", "InvalidXmlDocument"),
        (f"<KeyInfo>{EXPIRY}<Other/></KeyInfo>", "InvalidXmlDocument"),
        ("<KeyInfo><Expiry/></KeyInfo>", "InvalidXmlNodeValue"),
        ("<KeyInfo><Expiry>soon</Expiry></KeyInfo>", "InvalidXmlNodeValue"),
        ("<KeyInfo><Expiry>2025-12-31T00:00:00Z</Expiry></KeyInfo>", "InvalidXmlNodeValue"),
        ("<KeyInfo><Expiry>2026-01-09T00:00:00Z</Expiry></KeyInfo>", "InvalidXmlNodeValue"),
        (f"<KeyInfo><Start>2026-01-04T00:00:00Z</Start>{EXPIRY}</KeyInfo>", "InvalidXmlNodeValue"),
    ],
)
def test_what_is_refused(inside: str, code: str) -> None:
    with pytest.raises(StorageRestError) as caught:
        answer(inside)
    assert caught.value.code == code


def test_who_has_no_token_gets_no_key() -> None:
    with pytest.raises(AuthenticationError):
        answer(f"<KeyInfo>{EXPIRY}</KeyInfo>", Principal(PrincipalKind.OWNER, "acct"))
