"""The service as a whole: its properties, statistics, CORS, the secondary, versions, credentials and failures."""

from __future__ import annotations

import base64
import json

import pytest

from localzure.config.settings import AuthLevel
from localzure_storage.memory import MemoryStore
from tests.blob_world import sign
from tests.failing_store import FailingStore
from tests.queue_world import QueueWorld

SECONDARY = "devstoreaccount1-secondary"


@pytest.fixture
def world() -> QueueWorld:
    return QueueWorld()


# --- properties ---------------------------------------------------------------------------------------------------

RETENTION = "<RetentionPolicy><Enabled>true</Enabled><Days>5</Days></RetentionPolicy>"
LOGGING = (
    f"<Logging><Version>1.0</Version><Delete>true</Delete><Read>false</Read><Write>true</Write>{RETENTION}</Logging>"
)
METRICS = f"<Version>1.0</Version><Enabled>true</Enabled><IncludeAPIs>true</IncludeAPIs>{RETENTION}"
CORS_RULE = (
    "<CorsRule><AllowedMethods>GET,PUT</AllowedMethods><AllowedOrigins>http://app.example</AllowedOrigins>"
    "<AllowedHeaders>x-ms-*</AllowedHeaders><ExposedHeaders>x-ms-*</ExposedHeaders>"
    "<MaxAgeInSeconds>60</MaxAgeInSeconds></CorsRule>"
)


def set_properties(world: QueueWorld, sections: str, account: str = "devstoreaccount1") -> None:
    body = f"<StorageServiceProperties>{sections}</StorageServiceProperties>".encode()
    answer = world.ask("PUT", "", "restype=service&comp=properties", body=body, account=account)
    assert (answer.status, answer.body) == (202, b"")


def test_properties_of_a_new_account(world: QueueWorld) -> None:
    answer = world.ask("GET", "", "restype=service&comp=properties")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/xml")
    names = [section.tag for section in answer.xml]
    assert names == ["Logging", "HourMetrics", "MinuteMetrics", "Cors"]
    assert answer.xml.findtext("HourMetrics/Enabled") == "false"


def test_properties_change_by_section(world: QueueWorld) -> None:
    set_properties(world, LOGGING)
    set_properties(world, f"<HourMetrics>{METRICS}</HourMetrics><Cors>{CORS_RULE}</Cors>")
    world.start()
    xml = world.ask("GET", "", "restype=service&comp=properties").xml
    assert xml.findtext("Logging/RetentionPolicy/Days") == "5"
    assert xml.findtext("HourMetrics/IncludeAPIs") == "true"
    assert xml.findtext("MinuteMetrics/Enabled") == "false"
    assert xml.findtext("Cors/CorsRule/AllowedOrigins") == "http://app.example"
    other = world.ask("GET", "", "restype=service&comp=properties", account="other").xml
    assert other.findtext("Logging/Delete") == "false"


TOO_LONG = METRICS.replace("<Days>5", "<Days>366")


@pytest.mark.parametrize(
    ("sections", "code"),
    [
        ("", "InvalidXmlDocument"),
        (f"<Cors>{CORS_RULE * 6}</Cors>", "InvalidXmlDocument"),
        (f"{LOGGING}<MinuteMetrics>{TOO_LONG}</MinuteMetrics>", "InvalidXmlNodeValue"),
        (f"{LOGGING}<StaticWebsite/>", "UnsupportedXmlNode"),
        (f"{LOGGING}{LOGGING}", "InvalidXmlDocument"),
        (f"{LOGGING}<Cors>", "InvalidXmlDocument"),
    ],
)
def test_properties_that_cannot_be(world: QueueWorld, sections: str, code: str) -> None:
    body = f"<StorageServiceProperties>{sections}</StorageServiceProperties>".encode()
    before = world.ask("GET", "", "restype=service&comp=properties").body
    answer = world.ask("PUT", "", "restype=service&comp=properties", body=body)
    assert (answer.status, answer.code) == (400, code)
    assert world.ask("GET", "", "restype=service&comp=properties").body == before


# --- CORS ---------------------------------------------------------------------------------------------------------


