"""What clients send: bodies of every shape, operations that are not built, and who may do what."""

from __future__ import annotations

import pytest

from localzure.config.settings import AuthLevel
from localzure.services.servicebus.admin.operations import OPERATIONS
from localzure.services.servicebus.admin.targets import Resource, Target, target_of
from tests.servicebus_admin_world import AdminWorld, entry, signature

PYTHON_BODY = (
    '<ns0:entry xmlns:ns0="http://www.w3.org/2005/Atom"><ns0:content type="application/xml"><QueueDescription '
    'xmlns="http://schemas.microsoft.com/netservices/2010/10/servicebus/connect"><EnableExpress>false</EnableExpress>'
    "<MaxDeliveryCount>4</MaxDeliveryCount><LockDuration>PT30S</LockDuration></QueueDescription></ns0:content>"
    "</ns0:entry>"
)
JAVASCRIPT_BODY = (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?><entry xmlns="http://www.w3.org/2005/Atom"><updated>'
    '2026-01-01T00:00:00.000Z</updated><content type="application/xml"><QueueDescription xmlns="http://schemas.'
    'microsoft.com/netservices/2010/10/servicebus/connect" xmlns:i="http://www.w3.org/2001/XMLSchema-instance">'
    "<LockDuration>PT30S</LockDuration><MaxDeliveryCount>4</MaxDeliveryCount></QueueDescription></content></entry>"
)
JAVA_BODY = (
    '<entry xmlns="http://www.w3.org/2005/Atom"><content xmlns="http://www.w3.org/2005/Atom" type="application/xml">'
    '<QueueDescription xmlns="http://schemas.microsoft.com/netservices/2010/10/servicebus/connect">'
    '<LockDuration xmlns="http://schemas.microsoft.com/netservices/2010/10/servicebus/connect">PT30S</LockDuration>'
    "<MaxDeliveryCount> 4 </MaxDeliveryCount></QueueDescription></content></entry>"
)


@pytest.fixture
def admin() -> AdminWorld:
    return AdminWorld()


@pytest.mark.parametrize("body", [PYTHON_BODY, JAVASCRIPT_BODY, JAVA_BODY])
def test_bodies_of_every_client_are_read(admin: AdminWorld, body: str) -> None:
    made = admin.call("PUT", "/q", body)
    assert made.status == 201
    assert (made.value("MaxDeliveryCount"), made.value("LockDuration")) == ("4", "PT30S")


def test_a_value_that_says_it_is_none_has_its_default(admin: AdminWorld) -> None:
    made = admin.call("PUT", "/q", entry('<LockDuration i:nil="true"/><ForwardTo/><UserMetadata/>'))
    assert made.status == 201
    assert (made.value("LockDuration"), made.value("ForwardTo"), made.value("UserMetadata")) == ("PT1M", None, None)


def test_what_only_the_service_says_is_left_out(admin: AdminWorld) -> None:
    made = admin.create("q", MessageCount="5", CreatedAt="nonsense", EntityAvailabilityStatus="Limited", New="x")
    assert made.status == 201
    assert (made.value("MessageCount"), made.value("EntityAvailabilityStatus")) == ("0", "Available")


BOMB = '<!DOCTYPE entry [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>' + entry(
    "<UserMetadata>&b;</UserMetadata>"
)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "no xml",
        "<entry/>",
        "<entry><content/></entry>",
        "<QueueDescription/>",
        "<entry><content><A/><B/></content></entry>",
        entry()[:-1],
        entry().replace("QueueDescription", "EventHubDescription"),
        BOMB,
        '<!DOCTYPE entry SYSTEM "file:///etc/passwd">' + entry(),
        entry("<UserMetadata>&undefined;</UserMetadata>"),
        "<a>" * 100 + "</a>" * 100,
        b"\xff\xfe\x00",
        '<?xml version="1.0" encoding="utf-7"?><entry/>',
        entry("<UserMetadata>\x00</UserMetadata>"),
    ],
)
def test_a_body_that_is_none_is_refused(admin: AdminWorld, body: str | bytes) -> None:
    refused = admin.call("PUT", "/q", body)
    assert refused.status == 400
    assert refused.detail.startswith("SubCode=40000. ")
    assert admin.get("q").titles == []


