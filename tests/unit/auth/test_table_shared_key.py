"""Shared Key and Shared Key Lite of the Table service."""

from __future__ import annotations

import base64
import hashlib
import hmac
from types import SimpleNamespace

import pytest
from azure.core.credentials import AzureNamedKeyCredential
from azure.core.pipeline import PipelineContext, PipelineRequest
from azure.core.rest import HttpRequest as SdkRequest
from azure.data.tables._authentication import SharedKeyCredentialPolicy

from localzure.auth.accounts import prepare_accounts
from localzure.auth.principal import AuthenticationError, Principal, PrincipalKind
from localzure.auth.table_shared_key import string_to_sign, string_to_sign_lite, verify, verify_lite
from localzure.services.interface import SECOND, Address, HttpRequest, Instant

KEY = base64.b64decode("Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==")
ACCOUNTS = prepare_accounts({"acct": (KEY, b"second key"), "other": (b"other key",)})
NOW = Instant(784_111_777 * SECOND)
DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
OWNER = Principal(PrincipalKind.OWNER, "acct")
CHECKS = {"sharedkey": verify, "sharedkeylite": verify_lite}


def request(
    method: str = "PUT", path: str = "/acct/things", query: str = "", headers: dict[str, str] | None = None
) -> HttpRequest:
    sent = {"x-ms-date": DATE, **(headers or {})}
    return HttpRequest(method, path, query, sent, "http", "h", "127.0.0.1", "id")


def signed(asked: HttpRequest, scheme: str, text: str, key: bytes = KEY) -> HttpRequest:
    signature = base64.b64encode(hmac.new(key, text.encode("latin-1"), hashlib.sha256).digest()).decode()
    asked.headers["authorization"] = f"{scheme} acct:{signature}"
    return asked


def check(asked: HttpRequest, *, secondary: bool = False) -> Principal:
    address = Address("acct", secondary=secondary, path="things", base_url="http://h/acct")
    scheme, _, parameters = asked.headers["authorization"].partition(" ")
    return CHECKS[scheme.lower()](asked, parameters, address, ACCOUNTS, NOW)


def test_the_strings_to_sign_of_the_documentation() -> None:
    """The examples of "Authorize with Shared Key" for the Table service."""
    asked = request(
        "GET", "/testaccount1/Tables", "", {"x-ms-date": "Sun, 11 Oct 2009 21:49:13 GMT", "content-type": "t"}
    )
    assert string_to_sign(asked, "testaccount1") == (
        "GET\n\nt\nSun, 11 Oct 2009 21:49:13 GMT\n/testaccount1/testaccount1/Tables"
    )
    assert string_to_sign_lite(asked, "testaccount1") == (
        "Sun, 11 Oct 2009 21:49:13 GMT\n/testaccount1/testaccount1/Tables"
    )


def test_the_date_header_is_signed_where_there_is_no_other() -> None:
    del (asked := request(headers={"date": "Monday"})).headers["x-ms-date"]
    assert string_to_sign_lite(asked, "acct") == "Monday\n/acct/acct/things"


@pytest.mark.parametrize(
    ("query", "resource"),
    [
        ("comp=acl", "/acct/acct/things?comp=acl"),
        ("restype=service&comp=properties", "/acct/acct/things?comp=properties"),
        ("timeout=5&comp=a%20b", "/acct/acct/things?comp=a b"),
        ("xcomp=acl", "/acct/acct/things"),
        ("$filter=a", "/acct/acct/things"),
    ],
)
def test_of_the_query_only_comp_is_signed(query: str, resource: str) -> None:
    assert string_to_sign_lite(request(query=query), "acct") == f"{DATE}\n{resource}"


@pytest.mark.parametrize("scheme", ["SharedKey", "SharedKeyLite", "sharedkeylite"])
def test_both_schemes_take_either_key(scheme: str) -> None:
    text_of = string_to_sign if scheme == "SharedKey" else string_to_sign_lite
    headers = {"content-md5": "m", "content-type": "application/json"}
    for key in (KEY, b"second key"):
        asked = request(headers=dict(headers))
        assert check(signed(asked, scheme, text_of(asked, "acct"), key)) == OWNER


@pytest.mark.parametrize("scheme", ["SharedKey", "SharedKeyLite"])
def test_what_was_not_signed_so_is_refused(scheme: str) -> None:
    asked = signed(request(), scheme, "another text")
    with pytest.raises(AuthenticationError) as caught:
        check(asked)
    assert (caught.value.code, caught.value.status) == ("AuthenticationFailed", 403)
    assert f"{DATE}\n/acct/acct/things" in caught.value.detail
    with pytest.raises(AuthenticationError):
        check(signed(request(), scheme, string_to_sign(request(), "acct"), b"other key"))


def test_the_form_of_one_scheme_is_not_that_of_the_other() -> None:
    asked = request()
    with pytest.raises(AuthenticationError):
        check(signed(asked, "SharedKey", string_to_sign_lite(asked, "acct")))


@pytest.mark.parametrize(
    ("sent", "signed_path"),
    [
        ("/acct-secondary/things", "/acct-secondary/things"),
        ("/acct-secondary/things", "/acct/things"),
        ("/acct-secondary/acct/things", "/acct/things"),
        ("/acct-secondary", "/acct"),
    ],
)
def test_the_secondary_takes_what_was_signed_for_the_primary(sent: str, signed_path: str) -> None:
    text = string_to_sign_lite(request(path=signed_path), "acct")
    assert check(signed(request("GET", sent), "SharedKeyLite", text), secondary=True) == OWNER


@pytest.mark.parametrize("sent", ["/acct-secondary/thing", "/acct-secondaryx/things", "/things"])
def test_the_secondary_takes_no_other_path(sent: str) -> None:
    text = string_to_sign_lite(request(path="/acct/things"), "acct")
    with pytest.raises(AuthenticationError):
        check(signed(request("GET", sent), "SharedKeyLite", text), secondary=True)


def test_what_the_primary_is_sent_is_signed_for_the_primary() -> None:
    text = string_to_sign_lite(request(path="/acct/things"), "acct")
    with pytest.raises(AuthenticationError):
        check(signed(request("GET", "/acct-secondary/things"), "SharedKeyLite", text))


@pytest.mark.parametrize(
    ("method", "path", "query"),
    [
        ("GET", "/acct/Tables", ""),
        ("POST", "/acct/$batch", ""),
        ("PUT", "/acct/things", "comp=acl"),
        ("GET", "/acct/", "restype=service&comp=properties&timeout=3"),
        ("PATCH", "/acct/things(PartitionKey='a%20b',RowKey='%C3%A9%27%27')", ""),
    ],
)
def test_the_sdk_signs_so(method: str, path: str, query: str) -> None:
    headers = {"x-ms-date": DATE, "Content-Type": "application/json"}
    made = SdkRequest(method, f"http://127.0.0.1:10002{path}{'?' if query else ''}{query}", headers=headers)
    credential = AzureNamedKeyCredential("acct", base64.b64encode(KEY).decode())
    policy = SharedKeyCredentialPolicy(credential)  # type: ignore[no-untyped-call]  # the SDK has no types here
    policy.on_request(PipelineRequest(made, PipelineContext(SimpleNamespace())))  # type: ignore[arg-type]  # no transport
    sent = {name.lower(): value for name, value in made.headers.items()}
    assert check(HttpRequest(method, path, query, sent, "http", "127.0.0.1:10002", "127.0.0.1", "id")) == OWNER
