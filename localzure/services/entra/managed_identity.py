"""Tokens of managed identities, as virtual machines and App Service hand them out to what runs there.

IMDS: `GET /metadata/identity/oauth2/token` with the header `Metadata: true`, at 169.254.169.254 or wherever
`AZURE_POD_IDENTITY_AUTHORITY_HOST` says (https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/
how-to-use-vm-token). App Service: `GET $IDENTITY_ENDPOINT` with `X-IDENTITY-HEADER` (https://learn.microsoft.com/
azure/app-service/overview-managed-identity). An identity that is asked for by an id is a user-assigned one, and is
named in the answer; without one it is the system-assigned one. Every value of an answer is a text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid5

from localzure.services.entra.errors import EntraError
from localzure.services.entra.model import DEFAULT_TENANT, NAMES, Subject
from localzure.services.interface import SECOND

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localzure.services.entra.issuing import Issuer
    from localzure.services.interface import Instant

IMDS_PATH = "/metadata/identity/oauth2/token"
APP_SERVICE_PATH = "/msi/token"

IDENTITY_HEADER = "localzure"
"""What App Service puts into `IDENTITY_HEADER`, to keep others from asking; here it only has to be there."""

SYSTEM_CLIENT = "00000000-0000-0000-0000-00000000051d"
"""The client id of the system-assigned identity."""

_IDS = ("client_id", "object_id", "principal_id", "msi_res_id", "mi_res_id")
"""The ways to name a user-assigned identity."""


def imds_token(
    issuer: Issuer, headers: Mapping[str, str], query: Mapping[str, str], now: Instant, seconds: int
) -> dict[str, str]:
    """The answer of a virtual machine's metadata service. Raises EntraError."""
    if headers.get("metadata", "").lower() != "true":
        raise EntraError("metadata_header_missing")
    told = _token(issuer, query, now, seconds)
    return told | {"ext_expires_in": str(seconds), "expires_in": str(seconds), "not_before": str(now // SECOND)}


def app_service_token(
    issuer: Issuer, headers: Mapping[str, str], query: Mapping[str, str], now: Instant, seconds: int
) -> dict[str, str]:
    """The answer of App Service. Raises EntraError."""
    if not headers.get("x-identity-header"):
        raise EntraError("identity_header_missing")
    return _token(issuer, query, now, seconds)


def _token(issuer: Issuer, query: Mapping[str, str], now: Instant, seconds: int) -> dict[str, str]:
    resource = query.get("resource")
    if not resource:
        raise EntraError("missing_parameter", "resource")
    asked = {name: query[name] for name in _IDS if query.get(name)}
    client = asked.get("client_id") or (str(uuid5(NAMES, next(iter(asked.values())))) if asked else SYSTEM_CLIENT)
    token = issuer.access_token(Subject(DEFAULT_TENANT, client), resource.rstrip("/"), now, seconds=seconds)
    return {
        "access_token": token,
        "client_id": client,
        "expires_on": str(now // SECOND + seconds),
        "resource": resource,
        "token_type": "Bearer",
        **{name: value for name, value in asked.items() if name != "client_id"},
    }
