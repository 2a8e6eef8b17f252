"""MSAL against the mock Entra ID: signing in by the browser, on behalf of, several tenants, a service principal."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from html import unescape
from typing import Any
from urllib.parse import urlsplit

import httpx
import jwt
import msal  # type: ignore[import-untyped]  # it ships no types
import pytest
import requests
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError
from azure.storage.blob import BlobServiceClient
from cryptography.hazmat.primitives.asymmetric import rsa

from localzure.auth.tokens import read_claims
from localzure.testing import LocalZure

TENANTS = ("11111111-2222-3333-4444-555555555555", "contoso.onmicrosoft.com")
FRONT, MIDDLE = "99999999-8888-7777-6666-555555555555", "99999999-8888-7777-6666-00000000000a"
RETURN = "http://localhost:4000/back"


@pytest.fixture(scope="module")
def azure() -> Iterator[LocalZure]:
    with LocalZure(extra_args=["--services", "blob"]) as server:
        yield server
        assert "Traceback" not in server.logs


def asking(azure: LocalZure, tenant: str = TENANTS[0]) -> dict[str, Any]:
    authority = f"https://localhost:{urlsplit(azure.endpoints['gateway']).port}/{tenant}"
    session = requests.Session()
    session.trust_env = False  # what the machine trusts has no say here
    session.verify = str(azure.ca_file)
    return {"authority": authority, "http_client": session, "instance_discovery": False}


def sign_in(azure: LocalZure, app: Any, scope: str) -> Any:
    """Sign in as a browser does that follows where it is sent, up to the app itself."""
    flow = app.initiate_auth_code_flow([scope], redirect_uri=RETURN, response_mode="form_post")
    with httpx.Client(verify=ssl.create_default_context(cafile=azure.ca_file)) as browser:
        page = browser.get(flow["auth_uri"]).text
    assert f'action="{RETURN}"' in page
    sent = re.findall(r'name="([^"]*)" value="([^"]*)"', page)
    return app.acquire_token_by_auth_code_flow(flow, {name: unescape(value) for name, value in sent})


def test_a_person_signs_in_and_a_service_acts_for_them(azure: LocalZure) -> None:
    front = msal.PublicClientApplication(FRONT, **asking(azure))
    tokens = sign_in(azure, front, f"api://{MIDDLE}/.default")
    assert "access_token" in tokens, tokens
    (account,) = front.get_accounts()
    silent = front.acquire_token_silent([f"api://{MIDDLE}/.default"], account)
    assert read_claims(silent["access_token"]).oid == read_claims(tokens["access_token"]).oid
    middle = msal.ConfidentialClientApplication(MIDDLE, client_credential="any", **asking(azure))
    behalf = middle.acquire_token_on_behalf_of(tokens["access_token"], ["https://storage.azure.com/.default"])
    assert "access_token" in behalf, behalf
    assert read_claims(behalf["access_token"]).oid == read_claims(tokens["access_token"]).oid
    with _blobs(azure, behalf["access_token"]) as client:
        assert client.create_container("on-behalf").exists()


def test_a_service_principal_of_any_tenant(azure: LocalZure) -> None:
    found = set()
    for tenant in TENANTS:
        app = msal.ConfidentialClientApplication(FRONT, client_credential="any", **asking(azure, tenant))
        token = app.acquire_token_for_client(["https://storage.azure.com/.default"])["access_token"]
        claims = read_claims(token)
        assert claims.issuer == f"https://sts.windows.net/{claims.tid}/"
        found.add((claims.tid, claims.oid))
        with _blobs(azure, token) as client:
            assert isinstance(list(client.list_containers()), list)
    assert len(found) == len(TENANTS)


def test_a_token_of_another_issuer_is_refused(azure: LocalZure) -> None:
    app = msal.ConfidentialClientApplication(FRONT, client_credential="any", **asking(azure))
    token = app.acquire_token_for_client(["https://storage.azure.com/.default"])["access_token"]
    said = {**read_claims(token).raw, "iss": "https://issuer.example/"}
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    headers = {"kid": jwt.get_unverified_header(token)["kid"]}
    for shown in (
        jwt.encode(said, stranger, algorithm="RS256", headers=headers),
        jwt.encode(said, stranger, algorithm="RS256", headers={"kid": "theirs"}),
    ):
        with _blobs(azure, shown) as client, pytest.raises(ClientAuthenticationError) as caught:
            list(client.list_containers())
        assert caught.value.status_code == 401


class _Shown:
    """A token, as a credential."""

    def __init__(self, token: str) -> None:
        self._token = token

    def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        return AccessToken(self._token, 2**40)


def _blobs(azure: LocalZure, token: str) -> BlobServiceClient:
    url = f"https://localhost:{urlsplit(azure.endpoints['blob']).port}/devstoreaccount1"
    credential: Any = _Shown(token)
    return BlobServiceClient(url, credential=credential, connection_verify=str(azure.ca_file), retry_total=0)
