"""User delegation keys: who gets one, for how long, and that it is always the same."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from localzure.auth import delegation
from localzure.auth.accounts import prepare_accounts
from localzure.auth.principal import AuthenticationError, Principal, PrincipalKind
from localzure.auth.tokens import Claims
from localzure.services.interface import SECOND, Instant

NOW_TEXT = "2026-11-21T12:00:00Z"
NOW = Instant(int(datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp()) * SECOND)


def issue(principal: Principal, start: str = NOW_TEXT, expiry: str = "2026-11-28T12:00:00Z") -> object:
    return delegation.issue(prepare_accounts({"acct": (b"key",)}), principal, "b", "2026-10-06", start, expiry, NOW)


def test_keys_are_issued_to_identities() -> None:
    claims = Claims("oid", "tid", "", "", None, None, {})
    alice = Principal(PrincipalKind.IDENTITY, "acct", claims=claims)
    issued = issue(alice)
    assert isinstance(issued, tuple)
    info, value = issued
    assert (info.oid, info.tid, info.service) == ("oid", "tid", "b")
    assert len(base64.b64decode(value)) == 32
    assert issue(alice) == issued
    assert issue(alice, expiry="2026-11-28T12:00:01Z") is None
    assert issue(alice, expiry=NOW_TEXT) is None
    assert issue(alice, start="2026-11-29T00:00:00Z") is None
    assert issue(alice, start="now") is None
    for kind, code in (
        (PrincipalKind.OWNER, "AuthenticationFailed"),
        (PrincipalKind.SIGNATURE, "AuthorizationFailure"),
    ):
        with pytest.raises(AuthenticationError) as caught:
            issue(replace(alice, kind=kind, claims=None))
        assert caught.value.code == code