def test_a_preflight_request_is_answered_by_the_rules_alone() -> None:
    world = QueueWorld("verify")
    asks = {"origin": "http://app.example", "access-control-request-method": "PUT"}
    refused = world.ask("OPTIONS", "jobs", "comp=metadata", asks)
    assert (refused.status, refused.code) == (403, "CorsPreflightFailure")
    world.level = "off"
    world.start()
    set_properties(world, f"<Cors>{CORS_RULE}</Cors>")
    world.level = "verify"
    world.start()
    answer = world.ask("OPTIONS", "no/such/thing", headers={**asks, "access-control-request-headers": "x-ms-meta-a"})
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == "http://app.example"
    assert answer.headers["access-control-max-age"] == "60"
    assert world.ask("OPTIONS", "jobs", headers={"origin": "http://app.example"}).code == "InvalidHeaderValue"
    assert world.ask("OPTIONS", "jobs", headers={**asks, "origin": "http://evil.example"}).status == 403
    assert world.ask("OPTIONS", "jobs", headers=asks, account="other").status == 403


def test_replies_to_other_origins_say_what_the_rules_allow(world: QueueWorld) -> None:
    set_properties(world, f"<Cors>{CORS_RULE}</Cors>")
    world.queue()
    origin = {"origin": "http://app.example"}
    for query, status in (("comp=metadata", 200), ("comp=frogs", 400)):
        answer = world.ask("GET", "jobs", query, origin)
        assert answer.status == status
        assert answer.headers["access-control-allow-origin"] == "http://app.example"
        assert "x-ms-version" in answer.headers["access-control-expose-headers"]
    assert "access-control-allow-origin" not in world.ask("DELETE", "jobs/messages", headers=origin).headers
    assert "access-control-allow-origin" not in world.ask("GET", "jobs", "comp=metadata").headers
    body = b"<QueueMessage><MessageText>x</MessageText></QueueMessage>"
    assert world.ask("POST", "jobs/messages", headers=origin, body=body).status == 201
    assert world.texts() == ["x"]


# --- the secondary ------------------------------------------------------------------------------------------------


def test_stats_are_the_secondarys(world: QueueWorld) -> None:
    answer = world.ask("GET", "", "restype=service&comp=stats", account=SECONDARY)
    assert answer.status == 200
    assert answer.xml.findtext("GeoReplication/Status") == "live"
    assert answer.xml.findtext("GeoReplication/LastSyncTime") == "Thu, 01 Jan 2026 00:00:00 GMT"
    primary = world.ask("GET", "", "restype=service&comp=stats")
    assert (primary.status, primary.code) == (400, "InvalidQueryParameterValue")


def test_the_secondary_reads_and_never_writes(world: QueueWorld) -> None:
    world.queue()
    put = world.put()
    for method, path, query in (
        ("GET", "", "comp=list"),
        ("GET", "jobs", "comp=metadata"),
        ("GET", "jobs", "comp=acl"),
        ("GET", "jobs/messages", "peekonly=true"),
    ):
        assert world.ask(method, path, query, account=SECONDARY).status == 200
    for method, path, query in (
        ("PUT", "new", ""),
        ("DELETE", "jobs", ""),
        ("PUT", "jobs", "comp=metadata"),
        ("PUT", "jobs", "comp=acl"),
        ("PUT", "", "restype=service&comp=properties"),
        ("POST", "jobs/messages", ""),
        ("GET", "jobs/messages", ""),
        ("DELETE", "jobs/messages", ""),
        ("PUT", f"jobs/messages/{put.id}", f"popreceipt={put.receipt}&visibilitytimeout=0"),
        ("DELETE", f"jobs/messages/{put.id}", f"popreceipt={put.receipt}"),
    ):
        answer = world.ask(method, path, query, body=b"" if method != "GET" else None, account=SECONDARY)
        assert (answer.status, answer.code) == (403, "InsufficientAccountPermissions")
    assert world.peek()[0].count == "0"


# --- versions and credentials -------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["2009-09-19", "2019-02-02", "2026-10-06", "2099-12-31"])
def test_every_version_is_accepted(world: QueueWorld, version: str) -> None:
    answer = world.ask("GET", "", "comp=list", {"x-ms-version": version, "x-ms-client-request-id": "mine"})
    assert (answer.status, answer.headers["x-ms-version"]) == (200, version)
    assert answer.headers["x-ms-client-request-id"] == "mine"


def test_what_is_no_version(world: QueueWorld) -> None:
    answer = world.ask("GET", "", "comp=list", {"x-ms-version": "newest"})
    assert (answer.status, answer.code) == (400, "InvalidHeaderValue")


