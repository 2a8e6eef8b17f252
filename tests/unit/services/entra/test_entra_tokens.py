"""The mock Entra ID: its documents, its grants, its keys, and what becomes of its tokens."""

from __future__ import annotations

import base64
import hmac
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from localzure.auth.tokens import Claims, TokenError, TokenVerifier, is_for_service_bus, is_for_storage, read_claims
from localzure.services.entra import EntraSettings
from localzure.services.entra.assertions import ASSERTION_TYPE
from localzure.services.entra.devices import CODE_SECONDS
from localzure.services.entra.grants import DEVICE_GRANT
from localzure.services.entra.model import DEFAULT_TENANT, tenant_id
from localzure.services.entra.service import answers
from localzure.services.interface import SECOND, Instant
from localzure_storage.memory import MemoryStore
from tests.entra_world import CLIENT, TENANT, EntraWorld
from tests.failing_store import FailingStore
from tests.twins import START

TOKEN = f"/{TENANT}/oauth2/v2.0/token"
TOKEN_V1 = f"/{TENANT}/oauth2/token"
SECRET = {"grant_type": "client_credentials", "client_id": CLIENT, "client_secret": "any"}
STORAGE = {"scope": "https://storage.azure.com/.default"}


@pytest.fixture(scope="module")
def settled() -> EntraWorld:
    """An authority that has its key: making one takes a while."""
    world = EntraWorld(EntraSettings(secrets={"known": ("right", "also right")}))
    world.token()
    return world


# --- discovery ----------------------------------------------------------------------------------------------------


def test_a_tenant_has_its_documents(settled: EntraWorld) -> None:
    for version, path in (("/v2.0", f"/{TENANT}/v2.0"), ("", f"/{TENANT}")):
        found = settled.ask("GET", f"{path}/.well-known/openid-configuration")
        assert found["token_endpoint"] == f"https://h/{TENANT}/oauth2{version}/token"
        assert found["jwks_uri"] == f"https://h/{TENANT}/discovery{version}/keys"
        assert found["device_authorization_endpoint"] == f"https://h/{TENANT}/oauth2{version}/devicecode"
        assert TENANT in found["issuer"]
        assert settled.ask("GET", found["jwks_uri"].removeprefix("https://h")) == settled.ask(
            "GET", "/.localzure/oauth/keys"
        )
    assert settled.ask("GET", "/.well-known/openid-configuration")["issuer"].endswith(f"/{DEFAULT_TENANT}/v2.0")


def test_an_instance_is_told_from_where_it_was_asked(settled: EntraWorld) -> None:
    query = (
        f"api-version=1.1&authorization_endpoint=https%3A%2F%2Flocalhost%3A8443%2F{TENANT}%2Foauth2%2Fv2.0%2Fauthorize"
    )
    found = settled.ask("GET", "/common/discovery/instance", query=query)
    assert (
        found["tenant_discovery_endpoint"] == f"https://localhost:8443/{TENANT}/v2.0/.well-known/openid-configuration"
    )
    assert "login.microsoftonline.com" in found["metadata"][0]["aliases"]
    alone = settled.ask("GET", "/common/discovery/instance")
    assert alone["tenant_discovery_endpoint"] == "https://h/common/v2.0/.well-known/openid-configuration"
    assert settled.ask("GET", "/common/userrealm/me@x.y")["account_type"] == "Managed"


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/", (404, "not_found", 0)),
        ("GET", f"/{TENANT}/oauth2/v2.0/tokens", (404, "not_found", 0)),
        ("GET", TOKEN, (405, "invalid_request", 0)),
        ("GET", f"/{TENANT}/oauth2/v2.0/logout", (501, "not_implemented", 0)),
        ("POST", TOKEN, (400, "invalid_request", 900144)),
    ],
)
def test_what_is_not_there(settled: EntraWorld, method: str, path: str, expected: tuple[int, str, int]) -> None:
    assert settled.refusal({}, path, method) == expected


def test_which_paths_are_the_authoritys() -> None:
    assert answers(TOKEN)
    assert answers("/.localzure/oauth/token")
    assert answers(f"/{TENANT}/saml2")
    assert not answers("/devstoreaccount1/box")
    assert not answers("/health")