def test_a_body_that_is_too_large_is_refused(admin: AdminWorld) -> None:
    large = entry(UserMetadata="x" * (1024 * 1024))
    assert admin.call("PUT", "/q", large).status == 413
    assert admin.call("PUT", "/q", "", {"content-length": "99999999999999999999"}).status == 413


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/q"), ("PATCH", "/q"), ("DELETE", "/$Resources/queues"), ("PUT", "/$namespaceinfo")]
)
def test_a_method_that_means_nothing_is_refused(admin: AdminWorld, method: str, path: str) -> None:
    refused = admin.call(method, path)
    assert refused.status == 405
    assert refused.detail.startswith("SubCode=40500. ")


def test_every_resource_has_an_operation_and_every_operation_a_name_of_its_own() -> None:
    assert {row.resource for row in OPERATIONS} == set(Resource)
    assert len({row.name for row in OPERATIONS}) == len(OPERATIONS)


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/", Target(Resource.ENTITY, "")),
        ("subscriptions", Target(Resource.ENTITY, "subscriptions")),
        ("messages", Target(Resource.ENTITY, "messages")),
        ("a/messages/b/c", Target(Resource.ENTITY, "a/messages/b/c")),
        ("a/subscriptions/s/x", Target(Resource.ENTITY, "a/subscriptions/s/x")),
        ("A/b/Subscriptions/S/", Target(Resource.SUBSCRIPTION, "A/b", "S")),
        ("a/messages/messages/head", Target(Resource.HEAD, "a/messages")),
    ],
)
def test_what_a_path_is_for(path: str, target: Target) -> None:
    assert target_of(path) == target


# Who may do what.


@pytest.fixture
def guarded() -> AdminWorld:
    return AdminWorld("verify")


@pytest.mark.parametrize(
    "resource",
    [
        "https://localhost:5300",
        "https://localhost:5300/kept?api-version=2021-05",
        "sb://localhost:5300/kept",
        "localhost:5300",
    ],
)
def test_a_signature_for_the_namespace_or_the_entity_is_good(guarded: AdminWorld, resource: str) -> None:
    got = guarded.call("GET", "/Kept?enrich=true", headers={"authorization": signature(resource)})
    assert got.status == 200
    assert got.value("Status") == "Active"


def test_a_list_is_good_with_a_signature_over_its_whole_address(guarded: AdminWorld) -> None:
    signed = signature("https://localhost:5300/$resources/queues?api-version=2021-05&$skip=0")
    assert guarded.call("GET", "/$Resources/queues?x=y", headers={"authorization": signed}).titles == ["kept"]


def test_a_signature_counts_below_the_gateways_prefix(guarded: AdminWorld) -> None:
    for resource in ("http://localhost:5300/servicebus/kept", "http://localhost:5300/kept"):
        headers = {"authorization": signature(resource)}
        assert guarded.call("GET", "/servicebus/kept", headers=headers, listener=None).status == 200


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("", "MissingToken: "),
        (signature("https://localhost:5300", key="wrong"), "InvalidSignature: "),
        (signature("https://localhost:5300", key_name="Unknown"), "InvalidSignature: "),
        (signature("https://localhost:5300/other"), "Unauthorized access for 'GetEntity' operation on endpoint"),
        ("Bearer nonsense", "MalformedToken: "),
        ("Basic eDp5", "MalformedToken: "),
        ("SharedAccessSignature sr=x", "MalformedToken: "),
    ],
)
def test_a_token_that_is_not_good_is_refused(guarded: AdminWorld, header: str, told: str) -> None:
    refused = guarded.call("GET", "/kept", headers={"authorization": header} if header else {})
    assert refused.status == 401
    assert refused.detail.startswith("SubCode=40100. ")
    assert told in refused.detail
    assert refused.root.find("Code").text == "401"  # type: ignore[union-attr]  # it is there, or the test fails


@pytest.mark.parametrize("level", ["off", "any"])
def test_without_checks_no_token_is_needed(level: AuthLevel) -> None:
    assert AdminWorld(level).create("q").status == 201


RULE = (
    '<AuthorizationRule i:type="SharedAccessAuthorizationRule"><ClaimType>SharedAccessKey</ClaimType><ClaimValue>None'
    "</ClaimValue><Rights>{rights}</Rights><KeyName>{name}</KeyName>{keys}</AuthorizationRule>"
)


def rules(*given: tuple[str, str, str]) -> str:
    """Rules of (name, rights, key), as .NET writes them."""
    text = "".join(
        RULE.format(
            name=name,
            rights="".join(f"<AccessRights>{right}</AccessRights>" for right in rights.split()),
            keys=f"<PrimaryKey>{key}</PrimaryKey><SecondaryKey>{key}-2</SecondaryKey>" if key else "",
        )
        for name, rights, key in given
    )
    return f"<AuthorizationRules>{text}</AuthorizationRules>"