def test_shared_key_is_checked() -> None:
    world = QueueWorld("verify")
    assert world.send(sign(world.describe("PUT", "jobs"))).status == 201
    body = b"<QueueMessage><MessageText>x</MessageText></QueueMessage>"
    put = world.describe("POST", "jobs/messages", "messagettl=60", {"content-length": str(len(body))})
    assert world.send(sign(put), [body]).status == 201
    assert (
        world.send(sign(world.describe("GET", "jobs/messages", "peekonly=true"))).xml[0].findtext("MessageText") == "x"
    )
    stranger = sign(world.describe("GET", "", "comp=list"), key="d3Jvbmc=")
    assert world.send(stranger).code == "AuthenticationFailed"
    changed = sign(world.describe("GET", "jobs/messages", "peekonly=true"))
    changed.raw_query = "peekonly=false"
    assert world.send(changed).status == 403


@pytest.mark.parametrize("level", ["any", "verify"])
def test_nothing_is_public(level: AuthLevel) -> None:
    world = QueueWorld(level)
    for method, path, query in (("GET", "", "comp=list"), ("PUT", "jobs", ""), ("GET", "jobs/messages", "")):
        answer = world.ask(method, path, query)
        assert (answer.status, answer.code) == (401, "NoAuthenticationInformation")
        assert answer.headers["www-authenticate"].startswith("Bearer ")


def test_accounts_that_are_not_there(world: QueueWorld) -> None:
    answer = world.ask("GET", "", "comp=list", account="nobody")
    assert (answer.status, answer.code) == (404, "ResourceNotFound")


def test_keys_stay_out_of_reprs() -> None:
    from localzure.services.queue import QueueSettings

    assert "secret" not in repr(QueueSettings({"a": (b"secret",)}))


def shown(claims: dict[str, str]) -> str:
    """A token that says this, which nobody signed."""
    head, body = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in ({}, claims))
    return f"Bearer {head}.{body}.c2ln"


KEY_INFO = b"<KeyInfo><Start>2026-01-01T00:00:00Z</Start><Expiry>2026-01-02T00:00:00Z</Expiry></KeyInfo>"


def test_a_user_delegation_key_says_whose_it_is_and_is_the_same_again() -> None:
    world = QueueWorld("any")
    headers = {"authorization": shown({"oid": "me", "tid": "home"})}
    query = "restype=service&comp=userdelegationkey"
    answer = world.ask("POST", "", query, headers, KEY_INFO)
    assert (answer.status, answer.xml.tag) == (200, "UserDelegationKey")
    said = {element.tag: element.text for element in answer.xml}
    assert said.pop("Value")
    assert said == {
        "SignedOid": "me",
        "SignedTid": "home",
        "SignedStart": "2026-01-01T00:00:00Z",
        "SignedExpiry": "2026-01-02T00:00:00Z",
        "SignedService": "q",
        "SignedVersion": "2026-10-06",
    }
    assert world.ask("POST", "", query, headers, KEY_INFO).body == answer.body
    other = {"authorization": shown({"oid": "you", "tid": "home"})}
    assert world.ask("POST", "", query, other, KEY_INFO).xml.findtext("Value") != answer.xml.findtext("Value")


def test_a_user_delegation_key_needs_a_user() -> None:
    query = "restype=service&comp=userdelegationkey"
    answer = QueueWorld("off").ask("POST", "", query, body=KEY_INFO)
    assert (answer.status, answer.code) == (403, "AuthenticationFailed")
    assert QueueWorld("any").ask("POST", "", query, body=KEY_INFO).status == 401


# --- failures -----------------------------------------------------------------------------------------------------


def test_a_failed_commit_is_told_and_changes_nothing() -> None:
    store = FailingStore(MemoryStore())
    world = QueueWorld(store=store)
    world.queue()
    put = world.put()
    before = world.stored_keys()
    store.failing = True
    answers = [
        world.ask("PUT", "new"),
        world.try_put(),
        world.ask("GET", "jobs/messages"),
        world.update(put, 5),
        world.delete(put),
        world.ask("DELETE", "jobs/messages"),
        world.ask("DELETE", "jobs"),
        world.ask("PUT", "jobs", "comp=metadata", {"x-ms-meta-a": "1"}),
    ]
    assert {(answer.status, answer.code) for answer in answers} == {(503, "ServerBusy")}
    store.failing = False
    assert world.stored_keys() == before
    assert world.delete(put).status == 204


def test_an_unknown_failure_is_a_500_with_the_request_id(world: QueueWorld) -> None:
    request = world.describe("GET", "jobs")
    reply = world.service.refuse(request, None)
    assert (reply.status, dict(reply.headers)["x-ms-error-code"]) == (500, "InternalError")
    assert isinstance(reply.body, bytes)
    assert request.request_id.encode() in reply.body
