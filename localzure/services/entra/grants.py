"""The token endpoint: what a client shows, and the tokens that it gets for it.

`GRANTS` is the table of grant types (RFC 6749, section 4; RFC 7523; RFC 8628); its missing rows are the error.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from localzure.services.entra import assertions
from localzure.services.entra.errors import EntraError
from localzure.services.entra.issuing import resource_of
from localzure.services.entra.model import DEFAULT_TENANT, Subject
from localzure.services.interface import SECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from localzure.services.entra.authorizing import Codes
    from localzure.services.entra.devices import Devices
    from localzure.services.entra.issuing import Issuer
    from localzure.services.entra.model import EntraSettings
    from localzure.services.interface import Instant

JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"


@dataclass(slots=True)
class Parts:
    """What the grants are answered with."""

    settings: EntraSettings
    issuer: Issuer
    devices: Devices
    codes: Codes


@dataclass(slots=True)
class TokenRequest:
    """A request for tokens."""

    tenant: str
    """A GUID."""
    form: Mapping[str, str]
    is_v2: bool
    now: Instant

    def need(self, name: str) -> str:
        """Return a parameter. Raises EntraError where it is missing."""
        value = self.form.get(name)
        if not value:
            raise EntraError("missing_parameter", name)
        return value


def grant(parts: Parts, request: TokenRequest) -> dict[str, Any]:
    """Return the reply to a request for tokens. Raises EntraError, StorageError."""
    name = request.need("grant_type")
    answer = GRANTS.get(name)
    if answer is None:
        raise EntraError("unsupported_grant", name[:64])
    return answer(parts, request)


def _client_credentials(parts: Parts, request: TokenRequest) -> dict[str, Any]:
    client = request.need("client_id")
    subject = Subject(request.tenant, client, proof=_proof(parts, request, client))
    resource, permissions = _resource(request)
    return _reply(parts, request, subject, resource, permissions)


def _authorization_code(parts: Parts, request: TokenRequest) -> dict[str, Any]:
    client = request.need("client_id")
    is_public = not {"client_assertion", "client_secret"} & request.form.keys()
    proof = "0" if is_public else _proof(parts, request, client)
    record = parts.codes.use(request.form, request.need("code"), client, request.now)
    if record.tenant != request.tenant:
        raise EntraError("code_invalid")
    subject = Subject(record.tenant, client, is_user=True, proof=proof)
    resource, permissions = resource_of(record.scope)
    return _with_refresh(parts, request, subject, resource, permissions, record.nonce)


def _on_behalf_of(parts: Parts, request: TokenRequest) -> dict[str, Any]:
    """A service gets a token for another service, in the name of the user whose token it was shown.

    "Microsoft identity platform and OAuth 2.0 On-Behalf-Of flow".
    """
    client = request.need("client_id")
    if request.need("requested_token_use") != "on_behalf_of":
        raise EntraError("unsupported_grant", JWT_GRANT)
    proof = _proof(parts, request, client)
    said = parts.issuer.asserted(request.need("assertion"), client, request.now)
    if said["tid"] != request.tenant and request.tenant != DEFAULT_TENANT:
        raise EntraError("obo_assertion_invalid")
    subject = Subject(str(said["tid"]), client, is_user=True, proof=proof, user=str(said["oid"]))
    resource, permissions = _resource(request)
    return _with_refresh(parts, request, subject, resource, permissions)


def _proof(parts: Parts, request: TokenRequest, client: str) -> Literal["1", "2"]:
    """How a client that is not public proves itself (see `Subject.proof`). Raises EntraError where it does not."""
    form = request.form
    if "client_assertion" not in form:
        _check_secret(parts.settings, client, form.get("client_secret", ""))
        return "1"
    if form.get("client_assertion_type") != assertions.ASSERTION_TYPE:
        raise EntraError("missing_parameter", "client_assertion_type")
    assertions.check(form["client_assertion"], client, request.now)
    return "2"


def _check_secret(settings: EntraSettings, client: str, secret: str) -> None:
    """A client that is not configured has any secret but none."""
    if not secret:
        raise EntraError("missing_credential")
    known = settings.secrets.get(client)
    if known is not None and not any(hmac.compare_digest(one.encode(), secret.encode()) for one in known):
        raise EntraError("bad_secret")


def _refresh_token(parts: Parts, request: TokenRequest) -> dict[str, Any]:
    client = request.need("client_id")
    said = parts.issuer.refreshed(request.need("refresh_token"), request.now)
    if said["client"] != client or said["tid"] != request.tenant:
        raise EntraError("refresh_invalid")
    secret = request.form.get("client_secret")
    if secret is not None:
        _check_secret(parts.settings, client, secret)
    subject = Subject(request.tenant, client, is_user=bool(said["user"]), proof="0" if secret is None else "1")
    if said.get("oid"):
        subject = replace(subject, user=str(said["oid"]))
    is_named = "scope" in request.form or "resource" in request.form
    resource, permissions = _resource(request) if is_named else resource_of(str(said["scope"]))
    return _with_refresh(parts, request, subject, resource, permissions)


def _device_code(parts: Parts, request: TokenRequest) -> dict[str, Any]:
    client = request.need("client_id")
    code = request.form.get("device_code") or request.need("code")
    record = parts.devices.use(code, client, request.now)
    subject = Subject(record.tenant, client, is_user=True, proof="0")
    resource, permissions = resource_of(record.scope)
    return _with_refresh(parts, request, subject, resource, permissions)


def _resource(request: TokenRequest) -> tuple[str, str]:
    if request.is_v2:
        return resource_of(request.need("scope"))
    return request.need("resource"), "user_impersonation"


def _with_refresh(
    parts: Parts, request: TokenRequest, subject: Subject, resource: str, permissions: str, nonce: str = ""
) -> dict[str, Any]:
    """The reply of the grants that stand for a user."""
    reply = _reply(parts, request, subject, resource, permissions)
    reply["scope"] = " ".join(f"{resource}/{permission}" for permission in permissions.split())
    reply["refresh_token"] = parts.issuer.refresh_token(subject, f"{resource}/.default", request.now)
    reply["id_token"] = parts.issuer.id_token(subject, request.now, nonce)
    return reply


def _reply(parts: Parts, request: TokenRequest, subject: Subject, resource: str, permissions: str) -> dict[str, Any]:
    seconds = parts.settings.token_seconds
    token = parts.issuer.access_token(subject, resource, request.now, permissions=permissions)
    if request.is_v2:
        return {"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": token}
    issued = request.now // SECOND
    return {
        "token_type": "Bearer",
        "expires_in": str(seconds),
        "ext_expires_in": str(seconds),
        "expires_on": str(issued + seconds),
        "not_before": str(issued),
        "resource": resource,
        "access_token": token,
    }


GRANTS: Mapping[str, Callable[[Parts, TokenRequest], dict[str, Any]]] = {
    "client_credentials": _client_credentials,
    "refresh_token": _refresh_token,
    "authorization_code": _authorization_code,
    JWT_GRANT: _on_behalf_of,
    DEVICE_GRANT: _device_code,
    "device_code": _device_code,
}
"""Grant type → what answers it. `device_code` is how the endpoint of version 1 calls it."""
