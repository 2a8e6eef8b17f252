"""What the service has as a whole: properties, stats, ACL, CORS, the secondary endpoint, credentials, errors."""

from __future__ import annotations

import base64
import json
from xml.etree import ElementTree as ET

import pytest

from localzure.services.interface import HttpRequest
from localzure.services.table.errors import TABLE_ERRORS
from localzure_storage.memory import MemoryStore
from tests.failing_store import FailingStore
from tests.storage_world import ACCOUNT, Answer
from tests.table_world import FULL, MINIMAL, NONE, TableWorld, entity_path

PROPERTIES = "restype=service&comp=properties"
STATS = "restype=service&comp=stats"
PATH = entity_path("things", "p", "r")

RULE = (
    "<CorsRule><AllowedOrigins>http://app.example</AllowedOrigins><AllowedMethods>GET,MERGE</AllowedMethods>"
    "<AllowedHeaders>x-ms-*,content-type</AllowedHeaders><ExposedHeaders>x-ms-*</ExposedHeaders>"
    "<MaxAgeInSeconds>60</MaxAgeInSeconds></CorsRule>"
)
LOGGING = (
    "<Logging><Version>1.0</Version><Delete>true</Delete><Read>true</Read><Write>true</Write>"
    "<RetentionPolicy><Enabled>false</Enabled></RetentionPolicy></Logging>"
)


@pytest.fixture
def world() -> TableWorld:
    world = TableWorld()
    world.table()
    return world


def set_properties(world: TableWorld, sections: str) -> Answer:
    body = f"<StorageServiceProperties>{sections}</StorageServiceProperties>".encode()
    return world.ask("PUT", "", PROPERTIES, {"Content-Type": "application/xml"}, body)


def get_properties(world: TableWorld) -> ET.Element:
    answer = world.ask("GET", "", PROPERTIES)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/xml")
    return answer.xml


# --- properties and stats -----------------------------------------------------------------------------------------


def test_properties_are_kept_section_by_section(world: TableWorld) -> None:
    assert get_properties(world).findtext("Logging/Read") == "false"
    assert set_properties(world, LOGGING).status == 202
    assert set_properties(world, f"<Cors>{RULE}</Cors>").status == 202
    found = get_properties(world)
    assert found.findtext("Logging/Read") == "true"
    assert found.findtext("Cors/CorsRule/AllowedMethods") == "GET,MERGE"
    assert found.findtext("HourMetrics/Enabled") == "false"
    assert world.ask("GET", "", PROPERTIES, account="other").xml.findtext("Logging/Read") == "false"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "InvalidXmlDocument"),
        (b"<a", "InvalidXmlDocument"),
        (b"<Other />", "InvalidXmlDocument"),
        (b"<StorageServiceProperties><DefaultServiceVersion /></StorageServiceProperties>", "UnsupportedXmlNode"),
        (
            f"<StorageServiceProperties>{LOGGING}<Cors><x/></Cors></StorageServiceProperties>".encode(),
            "InvalidXmlDocument",
        ),
    ],
)
def test_properties_that_azure_refuses(world: TableWorld, body: bytes, code: str) -> None:
    before = world.stored()
    answer = world.ask("PUT", "", PROPERTIES, body=body)
    assert answer.refusal == (400, code)
    assert world.stored() == before


def test_stats_are_the_secondarys(world: TableWorld) -> None:
    answer = world.send(secondary(world, "GET", "", STATS))
    assert (answer.status, answer.headers["content-type"]) == (200, "application/xml")
    assert answer.xml.findtext("GeoReplication/Status") == "live"
    assert world.ask("GET", "", STATS).refusal == (400, "InvalidQueryParameterValue")


# --- the secondary endpoint ---------------------------------------------------------------------------------------


def secondary(world: TableWorld, method: str, path: str, query: str = "") -> HttpRequest:
    request = world.describe(method, path, query)
    request.raw_path = f"/{ACCOUNT}-secondary/{path}"
    return request


def test_the_secondary_is_read(world: TableWorld) -> None:
    world.insert(a=1)
    assert world.send(secondary(world, "GET", PATH)).json["a"] == 1
    assert len(world.send(secondary(world, "GET", "things()")).json["value"]) == 1
    assert world.send(secondary(world, "GET", f"{ACCOUNT}/{PATH}")).json["a"] == 1
    assert world.send(secondary(world, "GET", ACCOUNT, STATS)).status == 200


@pytest.mark.parametrize(("method", "path"), [("POST", "Tables"), ("PUT", PATH), ("DELETE", PATH), ("POST", "$batch")])
def test_the_secondary_is_not_written(world: TableWorld, method: str, path: str) -> None:
    answer = world.send(secondary(world, method, path))
    assert answer.refusal == (403, "InsufficientAccountPermissions")
    assert answer.message == "Write operations are not allowed."


