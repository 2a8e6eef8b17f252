"""The levels of authentication, and what there is beside Shared Key."""

from __future__ import annotations

import pytest

from localzure.auth.accounts import prepare_accounts
from localzure.auth.authenticate import SCHEMES, authenticate, refuse_anonymous
from localzure.auth.principal import AUTHENTICATION_ERRORS, AuthenticationError, AuthLevel, Principal, PrincipalKind
from localzure.services.interface import Address, HttpRequest, Instant

ACCOUNTS = prepare_accounts({"acct": (b"key",)})
OWNER = Principal(PrincipalKind.OWNER, "acct")
ANONYMOUS = Principal(PrincipalKind.ANONYMOUS, "acct")


def ask(level: AuthLevel, *, query: str = "", account: str = "acct", **headers: str) -> Principal:
    asked = HttpRequest("GET", "/acct/box", query, headers, "http", "h", "", "id")
    return authenticate(asked, Address(account, secondary=False, path="box", base_url=""), ACCOUNTS, level, Instant(0))


def code(level: AuthLevel, *, query: str = "", account: str = "acct", **headers: str) -> tuple[str, int]:
    with pytest.raises(AuthenticationError) as caught:
        ask(level, query=query, account=account, **headers)
    assert (caught.value.status, caught.value.message) == AUTHENTICATION_ERRORS[caught.value.code]
    return caught.value.code, caught.value.status


def test_off_looks_at_nothing() -> None:
    assert ask("off") == OWNER
    assert ask("off", authorization="nonsense") == OWNER
    assert ask("off", account="nobody", query="sig=x").kind is PrincipalKind.OWNER


def test_any_takes_every_well_formed_proof() -> None:
    assert ask("any", authorization="SharedKey acct:d3Jvbmc=") == OWNER
    assert ask("any", authorization="Bearer token") == OWNER
    assert ask("any", authorization="sharedkeylite acct:d3Jvbmc=") == OWNER
    assert ask("any", query="sv=2026-10-06&sig=wrong") == OWNER
    assert ask("any") == ANONYMOUS
    assert code("any", authorization="Nonsense x") == ("InvalidAuthenticationInfo", 400)
    assert code("any", authorization="Bearer") == ("InvalidAuthenticationInfo", 400)
    assert code("any", authorization="Bearer no token at all") == ("InvalidAuthenticationInfo", 400)


@pytest.mark.parametrize("scheme", [name for name, check in SCHEMES.items() if check is None])
def test_schemes_that_are_missing_are_never_taken_for_good(scheme: str) -> None:
    assert code("verify", authorization=f"{scheme} acct:d3Jvbmc=") == ("NotImplemented", 501)


def test_shared_access_signatures_are_missing() -> None:
    assert code("verify", query="sv=2026-10-06&sig=x") == ("NotImplemented", 501)


def test_without_credentials_a_caller_is_anonymous() -> None:
    assert ask("verify") == ANONYMOUS
    assert ask("verify", query="prefix=sig=x") == ANONYMOUS


@pytest.mark.parametrize("level", ["any", "verify"])
def test_an_account_that_is_not_configured(level: AuthLevel) -> None:
    assert code(level, account="nobody") == ("ResourceNotFound", 404)
    assert code(level, account="nobody", authorization="SharedKey nobody:d3Jvbmc=") == ("AuthenticationFailed", 403)


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ({"x-ms-version": "2019-12-12"}, ("NoAuthenticationInformation", 401)),
        ({"x-ms-version": "2026-10-06"}, ("NoAuthenticationInformation", 401)),
        ({"x-ms-version": "2019-07-07"}, ("ResourceNotFound", 404)),
        ({}, ("ResourceNotFound", 404)),
    ],
    ids=str,
)
def test_anonymous_callers_are_challenged_by_version(version: dict[str, str], expected: tuple[str, int]) -> None:
    error = refuse_anonymous(HttpRequest("GET", "/", "", version, "http", "h", "", "id"))
    assert (error.code, error.status) == expected
    challenges = [value for name, value in error.headers if name == "www-authenticate"]
    assert bool(challenges) is (error.status == 401)
    for challenge in challenges:
        assert challenge.startswith("Bearer authorization_uri=https://login.microsoftonline.com/")
        assert challenge.endswith(" resource_id=https://storage.azure.com")