# --- client credentials -------------------------------------------------------------------------------------------


def test_a_secret_gets_a_token(settled: EntraWorld) -> None:
    claims = settled.verify(settled.token())
    assert claims.audience == "https://storage.azure.com"
    assert claims.issuer == f"https://sts.windows.net/{TENANT}/"
    assert claims.tid == TENANT
    assert str(UUID(claims.oid)) == claims.oid
    assert (claims.raw["appid"], claims.raw["ver"], claims.raw["appidacr"]) == (CLIENT, "1.0", "1")
    assert claims.expires_at == START + 3599 * SECOND
    again = settled.verify(settled.token())
    assert again.oid == claims.oid
    assert again.raw["uti"] != claims.raw["uti"]


def test_an_application_of_ones_own_gets_version_2(settled: EntraWorld) -> None:
    claims = settled.verify(settled.token(scope="api://my-app/.default"))
    assert (claims.audience, claims.raw["ver"], claims.raw["azp"]) == ("api://my-app", "2.0", CLIENT)
    assert claims.issuer == f"https://login.microsoftonline.com/{TENANT}/v2.0"


def test_the_endpoint_of_version_1(settled: EntraWorld) -> None:
    reply = settled.ask("POST", TOKEN_V1, {**SECRET, "resource": "https://servicebus.azure.net/"})
    assert reply["expires_in"] == "3599"
    assert int(reply["expires_on"]) - int(reply["not_before"]) == 3599
    claims = settled.verify(reply["access_token"])
    assert is_for_service_bus(claims)
    assert not is_for_storage(claims, "acct")
    assert settled.refusal(SECRET, TOKEN_V1) == (400, "invalid_request", 900144)


def test_any_tenant(settled: EntraWorld) -> None:
    for name in ("common", "organizations", "contoso.onmicrosoft.com", "A" * 40):
        assert settled.verify(settled.token(tenant=name)).tid == tenant_id(name)
    assert tenant_id(TENANT.upper()) == TENANT
    assert tenant_id("common") == DEFAULT_TENANT


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({"grant_type": "password", "client_id": CLIENT}, (400, "unsupported_grant_type", 70003)),
        ({"grant_type": "client_credentials"}, (400, "invalid_request", 900144)),
        ({**SECRET, "client_secret": ""}, (401, "invalid_client", 7000218)),
        ({**SECRET, **STORAGE, "client_id": "known"}, (401, "invalid_client", 7000215)),
        ({**SECRET}, (400, "invalid_request", 900144)),
        ({**SECRET, "scope": "https://a/.default https://b/.default"}, (400, "invalid_scope", 70011)),
        ({**SECRET, "scope": "/x"}, (400, "invalid_scope", 70011)),
        ({**SECRET, "client_assertion": "a.b.c"}, (400, "invalid_request", 900144)),
    ],
)
def test_refusals(settled: EntraWorld, form: dict[str, str], expected: tuple[int, str, int]) -> None:
    assert settled.refusal(form) == expected


def test_configured_secrets(settled: EntraWorld) -> None:
    assert settled.token(client_id="known", client_secret="also right")
    reply = settled.send("POST", TOKEN, {**SECRET, **STORAGE, "client_id": "known", "client_secret": "guessed secret"})
    assert isinstance(reply.body, bytes)
    assert b"guessed secret" not in reply.body
    assert "right" not in repr(settled.settings)


def test_bodies_are_bounded(settled: EntraWorld) -> None:
    assert settled.refusal({"grant_type": "x" * 70_000})[0] == 413


# --- assertions ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate() -> tuple[rsa.RSAPrivateKey, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "client")])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(start).not_valid_after(start + timedelta(days=9))
    made = builder.sign(key, hashes.SHA256())
    return key, base64.b64encode(made.public_bytes(Encoding.DER)).decode()


def assertion(key: Any, header: dict[str, Any], algorithm: str = "RS256", **claims: Any) -> dict[str, str]:
    now = START // SECOND
    said = {"iss": CLIENT, "sub": CLIENT, "aud": "x", "nbf": now, "exp": now + 600, **claims}
    text = jwt.encode(said, key, algorithm=algorithm, headers=header)
    return {
        "grant_type": "client_credentials",
        "client_id": CLIENT,
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": text,
        **STORAGE,
    }


