"""The levels of authentication, and what there is beside Shared Key."""

from __future__ import annotations

import base64
import json

import pytest

from localzure.auth.accounts import prepare_accounts
from localzure.auth.authenticate import BLOB_DOOR, authenticate, refuse_anonymous
from localzure.auth.principal import AUTHENTICATION_ERRORS, AuthenticationError, Principal, PrincipalKind
from localzure.config.settings import AuthLevel
from localzure.services.interface import Address, HttpRequest, Instant

ACCOUNTS = prepare_accounts({"acct": (b"key",)})
OWNER = Principal(PrincipalKind.OWNER, "acct")
ANONYMOUS = Principal(PrincipalKind.ANONYMOUS, "acct")


def ask(level: AuthLevel, *, query: str = "", account: str = "acct", **headers: str) -> Principal:
    asked = HttpRequest("GET", "/acct/box", query, headers, "http", "h", "", "id")
    return authenticate(
        asked, Address(account, secondary=False, path="box", base_url=""), ACCOUNTS, level, Instant(0), BLOB_DOOR
    )


def code(level: AuthLevel, *, query: str = "", account: str = "acct", **headers: str) -> tuple[str, int]:
    with pytest.raises(AuthenticationError) as caught:
        ask(level, query=query, account=account, **headers)
    if (caught.value.code, caught.value.status) != ("InvalidAuthenticationInfo", 401):
        assert (caught.value.status, caught.value.message) == AUTHENTICATION_ERRORS[caught.value.code]
    else:
        assert dict(caught.value.headers)["www-authenticate"].startswith("Bearer authorization_uri=")
    return caught.value.code, caught.value.status


def test_off_looks_at_nothing() -> None:
    assert ask("off") == OWNER
    assert ask("off", authorization="nonsense") == OWNER
    assert ask("off", account="nobody", query="sig=x").kind is PrincipalKind.OWNER


SIGNATURE = "sv=2026-10-06&sr=c&sp=r&se=2030-01-01&sig=wrong"


def jwt_text(claims: dict[str, object]) -> str:
    """A token that nobody signed."""
    parts = [{"alg": "RS256", "typ": "JWT"}, claims]
    texts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join([*texts, "c2ln"])


def test_any_takes_every_well_formed_proof() -> None:
    assert ask("any", authorization="SharedKey acct:d3Jvbmc=") == OWNER
    assert ask("any", authorization="sharedkeylite acct:d3Jvbmc=") == OWNER
    signed = ask("any", query=SIGNATURE)
    assert (signed.kind, signed.sas) == (PrincipalKind.OWNER, None)
    assert signed.shown is not None
    assert ask("any") == ANONYMOUS
    shown = ask("any", authorization=f"Bearer {jwt_text({'oid': 'o', 'tid': 't', 'aud': 'x'})}")
    assert shown.kind is PrincipalKind.IDENTITY
    assert shown.claims is not None
    assert (shown.claims.oid, shown.claims.tid) == ("o", "t")


@pytest.mark.parametrize("level", ["any", "verify"])
def test_malformed_proofs_are_no_proofs(level: AuthLevel) -> None:
    for header in ("Nonsense x", "Bearer", "SharedKey", "Bearer no token at all"):
        assert code(level, authorization=header) == ("InvalidAuthenticationInfo", 400)
    for token in ("token", "a.b.c", "..", "e30.W10.x"):
        assert code(level, authorization=f"Bearer {token}") == ("InvalidAuthenticationInfo", 401)
    assert code(level, query="sv=2026-10-06&sig=x") == ("AuthenticationFailed", 403)


def test_without_an_authority_no_token_is_good() -> None:
    token = jwt_text({"oid": "o", "tid": "t", "aud": "https://storage.azure.com", "exp": 2**33})
    assert code("verify", authorization=f"Bearer {token}") == ("InvalidAuthenticationInfo", 401)


def test_without_credentials_a_caller_is_anonymous() -> None:
    assert ask("verify") == ANONYMOUS
    assert ask("verify", query="prefix=sig=x") == ANONYMOUS


@pytest.mark.parametrize("level", ["any", "verify"])
def test_an_account_that_is_not_configured(level: AuthLevel) -> None:
    assert code(level, account="nobody") == ("ResourceNotFound", 404)
    assert code(level, account="nobody", authorization="SharedKey nobody:d3Jvbmc=") == ("AuthenticationFailed", 403)
    assert code(level, account="nobody", query=SIGNATURE) == ("AuthenticationFailed", 403)


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