def test_rules_come_back_as_they_were_given(admin: AdminWorld) -> None:
    made = admin.call("PUT", "/q", entry(rules(("one", "Manage Listen Send", "k1"), ("two", "Listen", "k2"))))
    assert made.status == 201
    expected = (
        '<AuthorizationRule i:type="SharedAccessAuthorizationRule"><ClaimType>SharedAccessKey</ClaimType>'
        "<ClaimValue>None</ClaimValue><Rights><AccessRights>Listen</AccessRights></Rights>"
        "<CreatedTime>2026-01-01T00:00:00.0000000Z</CreatedTime>"
        "<ModifiedTime>2026-01-01T00:00:00.0000000Z</ModifiedTime><KeyName>two</KeyName>"
        "<PrimaryKey>k2</PrimaryKey><SecondaryKey>k2-2</SecondaryKey></AuthorizationRule></AuthorizationRules>"
    )
    assert expected in made.text
    assert made.text.count("<AccessRights>") == 4


def test_a_rule_without_keys_gets_some_and_keeps_them(admin: AdminWorld) -> None:
    first = admin.call("PUT", "/q", entry(rules(("one", "Listen", ""))))
    key = first.value("PrimaryKey")
    assert key
    assert len(key) == 44
    assert key != first.value("SecondaryKey")
    admin.world.advance(60)
    again = admin.call("PUT", "/q", entry(rules(("one", "Listen Send", ""))), {"if-match": "*"})
    assert (again.value("PrimaryKey"), again.value("SecondaryKey")) == (key, first.value("SecondaryKey"))
    assert again.value("CreatedTime") == first.value("CreatedTime")
    assert again.value("ModifiedTime") == "2026-01-01T00:01:00.0000000Z"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ([("one", "Listen", "k"), ("one", "Send", "k")], "The authorization rule 'one' is given twice."),
        ([("one", "Read", "k")], "The right 'Read' is not one of Listen, Send, Manage."),
        ([("one", "Manage", "k")], "Manage permission should also include Send and Listen."),
        ([("", "Listen", "k")], "An authorization rule has a KeyName."),
        ([("x" * 257, "Listen", "k")], "has up to 256 characters"),
        ([(str(number), "Listen", "k") for number in range(13)], "An entity has up to 12 authorization rules."),
    ],
)
def test_a_rule_that_cannot_be_is_refused(admin: AdminWorld, given: list[tuple[str, str, str]], told: str) -> None:
    refused = admin.call("PUT", "/q", entry(rules(*given)))
    assert refused.status == 400
    assert told in refused.detail


def test_the_keys_of_a_rule_are_good_for_their_entity_alone(guarded: AdminWorld) -> None:
    owner = {"authorization": signature("https://localhost:5300")}
    body = entry(rules(("mine", "Manage Listen Send", "secret"), ("reader", "Listen", "other")))
    assert guarded.call("PUT", "/q", body, owner).status == 201
    for key in ("secret", "secret-2"):
        signed = signature("https://localhost:5300/q", "mine", key)
        assert guarded.call("GET", "/Q", headers={"authorization": signed}).status == 200
        assert guarded.call("GET", "/kept", headers={"authorization": signed}).status == 401
    for resource, name, key in (
        ("https://localhost:5300/kept", "mine", "secret"),
        ("https://localhost:5300", "mine", "secret"),
        ("https://localhost:5300/q", "reader", "other"),
    ):
        signed = signature(resource, name, key)
        assert guarded.call("GET", "/q", headers={"authorization": signed}).status == 401


def test_a_token_for_the_target_must_allow_to_send_to_it(guarded: AdminWorld) -> None:
    owner = {"authorization": signature("https://localhost:5300")}
    body = entry(ForwardTo="sb://localhost:5300/kept")
    header = "servicebussupplementaryauthorization"
    for resource in ("sb://localhost:5300/other", "sb://localhost:5300/kept/below"):
        refused = guarded.call("PUT", "/q", body, {**owner, header: signature(resource)})
        assert refused.status == 401
        assert "'Send' claim(s) are required on 'kept'" in refused.detail
    assert guarded.call("PUT", "/q", body, {**owner, header: "junk"}).status == 401
    good = signature("sb://localhost:5300/kept")
    assert guarded.call("PUT", "/q", body, {**owner, header: good}).status == 201
    assert guarded.call("PUT", "/r", body, owner).status == 201