def test_a_certificate_gets_a_token(settled: EntraWorld, certificate: tuple[rsa.RSAPrivateKey, str]) -> None:
    key, text = certificate
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    for header in ({"x5t": "thumb"}, {"x5t#S256": "thumb", "x5c": [text]}, {"x5t": "thumb", "x5c": text}):
        claims = settled.verify(settled.ask("POST", TOKEN, assertion(key, header))["access_token"])
        assert claims.raw["appidacr"] == "2"
    pss = assertion(key, {"x5t#S256": "thumb", "x5c": [text]}, "PS256")
    assert settled.ask("POST", TOKEN, pss)
    carried = {"x5t": "thumb", "x5c": [text]}
    assert settled.refusal(assertion(other, carried)) == (401, "invalid_client", 700027)
    assert settled.refusal(assertion(key, {"x5t": "t", "x5c": ["AAAA"]})) == (401, "invalid_client", 700027)
    assert settled.refusal(assertion(key, carried, iss="x")) == (401, "invalid_client", 700021)
    now = START // SECOND
    assert settled.refusal(assertion(key, carried, exp=now - 301)) == (401, "invalid_client", 700024)
    assert settled.refusal(assertion(key, carried, nbf=now + 301)) == (401, "invalid_client", 700024)
    assert settled.refusal(assertion(key, carried, exp="x")) == (401, "invalid_client", 50027)


def test_a_federated_token_gets_a_token(settled: EntraWorld) -> None:
    elsewhere = assertion("k" * 32, {}, "HS256", iss="https://cluster", sub="system:serviceaccount:default:sa")
    assert settled.verify(settled.ask("POST", TOKEN, elsewhere)["access_token"]).tid == TENANT
    for text in ("x", "a.b.c", "e30.e30.x", "W10.W10.x", "x" * 20_000 + ".."):
        assert settled.refusal({**elsewhere, "client_assertion": text}) == (401, "invalid_client", 50027)


# --- refresh and devices ------------------------------------------------------------------------------------------


def device(world: EntraWorld, path: str = f"/{TENANT}/oauth2/v2.0/devicecode", **form: str) -> Any:
    return world.ask("POST", path, {"client_id": CLIENT, "scope": "https://storage.azure.com/.default openid", **form})


def redeem(code: str, **more: str) -> dict[str, str]:
    return {"grant_type": DEVICE_GRANT, "client_id": CLIENT, "device_code": code, **more}


def test_a_device_is_approved_at_once(settled: EntraWorld) -> None:
    asked = device(settled)
    assert set(asked) == {"user_code", "device_code", "verification_uri", "expires_in", "interval", "message"}
    reply = settled.ask("POST", TOKEN, redeem(asked["device_code"]))
    claims = settled.verify(reply["access_token"])
    assert claims.raw["scp"] == "user_impersonation"
    assert read_claims(reply["id_token"]).audience == CLIENT
    assert settled.refusal(redeem(asked["device_code"])) == (400, "bad_verification_code", 70019)
    assert settled.refusal(redeem("x")) == (400, "bad_verification_code", 70019)
    renewed = {"grant_type": "refresh_token", "client_id": CLIENT, "refresh_token": reply["refresh_token"]}
    again = settled.ask("POST", TOKEN, {**renewed, "scope": "https://servicebus.azure.net/.default"})
    other = settled.verify(again["access_token"])
    assert (other.oid, other.audience) == (claims.oid, "https://servicebus.azure.net")
    assert settled.verify(settled.ask("POST", TOKEN, renewed)["access_token"]).audience == claims.audience
    assert settled.refusal({**renewed, "client_id": "x"}) == (400, "invalid_grant", 70000)
    assert settled.refusal({**renewed, "refresh_token": reply["access_token"]}) == (400, "invalid_grant", 70000)
    assert settled.refusal({**renewed, "refresh_token": "x"}) == (400, "invalid_grant", 70000)
    assert settled.refusal(renewed, f"/{CLIENT}/oauth2/v2.0/token") == (400, "invalid_grant", 70000)
    with pytest.raises(TokenError):
        settled.verify(reply["refresh_token"])


