"""Signing in by the browser, and acting on behalf of who did: authorization codes with PKCE, and assertions."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from localzure.auth.tokens import read_claims
from localzure.services.entra import EntraSettings, authorizing
from localzure.services.entra.grants import JWT_GRANT
from localzure.services.interface import SECOND
from tests.entra_world import CLIENT, TENANT, EntraWorld
from tests.twins import START

TOKEN = f"/{TENANT}/oauth2/v2.0/token"
AUTHORIZE = f"/{TENANT}/oauth2/v2.0/authorize"
RETURN = "http://localhost:4000/back?a=b"
VERIFIER = "v" * 43
CHALLENGE = urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
ASKED = {
    "client_id": CLIENT,
    "response_type": "code",
    "redirect_uri": RETURN,
    "scope": "openid api://back/.default",
    "state": "s&t",
    "nonce": "n",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}
MIDDLE, BACK = "99999999-8888-7777-6666-00000000000a", "https://storage.azure.com/.default"


@pytest.fixture(scope="module")
def world() -> EntraWorld:
    made = EntraWorld(EntraSettings(secrets={MIDDLE: ("right",)}))
    made.token()
    return made


def told(world: EntraWorld, path: str = AUTHORIZE, **changed: str) -> dict[str, str]:
    """What an app is told by way of the browser."""
    reply = world.send("GET", path, query=urlencode({**ASKED, **changed}))
    assert reply.status == 302, reply.body
    address = urlsplit(dict(reply.headers)["location"])
    assert address.geturl().startswith("http://localhost:4000/back?a=b")
    return {name: found[0] for name, found in parse_qs(address.fragment or address.query).items() if name != "a"}


def redeem(code: str, **changed: str) -> dict[str, str]:
    form = {
        "grant_type": "authorization_code",
        "client_id": CLIENT,
        "code": code,
        "redirect_uri": RETURN,
        "code_verifier": VERIFIER,
    }
    return {**form, **changed}


def test_a_code_gets_tokens_once(world: EntraWorld) -> None:
    answer = told(world)
    assert answer["state"] == "s&t"
    tokens = world.ask("POST", TOKEN, redeem(answer["code"]))
    claims = world.verify(tokens["access_token"])
    assert (claims.audience, claims.raw["scp"], claims.tid) == ("api://back", "user_impersonation", TENANT)
    identity = read_claims(tokens["id_token"])
    assert (identity.audience, identity.raw["nonce"], identity.oid) == (CLIENT, "n", claims.oid)
    refreshed = {"grant_type": "refresh_token", "client_id": CLIENT, "refresh_token": tokens["refresh_token"]}
    assert world.verify(world.ask("POST", TOKEN, refreshed)["access_token"]).oid == claims.oid
    assert world.refusal(redeem(answer["code"])) == (400, "invalid_grant", 70008)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"code_verifier": "w" * 43}, (400, "invalid_grant", 501481)),
        ({"code_verifier": ""}, (400, "invalid_grant", 501481)),
        ({"redirect_uri": "http://localhost:4000/other"}, (400, "invalid_client", 500112)),
        ({"client_id": MIDDLE}, (400, "invalid_grant", 70008)),
        ({"code": "c" * 3000}, (400, "invalid_grant", 70008)),
        ({"code": ""}, (400, "invalid_request", 900144)),
        ({"client_id": MIDDLE, "client_secret": "wrong"}, (401, "invalid_client", 7000215)),
    ],
)
def test_a_code_is_for_whom_and_what_it_was_made(
    world: EntraWorld, changed: dict[str, str], expected: tuple[int, str, int]
) -> None:
    assert world.refusal(redeem(told(world)["code"]) | changed) == expected


def test_a_code_is_of_its_tenant_and_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    world = EntraWorld()
    code = told(world)["code"]
    assert world.refusal(redeem(code), "/contoso.com/oauth2/v2.0/token") == (400, "invalid_grant", 70008)
    late = told(world)["code"]
    world.clock.advance(authorizing.CODE_SECONDS)
    assert world.refusal(redeem(late)) == (400, "invalid_grant", 70008)
    monkeypatch.setattr(authorizing, "CODES_MAX", 2)
    for _ in range(4):
        told(world)
    with world.transactions.reader() as reader:
        assert len(list(reader.scan(*world.service._keys.codes.range()))) == 2
    with world.transactions.writer() as writer:
        assert not world.service.empty(writer, None, 10)
        assert not list(writer.scan(*world.service._keys.codes.range()))


def test_the_ways_back(world: EntraWorld) -> None:
    assert world.ask("POST", TOKEN, redeem(told(world, response_mode="fragment")["code"]))["id_token"]
    posted = world.send("POST", AUTHORIZE, {**ASKED, "response_mode": "form_post"})
    assert isinstance(posted.body, bytes)
    assert b'action="http://localhost:4000/back?a=b"' in posted.body
    assert b'name="state" value="s&amp;t"' in posted.body
    plain = told(world, code_challenge=VERIFIER, code_challenge_method="plain")
    assert world.ask("POST", TOKEN, redeem(plain["code"]))["access_token"]
    old = told(world, f"/{TENANT}/oauth2/authorize", resource="https://storage.azure.com", scope="")
    asked = redeem(old["code"], client_secret="any")
    tokens = world.ask("POST", f"/{TENANT}/oauth2/token", asked)
    assert tokens["resource"] == "https://storage.azure.com"
    assert world.verify(tokens["access_token"]).raw["appidacr"] == "1"


def test_an_app_is_told_what_is_wrong(world: EntraWorld) -> None:
    assert told(world, response_type="id_token")["error"] == "unsupported_response_type"
    assert told(world, scope="a/b c/d")["error"] == "invalid_scope"
    assert told(world, code_challenge_method="S512")["error"] == "invalid_request"
    assert told(world, nonce="n" * 3000)["error"] == "invalid_request"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"client_id": ""}, 900144),
        ({"redirect_uri": ""}, 900144),
        ({"redirect_uri": "/here"}, 50011),
        ({"redirect_uri": "javascript:alert(1)"}, 50011),
        ({"redirect_uri": "http://h/a\r\nx: y"}, 50011),
        ({"redirect_uri": "http://h/#a"}, 50011),
        ({"redirect_uri": "http://[h/"}, 50011),
        ({"response_mode": "mail"}, 70007),
    ],
)
def test_a_browser_is_not_sent_just_anywhere(world: EntraWorld, changed: dict[str, str], code: int) -> None:
    assert world.refusal(ASKED | changed, AUTHORIZE)[2] == code


def test_signing_in_at_the_page() -> None:
    world = EntraWorld(EntraSettings(device_approval="page"))
    shown = world.send("GET", AUTHORIZE, query=urlencode({**ASKED, "client_id": "<b>"}))
    assert isinstance(shown.body, bytes)
    assert (shown.status, b"&lt;b&gt;" in shown.body, b"approved=yes" in shown.body) == (200, True, True)
    assert told(world, approved="yes")["code"]


# --- on behalf of -------------------------------------------------------------------------------------------------


def users_token(world: EntraWorld, audience: str = f"api://{MIDDLE}") -> str:
    code = told(world, scope=f"{audience}/.default")["code"]
    return str(world.ask("POST", TOKEN, redeem(code))["access_token"])


def on_behalf(assertion: str, **changed: str) -> dict[str, str]:
    form = {
        "grant_type": JWT_GRANT,
        "client_id": MIDDLE,
        "client_secret": "right",
        "requested_token_use": "on_behalf_of",
        "assertion": assertion,
        "scope": BACK,
    }
    return {**form, **changed}


def test_a_service_acts_for_its_user(world: EntraWorld) -> None:
    assertion = users_token(world)
    tokens = world.ask("POST", TOKEN, on_behalf(assertion))
    claims = world.verify(tokens["access_token"])
    assert claims.oid == read_claims(assertion).oid
    assert (claims.audience, claims.raw["appid"]) == ("https://storage.azure.com", MIDDLE)
    assert claims.raw["scp"] == "user_impersonation"
    again = {
        "grant_type": "refresh_token",
        "client_id": MIDDLE,
        "client_secret": "right",
        "refresh_token": tokens["refresh_token"],
    }
    assert world.verify(world.ask("POST", TOKEN, again)["access_token"]).oid == claims.oid
    anywhere = world.ask("POST", "/common/oauth2/v2.0/token", on_behalf(assertion))
    assert world.verify(anywhere["access_token"]).tid == TENANT


def test_what_does_not_let_a_service_act(world: EntraWorld) -> None:
    good = users_token(world)
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    key_id, key = world.service.ring.signing_key()
    said: dict[str, Any] = dict(read_claims(good).raw)
    foreign = jwt.encode(said, stranger, algorithm="RS256", headers={"kid": key_id})
    expired = jwt.encode({**said, "exp": START // SECOND}, key, algorithm="RS256", headers={"kid": key_id})
    refresh = world.ask("POST", TOKEN, redeem(told(world)["code"]))["refresh_token"]
    for form, expected in (
        (on_behalf(foreign), (400, "invalid_grant", 50013)),
        (on_behalf("x"), (400, "invalid_grant", 50013)),
        (on_behalf(refresh), (400, "invalid_grant", 50013)),
        (on_behalf(expired), (400, "invalid_grant", 500133)),
        (on_behalf(users_token(world, "https://storage.azure.com")), (400, "invalid_grant", 500131)),
        (on_behalf(users_token(world, f"api://{CLIENT}")), (400, "invalid_grant", 500131)),
        (on_behalf(world.token(scope=f"api://{MIDDLE}/.default")), (400, "invalid_grant", 7000114)),
        (on_behalf(good, client_secret="wrong"), (401, "invalid_client", 7000215)),
        (on_behalf(good, client_secret=""), (401, "invalid_client", 7000218)),
        (on_behalf(good, requested_token_use="other"), (400, "unsupported_grant_type", 70003)),
    ):
        assert world.refusal(form) == expected
    assert world.refusal(on_behalf(good), "/contoso.com/oauth2/v2.0/token") == (400, "invalid_grant", 50013)
