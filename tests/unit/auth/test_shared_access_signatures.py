"""Shared access signatures: every form of what is signed, and a refusal for every field that does not hold."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from azure.core.credentials import AzureNamedKeyCredential
from azure.data.tables import generate_account_sas as generate_table_account_sas
from azure.data.tables import generate_table_sas
from azure.storage.blob import (
    ResourceTypes,
    UserDelegationKey,
    generate_account_sas,
    generate_blob_sas,
    generate_container_sas,
)
from azure.storage.queue import generate_queue_sas

from localzure.auth import delegation
from localzure.auth.accounts import SigningKey, prepare_accounts
from localzure.auth.authenticate import BLOB_DOOR, QUEUE_DOOR, TABLE_DOOR, Door, authenticate
from localzure.auth.permissions import ANYTHING, Needs, StoredPolicy, all_of, any_of, authorise
from localzure.auth.principal import AuthenticationError, Principal, PrincipalKind
from localzure.auth.sas_token import KeyRange, fields_of, parse_token
from localzure.auth.tokens import Claims
from localzure.services.interface import SECOND, Address, HttpRequest, Instant

KEY = b"the account's first key"
TEXT_KEY = base64.b64encode(KEY).decode()
NOW = Instant(int(datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp()) * SECOND)
EXPIRY = datetime(2026, 11, 22, tzinfo=UTC)
START = datetime(2026, 11, 20, tzinfo=UTC)
OVERRIDES = {
    "cache_control": "no-cache",
    "content_disposition": "inline",
    "content_encoding": "gzip",
    "content_language": "de, en",
    "content_type": "text/plain; charset=utf-8",
}
READ = Needs("o", any_of("r"), any_of("r"))
KEY_INFO = delegation.KeyInfo("oid", "tid", "2026-11-20T00:00:00Z", "2026-11-25T00:00:00Z", "b", "2026-10-06")


class World:
    """The door of one service, with two keys."""

    def __init__(self) -> None:
        self.accounts = prepare_accounts({"acct": (KEY, b"second"), "other": (b"other",)})

    def ask(
        self,
        query: str,
        path: str = "box/blob",
        door: Door = BLOB_DOOR,
        *,
        scheme: str = "https",
        peer: str = "127.0.0.1",
        account: str = "acct",
        now: Instant = NOW,
        method: str = "GET",
        headers: dict[str, str] | None = None,
    ) -> Principal:
        request = HttpRequest(method, f"/{account}/{path}", query, headers or {}, scheme, "h", peer, "id")
        address = Address(account, secondary=False, path=path, base_url="")
        return authenticate(request, address, self.accounts, "verify", now, door)

    def refusal(self, query: str, path: str = "box/blob", door: Door = BLOB_DOOR, **more: Any) -> AuthenticationError:
        with pytest.raises(AuthenticationError) as caught:
            self.ask(query, path, door, **more)
        return caught.value

    def code(self, query: str, path: str = "box/blob", door: Door = BLOB_DOOR, **more: Any) -> str:
        return self.refusal(query, path, door, **more).code


@pytest.fixture
def world() -> World:
    return World()


def user_key(info: delegation.KeyInfo = KEY_INFO) -> Any:
    key = UserDelegationKey()  # type: ignore[no-untyped-call]  # the SDK's own
    key.signed_oid, key.signed_tid, key.signed_start, key.signed_expiry = info.oid, info.tid, info.start, info.expiry
    key.signed_service, key.signed_version = info.service, info.version
    key.signed_delegated_user_tid = info.delegated_tid or None
    key.value = base64.b64encode(delegation.derive(SigningKey(KEY), "acct", info)).decode()
    return key


def blob_sas(**more: Any) -> str:
    given = {"permission": "r", "expiry": EXPIRY, "account_key": TEXT_KEY, **more}
    if "user_delegation_key" in given:
        del given["account_key"]
    blob = given.pop("blob", "blob")
    return str(generate_blob_sas("acct", "box", blob, **given))


def container_sas(**more: Any) -> str:
    given = {"permission": "r", "expiry": EXPIRY, "account_key": TEXT_KEY, **more}
    return str(generate_container_sas("acct", "box", **given))


def types(letters: str) -> Any:
    """Resource types as the SDKs have them."""
    return ResourceTypes.from_string(letters)  # type: ignore[no-untyped-call]  # the SDK's own


def account_sas(**more: Any) -> str:
    given: dict[str, Any] = {
        "resource_types": types("sco"),
        "permission": "rwdlacup",
        "expiry": EXPIRY,
        "services": "bqt",
    }
    return str(generate_account_sas("acct", TEXT_KEY, **{**given, **more}))


def queue_sas(**more: Any) -> str:
    return str(generate_queue_sas("acct", "line", TEXT_KEY, **{"permission": "raup", "expiry": EXPIRY, **more}))


def table_account_sas() -> str:
    every: Any = "sco"
    return str(generate_table_account_sas(AzureNamedKeyCredential("acct", TEXT_KEY), every, "rwdlacu", EXPIRY))


def table_sas(**more: Any) -> str:
    credential = AzureNamedKeyCredential("acct", TEXT_KEY)
    return str(generate_table_sas(credential, "People", **{"permission": "raud", "expiry": EXPIRY, **more}))


def mint(text: str, **fields: str) -> str:
    """A token with the signature of `text`, for the forms that clients of today make no more."""
    signature = base64.b64encode(hmac.new(KEY, text.encode(), hashlib.sha256).digest()).decode()
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in {**fields, "sig": signature}.items())


def changed(token: str, name: str, value: str) -> str:
    """A token in which one field has another value."""
    parts = [part for part in token.split("&") if not part.startswith(f"{name}=")]
    return "&".join([*parts, f"{name}={quote(value, safe='')}"])


# --- what the SDKs make -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("token", "query", "path", "door"),
    [
        (blob_sas(), "", "box/blob", BLOB_DOOR),
        (blob_sas(**OVERRIDES, start=START, ip="127.0.0.1", protocol="https"), "", "box/blob", BLOB_DOOR),
        (blob_sas(blob="a b/ü+%"), "", "box/a%20b/%C3%BC+%25", BLOB_DOOR),
        (
            blob_sas(snapshot="2026-11-20T00:00:00.1234567Z"),
            "snapshot=2026-11-20T00:00:00.1234567Z",
            "box/blob",
            BLOB_DOOR,
        ),
        (
            blob_sas(version_id="2026-11-20T00:00:00.1234567Z"),
            "versionid=2026-11-20T00:00:00.1234567Z",
            "box/blob",
            BLOB_DOOR,
        ),
        (blob_sas(encryption_scope="scope"), "", "box/blob", BLOB_DOOR),
        (blob_sas(blob="a/b", is_directory=True), "", "box/a/b/c/d", BLOB_DOOR),
        (blob_sas(blob="a/b", is_directory=True), "restype=container&comp=list&prefix=a/b/c", "box", BLOB_DOOR),
        (blob_sas(user_delegation_key=user_key()), "", "box/blob", BLOB_DOOR),
        (blob_sas(user_delegation_key=user_key(), **OVERRIDES, correlation_id="c"), "", "box/blob", BLOB_DOOR),
        (container_sas(), "", "box/any/blob", BLOB_DOOR),
        (container_sas(), "restype=container&comp=list", "box", BLOB_DOOR),
        (container_sas(user_delegation_key=user_key()), "", "box/blob", BLOB_DOOR),
        (account_sas(), "comp=list", "", BLOB_DOOR),
        (account_sas(encryption_scope="scope", start=START, protocol="https,http"), "", "box/blob", BLOB_DOOR),
        (account_sas(), "", "line/messages", QUEUE_DOOR),
        (account_sas(), "", "Tables", TABLE_DOOR),
        (queue_sas(), "", "line/messages", QUEUE_DOOR),
        (queue_sas(policy_id="policy", start=START), "comp=metadata", "line", QUEUE_DOOR),
        (table_sas(), "", "People()", TABLE_DOOR),
        (table_sas(start_pk="a", start_rk="b", end_pk="c", end_rk="d"), "", "people()", TABLE_DOOR),
        (
            table_account_sas(),
            "",
            "Tables",
            TABLE_DOOR,
        ),
    ],
)
def test_what_the_sdks_sign_is_good(world: World, token: str, query: str, path: str, door: Door) -> None:
    principal = world.ask(f"{query}&{token}" if query else token, path, door)
    assert principal.kind is PrincipalKind.SIGNATURE
    assert principal.sas is not None
    assert principal.claims is None
    again = world.ask(f"{token}&{query}" if query else token, path, door)
    assert again.sas is principal.sas


def test_a_queue_takes_user_delegation_keys(world: World) -> None:
    key = user_key(KEY_INFO._replace(service="q"))
    token = str(generate_queue_sas("acct", "line", permission="r", expiry=EXPIRY, user_delegation_key=key))
    assert world.ask(token, "line", QUEUE_DOOR).kind is PrincipalKind.SIGNATURE
    wrong = str(generate_queue_sas("acct", "line", permission="r", expiry=EXPIRY, user_delegation_key=user_key()))
    assert world.code(wrong, "line", QUEUE_DOOR) == "AuthenticationFailed"


def test_headers_and_parameters_of_the_request_may_be_signed(world: World) -> None:
    token = blob_sas(
        user_delegation_key=user_key(), request_headers={"X-Tag": "blue"}, request_query_params={"timeout": "7 s"}
    )
    good = f"{token}&timeout=7%20s"
    assert world.ask(good, headers={"x-tag": "blue"}).kind is PrincipalKind.SIGNATURE
    assert world.code(good, headers={"x-tag": "red"}) == "AuthenticationFailed"
    assert world.code(good) == "AuthenticationFailed"
    assert world.code(f"{token}&timeout=8", headers={"x-tag": "blue"}) == "AuthenticationFailed"


# --- the forms of older versions ----------------------------------------------------------------------------------

TIMES = {"sp": "r", "st": "2026-11-20", "se": "2026-11-22"}
HEAD = "r\n2026-11-20\n2026-11-22\n"
UDK = {
    "skoid": "oid",
    "sktid": "tid",
    "skt": KEY_INFO.start,
    "ske": KEY_INFO.expiry,
    "sks": "b",
    "skv": "2026-10-06",
}


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        (f"{HEAD}/acct/box\n", {"sr": "c"}),
        (f"{HEAD}/acct/box\n\n2012-02-12", {"sr": "c", "sv": "2012-02-12"}),
        (f"{HEAD}/acct/box/blob\n\n2013-08-15\na\nb\nc\nd\ne", {"sr": "b", "sv": "2013-08-15"}),
        (f"{HEAD}/blob/acct/box/blob\n\n2015-02-21\na\nb\nc\nd\ne", {"sr": "b", "sv": "2015-02-21"}),
        (f"{HEAD}/blob/acct/box/blob\n\n127.0.0.1\nhttps\n2015-04-05\na\nb\nc\nd\ne", {"sr": "b", "sv": "2015-04-05"}),
        (
            f"{HEAD}/blob/acct/box/blob\n\n127.0.0.1\nhttps\n2018-11-09\nb\n\na\nb\nc\nd\ne",
            {"sr": "b", "sv": "2018-11-09"},
        ),
        (
            f"{HEAD}/blob/acct/box/blob\n\n127.0.0.1\nhttps\n2020-12-06\nb\n\nscope\na\nb\nc\nd\ne",
            {"sr": "b", "sv": "2020-12-06", "ses": "scope"},
        ),
    ],
    ids=lambda value: value.get("sv", "none") if isinstance(value, dict) else "",
)
def test_blob_forms(world: World, text: str, fields: dict[str, str]) -> None:
    given = {**TIMES, **fields}
    if fields.get("sv", "") >= "2013-08-15":
        given |= {"rscc": "a", "rscd": "b", "rsce": "c", "rscl": "d", "rsct": "e"}
    if fields.get("sv", "") >= "2015-04-05":
        given |= {"sip": "127.0.0.1", "spr": "https"}
    assert world.ask(mint(text, **given)).kind is PrincipalKind.SIGNATURE
    assert world.code(mint(text + " ", **given)) == "AuthenticationFailed"


@pytest.mark.parametrize(
    ("version", "middle", "tail"),
    [
        ("2018-11-09", "", "b\n\n\n\n\n\n"),
        ("2020-02-10", "\nsa\nsu\nsc", "b\n\n\n\n\n\n"),
        ("2020-12-06", "\nsa\nsu\nsc", "b\n\n\n\n\n\n\n"),
        ("2025-07-05", "\nsa\nsu\nsc\n\n", "b\n\n\n\n\n\n\n"),
        ("2026-04-06", "\nsa\nsu\nsc\n\n", "b\n\n\n\n\n\n\n\n\n"),
    ],
)
def test_user_delegation_forms(world: World, version: str, middle: str, tail: str) -> None:
    key = delegation.derive(SigningKey(KEY), "acct", KEY_INFO)
    text = (
        f"{HEAD}/blob/acct/box/blob\noid\ntid\n{KEY_INFO.start}\n{KEY_INFO.expiry}\nb\n2026-10-06{middle}\n\n\n"
        f"{version}\n{tail}"
    )
    signature = base64.b64encode(hmac.new(key, text.encode(), hashlib.sha256).digest()).decode()
    fields = {**TIMES, **UDK, "sv": version, "sr": "b", "saoid": "sa", "suoid": "su", "scid": "sc", "sig": signature}
    token = "&".join(f"{name}={quote(value, safe='')}" for name, value in fields.items())
    assert world.ask(token).kind is PrincipalKind.SIGNATURE
    assert world.code(changed(token, "sv", "2017-01-01")) == "AuthenticationFailed"


@pytest.mark.parametrize(
    ("service", "resource", "tail", "door", "path", "more"),
    [
        ("q", "/queue/acct/line", "", QUEUE_DOOR, "line/messages", {}),
        ("t", "/table/acct/people", "\na\n\nd\n", TABLE_DOOR, "People()", {"tn": "People", "spk": "a", "epk": "d"}),
    ],
)
def test_user_delegation_forms_of_queues_and_tables(
    world: World, service: str, resource: str, tail: str, door: Door, path: str, more: dict[str, str]
) -> None:
    info = KEY_INFO._replace(service=service)
    key = delegation.derive(SigningKey(KEY), "acct", info)
    text = (
        f"{HEAD}{resource}\noid\ntid\n{info.start}\n{info.expiry}\n{service}\n2026-10-06\n\n\n\nhttps\n2026-10-06{tail}"
    )
    signature = base64.b64encode(hmac.new(key, text.encode(), hashlib.sha256).digest()).decode()
    fields = {**TIMES, **UDK, "sks": service, "sv": "2026-10-06", "spr": "https", **more, "sig": signature}
    token = "&".join(f"{name}={quote(value, safe='')}" for name, value in fields.items())
    assert world.ask(token, path, door).kind is PrincipalKind.SIGNATURE
    for name, value in {"sp": "ra", "skoid": "x", "ske": "2026-11-24T00:00:00Z", "skdutid": "x", **more}.items():
        assert world.code(changed(token, name, f"{value}b"), path, door) == "AuthenticationFailed"
    assert world.code(token, path, BLOB_DOOR) == "AuthenticationFailed"


@pytest.mark.parametrize(
    ("text", "version", "door", "path"),
    [
        (f"{HEAD}/acct/line\n\n2012-02-12", "2012-02-12", QUEUE_DOOR, "line"),
        (f"{HEAD}/queue/acct/line\n\n2015-02-21", "2015-02-21", QUEUE_DOOR, "line/messages/1"),
        (f"{HEAD}/queue/acct/line\n\n\n\n2015-04-05", "2015-04-05", QUEUE_DOOR, "line"),
        (f"{HEAD}/acct/people\n\n2012-02-12\n\n\n\n", "2012-02-12", TABLE_DOOR, "People"),
        (f"{HEAD}/table/acct/people\n\n\n\n2015-04-05\n\n\n\n", "2015-04-05", TABLE_DOOR, "People"),
    ],
)
def test_queue_and_table_forms(world: World, text: str, version: str, door: Door, path: str) -> None:
    fields = {**TIMES, "sv": version} | ({"tn": "People"} if door is TABLE_DOOR else {})
    assert world.ask(mint(text, **fields), path, door).kind is PrincipalKind.SIGNATURE


def test_account_forms(world: World) -> None:
    fields = {**TIMES, "ss": "b", "srt": "o"}
    old = mint("acct\nr\nb\no\n2026-11-20\n2026-11-22\n\n\n2015-04-05\n", **fields, sv="2015-04-05")
    assert world.ask(old).kind is PrincipalKind.SIGNATURE
    new = mint("acct\nr\nb\no\n2026-11-20\n2026-11-22\n\n\n2020-12-06\n\n", **fields, sv="2020-12-06")
    assert world.ask(new).kind is PrincipalKind.SIGNATURE
    assert "too old" in world.refusal(mint("x", **fields, sv="2015-02-21")).detail


# --- every field that does not hold -------------------------------------------------------------------------------


FULL = blob_sas(start=START, ip="127.0.0.1", protocol="https", encryption_scope="scope", **OVERRIDES)
FULL_DELEGATED = blob_sas(
    user_delegation_key=user_key(), start=START, ip="127.0.0.1", protocol="https", correlation_id="c", **OVERRIDES
)


@pytest.mark.parametrize(
    ("token", "name", "value"),
    [
        *[(FULL, name, value) for name, value in (
            ("sp", "rw"), ("st", "2026-11-19T00:00:00Z"), ("se", "2030-01-01T00:00:00Z"), ("sip", "0.0.0.0-255.0.0.0"),
            ("spr", "https,http"), ("sr", "c"), ("sv", "2026-06-06"), ("ses", "other"), ("rscc", "x"), ("rscd", "x"),
            ("rsce", "x"), ("rscl", "x"), ("rsct", "x"), ("si", "policy"), ("sig", "AAAA"), ("sig", "é"),
        )],
        *[(FULL_DELEGATED, name, value) for name, value in (
            ("skoid", "x"), ("sktid", "x"), ("skt", "2026-11-19T00:00:00Z"), ("ske", "2026-11-26T00:00:00Z"),
            ("sks", "q"), ("skv", "2026-06-06"), ("skdutid", "x"), ("sduoid", "x"), ("saoid", "x"), ("suoid", "x"),
            ("scid", "x"), ("srh", "x-tag"), ("srq", "timeout"), ("sp", "rw"),
        )],
        *[(account_sas(start=START), name, value) for name, value in (
            ("ss", "b"), ("srt", "o"), ("sp", "r"), ("se", "2030-01-01"), ("st", "2026-11-19"), ("sv", "2026-06-06"),
            ("ses", "x"), ("sip", "127.0.0.1"), ("spr", "https"),
        )],
    ],
)  # fmt: skip
def test_no_field_can_be_changed(world: World, token: str, name: str, value: str) -> None:
    assert world.ask(token).kind is PrincipalKind.SIGNATURE
    error = world.refusal(changed(token, name, value))
    assert (error.code, error.status) == ("AuthenticationFailed", 403)
    right = dict(part.partition("=")[::2] for part in token.split("&"))["sig"]
    assert right not in error.detail


@pytest.mark.parametrize("name", ["spk", "srk", "epk", "erk", "tn"])
def test_no_field_of_a_table_can_be_changed(world: World, name: str) -> None:
    token = table_sas(start_pk="a", start_rk="b", end_pk="c", end_rk="d")
    assert world.ask(token, "People", TABLE_DOOR).kind is PrincipalKind.SIGNATURE
    assert world.code(changed(token, name, "z"), "People", TABLE_DOOR) == "AuthenticationFailed"


@pytest.mark.parametrize(
    ("token", "query", "path"),
    [
        (blob_sas(), "", "box/other"),
        (blob_sas(), "", "other/blob"),
        (blob_sas(), "restype=container&comp=list", "box"),
        (container_sas(), "", "other/blob"),
        (container_sas(), "x=restype=container", "box"),
        (container_sas(), "", "box%2Fblob"),
        (container_sas(), "comp=list", ""),
        (blob_sas(snapshot="2026-11-20T00:00:00.1234567Z"), "", "box/blob"),
        (blob_sas(snapshot="2026-11-20T00:00:00.1234567Z"), "snapshot=2026-11-20T00:00:00.1234568Z", "box/blob"),
        (blob_sas(blob="a/b", is_directory=True), "", "box/a/c"),
        (blob_sas(blob="a/b", is_directory=True), "", "box/a"),
        (blob_sas(blob="a/b", is_directory=True), "restype=container&comp=list&prefix=a/", "box"),
    ],
)
def test_a_signature_is_good_for_its_resource_alone(world: World, token: str, query: str, path: str) -> None:
    assert world.code(f"{query}&{token}" if query else token, path) == "AuthenticationFailed"


def test_a_signature_is_good_for_its_account_and_service_alone(world: World) -> None:
    assert world.code(account_sas(), account="other") == "AuthenticationFailed"
    assert world.code(container_sas(), account="other") == "AuthenticationFailed"
    assert world.code(account_sas(services="qt")) == "AuthorizationServiceMismatch"
    assert world.code(queue_sas(), "other", QUEUE_DOOR) == "AuthenticationFailed"


def test_time(world: World) -> None:
    token = blob_sas(start=START)
    late = world.refusal(token, now=Instant(NOW + 12 * 3600 * SECOND))
    assert late.code == "AuthenticationFailed"
    assert late.detail == (
        "Signature not valid in the specified time frame: Start [Fri, 20 Nov 2026 00:00:00 GMT] - "
        "Expiry [Sun, 22 Nov 2026 00:00:00 GMT] - Current [Sun, 22 Nov 2026 00:00:00 GMT]"
    )
    assert world.code(token, now=Instant(NOW - 37 * 3600 * SECOND)) == "AuthenticationFailed"
    assert world.ask(token, now=Instant(NOW - 36 * 3600 * SECOND)).kind is PrincipalKind.SIGNATURE
    assert world.ask(token, now=Instant(NOW + 12 * 3600 * SECOND - 1)).kind is PrincipalKind.SIGNATURE


def test_the_time_of_a_user_delegation_key(world: World) -> None:
    token = blob_sas(user_delegation_key=user_key(), expiry=datetime(2026, 12, 24, tzinfo=UTC))
    assert world.ask(token).kind is PrincipalKind.SIGNATURE
    for days in (-2, 4):
        error = world.refusal(token, now=Instant(NOW + days * 86_400 * SECOND))
        assert "key time frame" in error.detail


@pytest.mark.parametrize(
    ("allowed", "peer", "good"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "::ffff:127.0.0.1", True),
        ("127.0.0.1", "127.0.0.2", False),
        ("10.0.0.1-10.0.0.9", "10.0.0.9", True),
        ("10.0.0.1-10.0.0.9", "10.0.0.10", False),
        ("10.0.0.1-10.0.0.9", "::1", False),
        ("10.0.0.1-10.0.0.9", "", False),
    ],
)
def test_addresses(world: World, allowed: str, peer: str, good: bool) -> None:
    token = account_sas(ip=allowed)
    if good:
        assert world.ask(token, peer=peer).kind is PrincipalKind.SIGNATURE
        return
    error = world.refusal(token, peer=peer)
    assert (error.code, error.status) == ("AuthorizationSourceIPMismatch", 403)
    assert f"using this source IP {peer}." in error.message


def test_protocols(world: World) -> None:
    assert world.code(blob_sas(protocol="https"), scheme="http") == "AuthorizationProtocolMismatch"
    assert world.ask(blob_sas(protocol="https,http"), scheme="http").kind is PrincipalKind.SIGNATURE
    assert world.ask(blob_sas(), scheme="http").kind is PrincipalKind.SIGNATURE


@pytest.mark.parametrize(
    ("name", "value", "detail"),
    [
        ("sig", "", "sig"),
        ("sv", "2026-13-01", "sv"),
        ("sv", "newest", "sv"),
        ("se", "tomorrow", "se"),
        ("st", "2026-02-30", "st"),
        ("se", "", "se is mandatory"),
        ("sp", "", "sp is mandatory"),
        ("sip", "here", "sip"),
        ("sip", "10.0.0.1-::1", "sip"),
        ("spr", "ftp", "spr"),
        ("sr", "x", "sr"),
        ("srt", "x", "mandatory"),
        ("skoid", "x", "mandatory"),
        ("erk", "x", "RowKey"),
        ("ses", "x" * 5000, "ses"),
    ],
)
def test_what_is_no_token_is_told(world: World, name: str, value: str, detail: str) -> None:
    error = world.refusal(changed(blob_sas(), name, value))
    assert (error.code, error.status) == ("AuthenticationFailed", 403)
    assert detail in error.detail


@pytest.mark.parametrize("depth", ["", "-1", "64", "x", "٣"])
def test_the_depth_of_a_directory(world: World, depth: str) -> None:
    assert "sdd" in world.refusal(changed(blob_sas(blob="a", is_directory=True), "sdd", depth), "box/a").detail


def test_a_field_may_stand_there_once(world: World) -> None:
    token = blob_sas()
    assert "not well formed" in world.refusal(f"{token}&sp=rw").detail


# --- permissions and policies -------------------------------------------------------------------------------------


def allow(token: str, needs: Needs = READ, policy: StoredPolicy | None = None, now: Instant = NOW) -> frozenset[str]:
    return authorise(parse_token(fields_of(token)), needs, now, {"policy": policy}.get)


def denied(token: str, needs: Needs = READ, policy: StoredPolicy | None = None, now: Instant = NOW) -> str:
    with pytest.raises(AuthenticationError) as caught:
        allow(token, needs, policy, now)
    return caught.value.code


def test_permissions() -> None:
    assert allow(account_sas(permission="rl")) == frozenset("rl")
    assert denied(account_sas(permission="wl")) == "AuthorizationPermissionMismatch"
    assert denied(account_sas(resource_types=types("sc"))) == "AuthorizationResourceTypeMismatch"
    assert denied(account_sas(), Needs("o", (), ())) == "AuthorizationFailure"
    assert denied(blob_sas(), Needs("o", any_of("r"), ())) == "AuthorizationFailure"
    assert denied(blob_sas(), Needs("o", any_of("r"), all_of("rw"))) == "AuthorizationPermissionMismatch"
    assert allow(blob_sas(permission="wr"), Needs("o", (), all_of("rw")))
    assert allow(account_sas(permission="u", resource_types=types("s")), Needs("", ANYTHING, ()))


POLICY = StoredPolicy(Instant(NOW - SECOND), Instant(NOW + SECOND), "rw")


def test_a_policy_says_what_the_signature_leaves_out() -> None:
    bare = container_sas(policy_id="policy", permission=None, expiry=None)
    assert allow(bare, policy=POLICY) == frozenset("rw")
    assert denied(bare, policy=POLICY, now=Instant(NOW + SECOND)) == "AuthenticationFailed"
    assert denied(bare, policy=POLICY, now=Instant(NOW - 2 * SECOND)) == "AuthenticationFailed"
    assert denied(bare) == "AuthenticationFailed"
    assert denied(bare, policy=POLICY._replace(expiry=None)) == "AuthenticationFailed"
    assert denied(bare, policy=POLICY._replace(permission="w")) == "AuthorizationPermissionMismatch"
    assert denied(bare, policy=POLICY._replace(permission=None)) == "AuthorizationPermissionMismatch"
    assert allow(container_sas(policy_id="policy", permission=None), policy=POLICY._replace(expiry=None))


@pytest.mark.parametrize("field", [{"permission": "r"}, {"expiry": EXPIRY}, {"start": START}])
def test_nothing_is_said_by_both(field: dict[str, Any]) -> None:
    token = container_sas(policy_id="policy", **{"permission": None, "expiry": None, **field})
    assert denied(token, policy=POLICY) == "AuthenticationFailed"


def test_key_ranges_hold_both_ends() -> None:
    bounds = KeyRange(("b", "2"), ("d", "4"))
    inside = [("b", "2"), ("b", "9"), ("c", ""), ("d", "4")]
    outside = [("b", "1"), ("a", "9"), ("d", "5"), ("e", "")]
    assert all(bounds.holds(*keys) for keys in inside)
    assert not any(bounds.holds(*keys) for keys in outside)
    token = parse_token(fields_of(table_sas(start_pk="b", end_pk="d")))
    assert token.key_range is not None
    assert token.key_range.holds("d", "zzz")
    assert not token.key_range.holds("e", "")


# --- who is bound to a signature ----------------------------------------------------------------------------------


class Tokens:
    """An authority that knows everybody by name."""

    def verify(self, token: str, now: Instant) -> Claims:
        return Claims(token, "tid", "https://storage.azure.com", "", None, None, {})


def test_a_signature_bound_to_a_user_needs_the_users_token(world: World) -> None:
    world.accounts.tokens = Tokens()  # type: ignore[assignment]  # all that is asked of it here
    token = blob_sas(user_delegation_key=user_key(), user_delegation_oid="alice")
    assert world.ask(token, headers={"authorization": "Bearer alice"}).kind is PrincipalKind.SIGNATURE
    assert world.code(token) == "AuthenticationFailed"
    assert world.code(token, headers={"authorization": "Bearer bob"}) == "AuthorizationFailure"
    elsewhere = user_key(KEY_INFO._replace(delegated_tid="elsewhere"))
    token = blob_sas(user_delegation_key=elsewhere, user_delegation_oid="alice")
    assert world.code(token, headers={"authorization": "Bearer alice"}) == "AuthorizationFailure"


# --- what is kept ---------------------------------------------------------------------------------------------------


def test_keys_are_not_shown(world: World) -> None:
    text = repr(parse_token(fields_of(blob_sas()))) + repr(world.accounts)
    signature = dict(part.partition("=")[::2] for part in blob_sas().split("&"))["sig"]
    assert signature not in text
    assert TEXT_KEY not in text


def test_changed_keys_hold_from_the_next_request_on(world: World) -> None:
    token = blob_sas()
    assert world.ask(token).kind is PrincipalKind.SIGNATURE
    world.accounts.replace({"acct": (b"new",)})
    assert world.code(token) == "AuthenticationFailed"
    world.accounts.replace({"acct": (b"new", KEY)})
    assert world.ask(token).kind is PrincipalKind.SIGNATURE
    assert "other" not in world.accounts


def test_what_is_remembered_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("localzure.auth.accounts.PROVED_MAX", 3)
    token = container_sas()
    for number in range(10):
        assert world.ask(account_sas(start=START + timedelta(seconds=number))).kind is PrincipalKind.SIGNATURE
    assert world.ask(token).kind is PrincipalKind.SIGNATURE
    assert len(world.accounts._proved) <= 3