def test_the_device_endpoint_of_version_1(settled: EntraWorld) -> None:
    path = f"/{TENANT}/oauth2/devicecode"
    asked = device(settled, path, resource="https://vault.azure.net")
    assert asked["verification_url"] == "https://h/devicelogin"
    form = {"grant_type": "device_code", "client_id": CLIENT, "code": asked["device_code"]}
    assert settled.ask("POST", TOKEN_V1, form)["resource"] == "https://vault.azure.net"


def test_a_device_is_approved_at_the_page() -> None:
    world = EntraWorld(EntraSettings(device_approval="page"))
    asked = device(world)
    assert world.refusal(redeem(asked["device_code"])) == (400, "authorization_pending", 70016)
    shown = world.send("GET", "/devicelogin", query="otc=%3Cb%3E")
    assert isinstance(shown.body, bytes)
    assert b"<form" in shown.body
    assert b"&lt;b&gt;" in shown.body
    assert world.send("POST", "/devicelogin", {"otc": "WRONG"}).status == 404
    assert world.send("POST", "/devicelogin", {"otc": f" {asked['user_code'].lower()} "}).status == 200
    assert world.ask("POST", TOKEN, redeem(asked["device_code"]))["access_token"]
    late = device(world)
    world.clock.advance(CODE_SECONDS)
    assert world.send("POST", "/devicelogin", {"otc": late["user_code"]}).status == 404
    assert world.refusal(redeem(late["device_code"])) == (400, "bad_verification_code", 70019)
    device(world)
    with world.transactions.reader() as reader:
        assert len(list(reader.scan(*world.service._parts.devices._space.range()))) == 1


def test_refresh_tokens_end(monkeypatch: pytest.MonkeyPatch) -> None:
    world = EntraWorld(EntraSettings(refresh_seconds=10))
    token = world.ask("POST", TOKEN, redeem(device(world)["device_code"]))["refresh_token"]
    world.clock.advance(10)
    form = {"grant_type": "refresh_token", "client_id": CLIENT, "refresh_token": token}
    assert world.refusal(form) == (400, "invalid_grant", 700082)


# --- tokens for command lines -------------------------------------------------------------------------------------


def test_a_token_without_further_ado(settled: EntraWorld) -> None:
    claims = settled.verify(settled.ask("GET", "/.localzure/oauth/token")["access_token"])
    assert (claims.audience, claims.tid) == ("https://storage.azure.com", DEFAULT_TENANT)
    form = {"resource": "https://x", "tenant": TENANT, "claims": '{"roles": ["a"]}', "lifetime": "60"}
    reply = settled.ask("POST", "/.localzure/oauth/token", form)
    claims = settled.verify(reply["access_token"])
    assert (claims.raw["roles"], claims.audience) == (["a"], "https://x")
    assert reply["expires_in"] == 60
    for bad in ({"lifetime": "x"}, {"lifetime": "9" * 12}, {"claims": "[]"}, {"claims": "{"}):
        assert settled.refusal(bad, "/.localzure/oauth/token") == (400, "invalid_request", 900144)


def test_configured_lifetimes_and_claims() -> None:
    world = EntraWorld(EntraSettings(token_seconds=60, claims={"groups": ["g"], "oid": "mine"}))
    claims = world.verify(world.token())
    assert (claims.raw["groups"], claims.oid) == (["g"], "mine")
    assert claims.expires_at == START + 60 * SECOND


# --- verification -------------------------------------------------------------------------------------------------


def forged(world: EntraWorld, header: dict[str, Any] | None = None, **claims: Any) -> str:
    """A token of the authority's with other claims, signed by its key."""
    key_id, key = world.service.ring.signing_key()
    said = {**read_claims(world.token()).raw, **claims}
    return jwt.encode(said, key, algorithm="RS256", headers={"kid": key_id, **(header or {})})


def why(world: EntraWorld, token: str) -> str:
    with pytest.raises(TokenError) as caught:
        world.verify(token)
    assert not token or token not in str(caught.value)
    return str(caught.value)


