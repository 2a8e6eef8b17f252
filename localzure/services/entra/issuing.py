"""What is in the tokens that the authority issues.

Tokens for Azure's own services are of version 1, as Entra ID gives them, all others of version 2. Who they are for is
what the client asked for: a resource at the endpoints of version 1, a scope that ends in `/.default` or in a permission
at those of version 2.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING, Any

from localzure.services.entra.errors import EntraError
from localzure.services.entra.model import is_guid
from localzure.services.interface import SECOND

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localzure.services.entra.model import EntraSettings, Subject
    from localzure.services.entra.signing import KeyRing
    from localzure.services.interface import Entropy, Instant

AUTHORITY = "https://login.microsoftonline.com"
ISSUER_V1 = "https://sts.windows.net"

DEFAULT_RESOURCE = "https://storage.azure.com"

REFRESH_AUDIENCE = "urn:localzure:refresh-token"
"""What refresh tokens are for: nothing but the authority itself."""

OPENID_SCOPES = frozenset({"openid", "profile", "offline_access", "email"})
"""Scopes that name no resource."""

_AZURE = (".azure.com", ".azure.net", ".windows.net", ".microsoft.com", ".chinacloudapi.cn", ".usgovcloudapi.net")
_AZURE_IDS = frozenset({"e406a681-f3d4-42a8-90b6-c2b029497af1", "80a10ef9-8168-493d-abf9-3297c4ef6e3c"})
"""Ids under which Storage and Service Bus are resources too."""

RESOURCE_CHARS_MAX = 512


class Issuer:
    """Makes tokens."""

    def __init__(self, ring: KeyRing, entropy: Entropy, settings: EntraSettings) -> None:
        self._ring = ring
        self._entropy = entropy
        self._settings = settings

    def access_token(
        self,
        subject: Subject,
        audience: str,
        now: Instant,
        *,
        permissions: str = "user_impersonation",
        seconds: int | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> str:
        """Return a token for `audience`, signed. `seconds` and `extra` change its lifetime and claims."""
        issued = now // SECOND
        lifetime = self._settings.token_seconds if seconds is None else seconds
        claims = _claims(subject, audience)
        claims |= {
            "iat": issued,
            "nbf": min(issued, issued + lifetime),
            "exp": issued + lifetime,
            "aio": urlsafe_b64encode(self._entropy.bytes(24)).decode("ascii"),
            "uti": urlsafe_b64encode(self._entropy.bytes(16)).decode("ascii").rstrip("="),
        }
        if subject.is_user:
            claims |= {"scp": permissions, "name": "Local User", "amr": ["pwd"]}
            claims["upn" if claims["ver"] == "1.0" else "preferred_username"] = "user@localzure.local"
        claims |= self._settings.claims
        claims |= extra or {}
        return self._sign(claims)

    def refresh_token(self, subject: Subject, scope: str, now: Instant) -> str:
        """Return a token that `refreshed` takes; `scope` is what may be asked for with it."""
        issued = now // SECOND
        return self._sign(
            {
                "aud": REFRESH_AUDIENCE,
                "tid": subject.tenant,
                "client": subject.client,
                "user": subject.is_user,
                "oid": subject.user,
                "scope": scope,
                "exp": issued + self._settings.refresh_seconds,
                "uti": self._entropy.uuid().hex,
            }
        )

    def id_token(self, subject: Subject, now: Instant, nonce: str = "") -> str:
        """Return the id token of a user (OpenID Connect Core 1.0, section 2)."""
        issued = now // SECOND
        claims = {
            "aud": subject.client,
            "iss": f"{AUTHORITY}/{subject.tenant}/v2.0",
            "iat": issued,
            "nbf": issued,
            "exp": issued + self._settings.token_seconds,
            "name": "Local User",
            "oid": subject.oid,
            "preferred_username": "user@localzure.local",
            "sub": subject.oid,
            "tid": subject.tenant,
            "ver": "2.0",
        }
        return self._sign(claims | ({"nonce": nonce} if nonce else {}))

    def refreshed(self, token: str, now: Instant) -> Mapping[str, Any]:
        """Return what a refresh token says. Raises EntraError where it does not hold."""
        claims = self._read(token)
        if claims is None or claims.get("aud") != REFRESH_AUDIENCE:
            raise EntraError("refresh_invalid")
        if claims["exp"] * SECOND <= now:
            raise EntraError("refresh_expired")
        return claims

    def asserted(self, token: str, client: str, now: Instant) -> Mapping[str, Any]:
        """Return what the token of a user says, that `client` was shown and shows here. Raises EntraError."""
        claims = self._read(token)
        if claims is None or claims.get("aud") == REFRESH_AUDIENCE:
            raise EntraError("obo_assertion_invalid")
        if not isinstance(claims.get("exp"), int) or claims["exp"] * SECOND <= now:
            raise EntraError("obo_assertion_expired")
        audience = str(claims.get("aud"))
        named = audience.removeprefix("api://").partition("/")[0]
        if is_azure(audience) or (is_guid(named) and named != client):
            raise EntraError("obo_assertion_audience")
        if "scp" not in claims:
            raise EntraError("obo_not_a_user")
        return claims

    def _read(self, token: str) -> dict[str, Any] | None:
        """Return what a token says that was signed here; None for any other."""
        import jwt  # late: importing it takes longer than all else that a start does

        try:
            key = self._ring.public_key(str(jwt.get_unverified_header(token).get("kid")))
            if key is None:
                return None
            claims: dict[str, Any] = json.loads(jwt.api_jws.decode(token, key, algorithms=["RS256"]))
        except (jwt.exceptions.PyJWTError, ValueError):
            return None
        return claims

    def _sign(self, claims: Mapping[str, Any]) -> str:
        import jwt  # late: see above

        key_id, key = self._ring.signing_key()
        payload = json.dumps(claims, separators=(",", ":")).encode()
        return jwt.api_jws.encode(payload, key, "RS256", headers={"kid": key_id, "x5t": key_id, "typ": "JWT"})


def resource_of(scope: str) -> tuple[str, str]:
    """Return (resource, permissions) of a scope such as `https://storage.azure.com/.default`. Raises EntraError."""
    named = [word for word in scope.split() if word not in OPENID_SCOPES]
    if not named:
        return DEFAULT_RESOURCE, "user_impersonation"
    resources = []
    permissions = []
    for word in named:
        resource, slash, permission = word.rpartition("/")
        if not slash:
            resource, permission = word, ".default"
        resources.append(resource)
        permissions.append("user_impersonation" if permission == ".default" else permission)
    if len(set(resources)) > 1 or not resources[0] or len(resources[0]) > RESOURCE_CHARS_MAX:
        raise EntraError("scope_invalid")
    return resources[0], " ".join(permissions)


def is_azure(audience: str) -> bool:
    """Whether a resource is one of Azure's own services, whose tokens are of version 1."""
    host = audience.partition("://")[2].partition("/")[0].partition(":")[0]
    return audience in _AZURE_IDS or host.endswith(_AZURE)


def _claims(subject: Subject, audience: str) -> dict[str, Any]:
    """Return the claims that say who the token is of and for whom."""
    claims: dict[str, Any] = {"aud": audience, "oid": subject.oid, "sub": subject.oid, "tid": subject.tenant}
    if not subject.is_user:
        claims["idtyp"] = "app"
    if is_azure(audience):
        issuer = f"{ISSUER_V1}/{subject.tenant}/"
        return claims | {
            "iss": issuer,
            "idp": issuer,
            "appid": subject.client,
            "appidacr": subject.proof,
            "ver": "1.0",
        }
    version_2 = {"azp": subject.client, "azpacr": subject.proof, "ver": "2.0"}
    return claims | version_2 | {"iss": f"{AUTHORITY}/{subject.tenant}/v2.0"}
