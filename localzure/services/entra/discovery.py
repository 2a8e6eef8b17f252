"""The documents by which clients find the authority's endpoints ("OpenID Connect Discovery 1.0")."""

from __future__ import annotations

from typing import Any

from localzure.services.entra.issuing import AUTHORITY, ISSUER_V1
from localzure.services.entra.model import tenant_id

ALIASES = ("login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net")
"""The names of the public cloud's authority."""


def configuration(origin: str, tenant: str, *, is_v2: bool) -> dict[str, Any]:
    """Return the OpenID configuration of a tenant; `origin` is scheme, host and prefix by which it was asked for."""
    version = "/v2.0" if is_v2 else ""
    base = f"{origin}/{tenant}"
    issuer = f"{AUTHORITY}/{tenant_id(tenant)}/v2.0" if is_v2 else f"{ISSUER_V1}/{tenant_id(tenant)}/"
    return {
        "token_endpoint": f"{base}/oauth2{version}/token",
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "jwks_uri": f"{base}/discovery{version}/keys",
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code"],
        "grant_types_supported": [
            "authorization_code",
            "client_credentials",
            "refresh_token",
            "urn:ietf:params:oauth:grant-type:jwt-bearer",
            "urn:ietf:params:oauth:grant-type:device_code",
        ],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "issuer": issuer,
        "code_challenge_methods_supported": ["plain", "S256"],
        "request_uri_parameter_supported": False,
        "authorization_endpoint": f"{base}/oauth2{version}/authorize",
        "device_authorization_endpoint": f"{base}/oauth2{version}/devicecode",
        "http_logout_supported": True,
        "claims_supported": ["sub", "iss", "aud", "exp", "iat", "nbf", "ver", "tid", "oid", "name", "appid", "azp"],
        "tenant_region_scope": None,
        "cloud_instance_name": "microsoftonline.com",
    }


def instance(origin: str, tenant: str) -> dict[str, Any]:
    """Return the answer to whether an authority is one: this one always is."""
    names = list(ALIASES[:3])
    return {
        "tenant_discovery_endpoint": f"{origin}/{tenant}/v2.0/.well-known/openid-configuration",
        "api-version": "1.1",
        "metadata": [{"preferred_network": names[0], "preferred_cache": names[1], "aliases": list(ALIASES)}],
    }