def test_every_part_of_a_token_is_checked(settled: EntraWorld) -> None:
    now = START // SECOND
    assert isinstance(settled.verify(forged(settled)), Claims)
    assert "expired" in why(settled, forged(settled, exp=now - 300))
    assert isinstance(settled.verify(forged(settled, exp=now - 299)), Claims)
    assert "expired" in why(settled, forged(settled, exp=None))
    assert "not yet valid" in why(settled, forged(settled, nbf=now + 301))
    assert "Issuer" in why(settled, forged(settled, iss="https://elsewhere/"))
    assert "Issuer" in why(settled, forged(settled, tid=CLIENT))
    assert "key not found" in why(settled, forged(settled, {"kid": "x"}))
    assert "a time that is none" in why(settled, forged(settled, exp="soon"))
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    key_id, _ = settled.service.ring.signing_key()
    stranger = jwt.encode(dict(read_claims(settled.token()).raw), other, algorithm="RS256", headers={"kid": key_id})
    assert "Signature verification failed" in why(settled, stranger)
    secret = jwt.encode(dict(read_claims(settled.token()).raw), "s" * 32, algorithm="HS256", headers={"kid": key_id})
    assert "RS256" in why(settled, secret)
    head, body, signature = settled.token().split(".")
    nobody = base64.urlsafe_b64encode(json.dumps({"alg": "none", "kid": key_id}).encode()).decode().rstrip("=")
    assert "RS256" in why(settled, f"{nobody}.{body}.")
    assert "Signature" in why(settled, f"{head}.{body}.{signature[:-4]}AAAA")
    for text in ("", "a.b", "x" * 20_000, f"{head}.{body}"):
        assert "JSON Web Token" in why(settled, text)


def test_trusted_secrets_sign_tokens_too() -> None:
    world = EntraWorld()
    verifier = TokenVerifier(world.service.ring, (b"first", b"a secret of ours"))
    said = {"aud": "https://storage.azure.com", "oid": "o", "tid": "t", "iss": "me", "exp": START // SECOND + 60}
    parts = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in ({"alg": "HS256"}, said)
    ]
    signed = ".".join(parts)

    def signature(secret: bytes) -> str:
        return base64.urlsafe_b64encode(hmac.digest(secret, signed.encode(), "sha256")).decode().rstrip("=")

    good = f"{signed}.{signature(b'a secret of ours')}"
    assert verifier.verify(good, START).oid == "o"
    assert verifier.verify(good, START).tid == "t"
    for bad in (f"{signed}.{signature(b'another')}", f"{signed}.", f"{signed}.!"):
        with pytest.raises(TokenError):
            verifier.verify(bad, START)
    with pytest.raises(TokenError):
        verifier.verify(good, Instant(START + 400 * SECOND))
    with pytest.raises(TokenError):
        world.verifier.verify(good, START)


def test_what_tokens_are_for() -> None:
    def claims(audience: str) -> Claims:
        return Claims("", "", audience, "", None, None, {})

    assert is_for_storage(claims("https://storage.azure.com"), "acct")
    assert is_for_storage(claims("e406a681-f3d4-42a8-90b6-c2b029497af1"), "acct")
    assert is_for_storage(claims("https://acct.blob.core.windows.net"), "acct")
    assert not is_for_storage(claims("https://other.blob.core.windows.net"), "acct")
    assert not is_for_storage(claims("acct"), "acct")
    assert not is_for_storage(claims("https://vault.azure.net"), "acct")
    assert is_for_service_bus(claims("https://ns.servicebus.windows.net"))
    assert not is_for_service_bus(claims("https://storage.azure.com"))