# --- stored access policies ---------------------------------------------------------------------------------------

POLICY = (
    "<SignedIdentifiers><SignedIdentifier><Id>one</Id><AccessPolicy><Start>2026-01-01T00:00:00Z</Start>"
    "<Expiry>2027-01-01T00:00:00Z</Expiry><Permission>raud</Permission></AccessPolicy></SignedIdentifier>"
    "</SignedIdentifiers>"
)


def test_policies_are_kept_with_their_table(world: TableWorld) -> None:
    assert world.ask("GET", "things", "comp=acl").xml.findall("*") == []
    answer = world.ask("PUT", "THINGS", "comp=acl", body=POLICY.encode())
    assert (answer.status, answer.body) == (204, b"")
    got = world.ask("GET", "things", "comp=acl")
    assert (got.status, got.headers["content-type"]) == (200, "application/xml")
    assert got.xml.findtext("SignedIdentifier/AccessPolicy/Permission") == "raud"
    assert got.xml.findtext("SignedIdentifier/AccessPolicy/Start") == "2026-01-01T00:00:00.0000000Z"
    head = world.ask("HEAD", "things", "comp=acl")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(len(got.body)))
    assert world.ask("PUT", "things", "comp=acl").status == 204
    assert world.ask("GET", "things", "comp=acl").xml.findall("*") == []


def test_policies_go_with_their_table(world: TableWorld) -> None:
    world.ask("PUT", "things", "comp=acl", body=POLICY.encode())
    world.ask("DELETE", "Tables('things')")
    assert world.ask("GET", "things", "comp=acl").refusal == (404, "TableNotFound")
    assert world.ask("PUT", "things", "comp=acl").refusal == (404, "TableNotFound")
    world.table()
    assert world.ask("GET", "things", "comp=acl").xml.findall("*") == []


def test_policies_that_azure_refuses(world: TableWorld) -> None:
    for body in (b"<a", b"<Other />", POLICY.replace("raud", "rx").encode()):
        assert world.ask("PUT", "things", "comp=acl", body=body).refusal == (400, "InvalidXmlDocument")


# --- CORS ---------------------------------------------------------------------------------------------------------


def preflight(world: TableWorld, method: str, origin: str = "http://app.example") -> Answer:
    headers = {"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": "x-ms-date"}
    return world.ask("OPTIONS", "things", headers=headers)


def test_a_browser_is_told_what_it_may_do() -> None:
    world = TableWorld("verify")
    refused = preflight(world, "MERGE")
    assert refused.refusal == (403, "CorsPreflightFailure")
    assert refused.message == "CORS not enabled or no matching rule found for this request."
    world.level = "off"
    world.start()
    set_properties(world, f"<Cors>{RULE}</Cors>")
    world.level = "verify"
    world.start()
    answer = preflight(world, "MERGE")
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == "http://app.example"
    assert answer.headers["access-control-allow-methods"] == "MERGE"
    assert answer.headers["access-control-max-age"] == "60"
    assert preflight(world, "DELETE").status == 403
    assert preflight(world, "GET", "http://elsewhere").status == 403
    assert world.ask("OPTIONS", "").refusal == (400, "InvalidHeaderValue")


def test_replies_are_shared_with_who_may_have_them(world: TableWorld) -> None:
    world.insert()
    set_properties(world, f"<Cors>{RULE}</Cors>")
    for path, status in ((PATH, 200), (entity_path("things", "p", "x"), 404), ("a-b", 400)):
        answer = world.ask("GET", path, headers={"Origin": "http://app.example"})
        assert (answer.status, answer.headers["access-control-allow-origin"]) == (status, "http://app.example")
        assert "x-ms-version" in answer.headers["access-control-expose-headers"]
        other = world.ask("GET", path, headers={"Origin": "http://elsewhere"})
        assert other.status == status
        assert "access-control-allow-origin" not in other.headers
        assert other.headers["vary"] == "Origin"
    assert "vary" not in world.ask("GET", PATH).headers


def test_a_refused_body_is_shared_as_well(world: TableWorld) -> None:
    set_properties(world, f"<Cors>{RULE.replace('GET', 'PUT')}</Cors>")
    request = world.describe("PUT", PATH, headers={"Origin": "http://app.example"})
    answer = world.send(request, [b"x" * (3 * 1024 * 1024)] * 2)
    assert answer.status == 413
    assert answer.headers["access-control-allow-origin"] == "http://app.example"


