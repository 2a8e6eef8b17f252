"""Role assignments: how scopes are read, what they cover, and whose they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from localzure.auth.required_roles import identity_of
from localzure.auth.tokens import Claims
from localzure.config.roles import role_assignments
from localzure.config.values import RefusedError
from localzure.rbac import assignments
from localzure.rbac.assignments import AssignmentError, Identity, RoleAssignments, read_assignment
from localzure.rbac.roles import BLOBS, SEND

READER, SENDER = "Storage Blob Data Reader", "Azure Service Bus Data Sender"
READ = (frozenset({f"{BLOBS}read"}),)
SENDS = (frozenset({SEND}),)
STORAGE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts"
BUS = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ServiceBus/namespaces"


@pytest.mark.parametrize(
    ("scope", "place"),
    [
        ("/", ("", "")),
        ("/subscriptions/s", ("", "")),
        ("/subscriptions/s/resourceGroups/g", ("", "")),
        ("/Acct", ("acct", "")),
        ("/acct/box/", ("acct", "box")),
        (f"{STORAGE}/acct", ("acct", "")),
        (f"{STORAGE}/acct/blobServices/default/containers/box", ("acct", "box")),
        (f"{STORAGE}/acct/tableServices/default/tables/People", ("acct", "people")),
    ],
)
def test_scopes_of_storage(scope: str, place: tuple[str, str]) -> None:
    assert read_assignment("p", READER, scope).place == place


@pytest.mark.parametrize(
    ("scope", "place"),
    [
        ("/ns/orders", ("ns", "orders")),
        ("/ns/events/subscriptions/audit", ("ns", "events/subscriptions/audit")),
        (f"{BUS}/ns", ("ns", "")),
        (f"{BUS}/ns/queues/orders", ("ns", "orders")),
        (f"{BUS}/ns/topics/events/subscriptions/Audit", ("ns", "events/subscriptions/audit")),
    ],
)
def test_scopes_of_service_bus(scope: str, place: tuple[str, str]) -> None:
    assert read_assignment("p", SENDER, scope).place == place


@pytest.mark.parametrize(
    ("principal", "role", "scope", "field"),
    [
        ("", READER, "/", "principal"),
        (7, READER, "/", "principal"),
        ("p", "Storage Reader", "/", "role"),
        ("p", None, "/", "role"),
        ("p", READER, "acct", "scope"),
        ("p", READER, "//box", "scope"),
        ("p", READER, "/acct/box/blob", "scope"),
        ("p", READER, "/acct//box", "scope"),
        ("p", READER, "/subscriptions/s/providers/other", "scope"),
        ("p", READER, "/" + "a" * 1024, "scope"),
    ],
)
def test_what_is_no_assignment(principal: object, role: object, scope: object, field: str) -> None:
    with pytest.raises(AssignmentError) as caught:
        read_assignment(principal, role, scope)
    assert caught.value.field == field


def roles(*scopes: str, principal: str = "me", role: str = READER) -> RoleAssignments:
    given = [read_assignment(principal, role, scope) for scope in scopes]
    return RoleAssignments(given, lambda tenant, client: f"{client}@{tenant}")


ME = Identity("me", "t")


def test_a_scope_covers_what_lies_in_it() -> None:
    found = roles("/acct/box")
    assert found.allow(ME, READ, "acct", "box")
    assert not found.allow(ME, READ, "acct", "boxes")
    assert not found.allow(ME, READ, "acct", "")
    assert not found.allow(ME, READ, "other", "box")
    assert not found.allow(Identity("you", "t"), READ, "acct", "box")
    assert roles("/acct").allow(ME, READ, "acct", "")
    assert roles("/").allow(ME, READ, "any", "box")


def test_a_topic_covers_its_subscriptions_and_not_the_other_way_round() -> None:
    found = roles("/ns/events/subscriptions/audit", role=SENDER)
    assert found.allow(ME, SENDS, "ns", "events/subscriptions/audit/$deadletterqueue")
    assert not found.allow(ME, SENDS, "ns", "events")
    assert roles("/ns/events", role=SENDER).allow(ME, SENDS, None, "events/subscriptions/audit")


def test_roles_add_up() -> None:
    both = (frozenset({f"{BLOBS}read", SEND}),)
    found = roles("/")
    assert not found.allow(ME, both, "x", "")
    assert found.add(read_assignment("me", SENDER))
    assert found.allow(ME, both, "x", "")


def test_changes_take_effect_at_once() -> None:
    found = roles()
    made = read_assignment("ME", READER, "/acct")
    assert not found.allow(ME, READ, "acct", "box")
    assert found.add(made)
    assert found.allow(ME, READ, "acct", "box")
    assert found.remove(made.id)
    assert not found.remove(made.id)
    assert not found.allow(ME, READ, "acct", "box")
    found.add(made)
    found.clear()
    assert not found.all()
    found.configure([made])
    found.clear()
    assert found.all() == [made]
    assert found.allow(ME, READ, "acct", "box")


def test_there_are_not_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assignments, "ASSIGNMENTS_MAX", 1)
    monkeypatch.setattr(assignments, "KNOWN_MAX", 1)
    found = roles()
    assert found.add(read_assignment("me", READER))
    assert found.add(read_assignment("me", READER))
    assert not found.add(read_assignment("you", READER))
    for _ in range(2):
        assert found.allow(ME, READ, "acct", "")
        assert not found.allow(Identity("you", "t"), READ, "acct", "")


def claims(**raw: object) -> Claims:
    return Claims("O", "t", "", "", None, None, raw)


def test_who_a_token_is_of() -> None:
    assert identity_of(claims(appid="C", groups=["G", 7])) == Identity("o", "t", ("c", "g"))
    assert identity_of(claims(azp="C")).others == ("c",)
    assert identity_of(claims(appid="C", scp="user_impersonation")).others == ()
    assert roles("/", principal="G").allow(identity_of(claims(groups=["g"])), READ, "a", "")
    assert roles("/", principal="client").allow(Identity("client@t", "t"), READ, "a", "")
    assert not roles("/", principal="client").allow(Identity("client@t", "u"), READ, "a", "")


def test_the_configuration() -> None:
    (found,) = role_assignments([{"principal": "p", "role": READER}], Path())
    assert found == read_assignment("p", READER, "/")
    for raw, at in (({}, ""), ([{"principal": "p"}], "0"), ([{"principal": "p", "role": "x"}], "0.role")):
        with pytest.raises(RefusedError) as caught:
            role_assignments(raw, Path())
        assert caught.value.at == at