def test_what_is_remembered_is_bounded(settled: EntraWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("localzure.auth.tokens.TOKENS_MAX", 3)
    for _ in range(5):
        settled.verify(settled.token())
    assert len(settled.verifier._good) <= 3


# --- keys ---------------------------------------------------------------------------------------------------------


def test_keys_rotate_and_survive() -> None:
    world = EntraWorld(EntraSettings(key_days=2, refresh_seconds=3600))
    first = world.token()
    key_id = jwt.get_unverified_header(first)["kid"]
    published = world.ask("GET", f"/{TENANT}/discovery/v2.0/keys")["keys"]
    assert [key["kid"] for key in published] == [key_id]
    assert jwt.PyJWK(published[0]).key.public_numbers() == world.service.ring.public_key(key_id).public_numbers()  # type: ignore[union-attr]
    world.start()
    assert jwt.get_unverified_header(world.token())["kid"] == key_id
    assert world.verify(first).tid == TENANT
    made = world.ask("POST", "/.localzure/oauth/keys")["kid"]
    assert made != key_id
    assert jwt.get_unverified_header(world.token())["kid"] == made
    assert world.verify(first).tid == TENANT
    world.clock.advance(2 * 86_400)
    third = jwt.get_unverified_header(world.token())["kid"]
    assert third not in {made, key_id}
    assert [key["kid"] for key in world.ask("GET", "/.localzure/oauth/keys")["keys"]] == [third, made]
    assert "key not found" in why(world, first)


def test_a_key_whose_commit_fails_was_never_there() -> None:
    store = FailingStore(MemoryStore())
    world = EntraWorld(store=store)
    store.failing = True
    world.send("GET", "/.localzure/oauth/token")
    store.failing = False
    with world.transactions.reader() as reader:
        assert not list(reader.scan(*world.service.ring._space.range()))
    assert world.verify(world.token()).tid == TENANT


def test_whoever_needs_a_key_waits_for_it_and_nobody_else() -> None:
    world = EntraWorld()
    world.waiting = []
    assert world.ask("GET", "/.well-known/openid-configuration")["jwks_uri"]
    first, second, gone = (
        world.wait("GET", "/.localzure/oauth/token"),
        world.wait("POST", TOKEN, SECRET | STORAGE),
        None,
    )
    gone = world.wait("GET", "/.localzure/oauth/keys")
    assert len(world.waiting) == 1
    gone.later.lost()
    world.work()
    assert gone.replies == []
    tokens = [json.loads(bytes(one.replies[0].body))["access_token"] for one in (first, second)]  # type: ignore[arg-type]
    assert [world.verify(token).audience for token in tokens] == ["https://storage.azure.com"] * 2
    world.clock.advance(31 * 86_400)
    old = jwt.get_unverified_header(tokens[0])["kid"]
    assert jwt.get_unverified_header(world.token())["kid"] == old
    rotated = world.wait("POST", "/.localzure/oauth/keys")
    world.work()
    assert rotated.replies[0].status == 201
    assert jwt.get_unverified_header(world.token())["kid"] != old


def test_a_server_with_keys_is_warmed_up_and_no_other() -> None:
    world = EntraWorld()
    world.waiting = []
    world.service.ring.warm_up()
    assert world.waiting == []
    world.waiting = None
    token = world.token()
    world.start()
    world.waiting = []
    world.service.ring.warm_up()
    world.work()
    assert world.verify(token).tid == TENANT


@pytest.mark.parametrize("part", [0, 1, 2])
def test_one_changed_byte_in_any_part_of_a_token_is_enough(settled: EntraWorld, part: int) -> None:
    parts = settled.token().split(".")
    for at in range(0, len(parts[part]) - 1, 7):
        changed = list(parts)
        letter = "A" if parts[part][at] != "A" else "B"
        changed[part] = f"{parts[part][:at]}{letter}{parts[part][at + 1 :]}"
        with pytest.raises(TokenError):
            settled.verify(".".join(changed))


def test_a_key_that_cannot_be_made_is_told() -> None:
    world = EntraWorld()
    world.waiting = []
    asked = world.wait("GET", "/.localzure/oauth/token")
    world.work(lambda _made: None)
    assert asked.replies[0].status == 500
    again = world.wait("GET", "/.localzure/oauth/token")
    world.work()
    assert again.replies[0].status == 200


def test_a_key_that_was_taken_from_the_store_is_forgotten() -> None:
    world = EntraWorld()
    token = world.token()
    with world.transactions.writer() as writer:
        for key, _ in list(writer.scan(*world.service.ring._space.range())):
            writer.delete(key)
    world.transactions.commit()
    world.service.ring.reset()
    assert "key not found" in why(world, token)
    assert world.verify(world.token()).tid == TENANT


def test_a_good_token_costs_little(settled: EntraWorld) -> None:
    token = settled.token()
    settled.verify(token)
    started = time.perf_counter()
    for _ in range(1000):
        settled.verify(token)
    assert time.perf_counter() - started < 0.1