# --- credentials --------------------------------------------------------------------------------------------------


def test_without_credentials_nothing_is_done() -> None:
    world = TableWorld("verify")
    for method, path in (("GET", "Tables"), ("POST", "Tables"), ("GET", PATH), ("POST", "$batch")):
        answer = world.ask(method, path, headers={"x-ms-version": "2020-12-06"})
        assert answer.refusal == (401, "NoAuthenticationInformation")
        assert answer.headers["www-authenticate"].startswith("Bearer ")
        assert world.ask(method, path).refusal == (404, "ResourceNotFound")
    assert world.stored() == []


def test_an_account_that_is_not_configured(world: TableWorld) -> None:
    assert world.ask("GET", "Tables", account="nobody").refusal == (404, "ResourceNotFound")


def test_a_version_is_a_date(world: TableWorld) -> None:
    assert world.ask("GET", "Tables", headers={"x-ms-version": "9"}).refusal == (400, "InvalidHeaderValue")


def shown(claims: dict[str, str]) -> str:
    """A token that says this, which nobody signed."""
    head, body = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in ({}, claims))
    return f"Bearer {head}.{body}.c2ln"


KEY_INFO = b"<KeyInfo><Start>2026-01-01T00:00:00Z</Start><Expiry>2026-01-02T00:00:00Z</Expiry></KeyInfo>"
DELEGATION = "restype=service&comp=userdelegationkey"


def test_a_user_delegation_key_is_given_to_who_shows_a_token() -> None:
    world = TableWorld("any")
    answer = world.ask("POST", "", DELEGATION, {"authorization": shown({"oid": "me", "tid": "home"})}, KEY_INFO)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/xml")
    assert answer.xml.findtext("SignedOid") == "me"
    assert answer.xml.findtext("SignedService") == "t"
    assert answer.xml.findtext("Value")
    headers = {"x-ms-version": "2026-10-06"}
    assert world.ask("POST", "", DELEGATION, headers, KEY_INFO).refusal == (401, "NoAuthenticationInformation")


# --- errors -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("accept", [MINIMAL, FULL, NONE, "application/json", "*/*", ""])
def test_errors_in_json(world: TableWorld, accept: str) -> None:
    answer = world.ask("GET", PATH, headers={"Accept": accept, "x-ms-client-request-id": "me"})
    assert answer.headers["content-type"].startswith("application/json;odata=minimalmetadata")
    assert answer.headers["x-ms-error-code"] == "ResourceNotFound"
    assert answer.headers["x-ms-client-request-id"] == "me"
    assert answer.json == {
        "odata.error": {
            "code": "ResourceNotFound",
            "message": {
                "lang": "en-US",
                "value": (
                    "The specified resource does not exist.\nRequestId:00000000-0000-4000-8000-000000000002\n"
                    "Time:2026-01-01T00:00:00.0000000Z"
                ),
            },
        }
    }


@pytest.mark.parametrize(
    ("path", "query", "accept"),
    [
        (PATH, "", "application/atom+xml,application/xml"),
        ("nothing", "comp=acl", ""),
        ("nothing", "comp=acl", "application/xml"),
    ],
)
def test_errors_in_xml(world: TableWorld, path: str, query: str, accept: str) -> None:
    answer = world.ask("GET", path, query, headers={"Accept": accept})
    assert answer.headers["content-type"] == "application/xml"
    space = "{http://schemas.microsoft.com/ado/2007/08/dataservices/metadata}"
    assert answer.xml.tag == f"{space}error"
    assert answer.xml.findtext(f"{space}code") == answer.code
    message = answer.xml.findtext(f"{space}message") or ""
    assert message.startswith(TABLE_ERRORS[answer.code].message)


def test_an_error_of_a_head_has_no_body(world: TableWorld) -> None:
    answer = world.ask("HEAD", "nothing", "comp=acl")
    assert (answer.status, answer.body, answer.code) == (404, b"", "TableNotFound")


def test_what_nobody_foresaw(world: TableWorld) -> None:
    request = world.describe("GET", PATH)
    reply = world.service.refuse(request, None)
    assert (reply.status, dict(reply.headers)["x-ms-error-code"]) == (500, "InternalError")


def test_what_cannot_be_kept_is_not_said_to_be() -> None:
    store = FailingStore(MemoryStore())
    world = TableWorld(store=store)
    world.table()
    world.insert(a=1)
    store.failing = True
    answer = world.ask("PUT", PATH, body={"a": 2})
    assert answer.refusal == (503, "ServerBusy")
    store.failing = False
    assert world.get()["a"] == 1
    assert world.ask("PUT", PATH, body={"a": 3}).status == 204
