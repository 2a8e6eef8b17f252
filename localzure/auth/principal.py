"""Who a request comes from, and the errors of those who could not prove it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from localzure.services.interface import ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localzure.auth.sas_token import SasToken
    from localzure.auth.tokens import Claims


class PrincipalKind(Enum):
    """The kinds of callers."""

    OWNER = "owner"
    """Holds an account key: may do everything."""
    IDENTITY = "identity"
    """Showed a token of the authority: `claims` say who it is. May do everything as well, but at `rbac`."""
    SIGNATURE = "signature"
    """Showed a shared access signature: `sas` says what may be done (see `localzure.auth.permissions`)."""
    ANONYMOUS = "anonymous"
    """Gave no credentials: may read what is public."""


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller of one request."""

    kind: PrincipalKind
    account: str
    sas: SasToken | None = None
    """What a SIGNATURE allows; its signature has been checked."""
    claims: Claims | None = None
    """Who an IDENTITY is."""
    shown: SasToken | None = None
    """A signature that nobody checked, of an OWNER: its bounds do not hold, what it asks of replies and writes does."""

    def __str__(self) -> str:
        """The caller, for people."""
        if self.claims is not None:
            return f"identity {self.claims.oid} of tenant {self.claims.tid}"
        return f"{self.kind.value} of {self.account}"


class AuthenticationError(ServiceError):
    """The credentials of a request do not hold, or do not allow it. Raised with the row that Azure answers with."""

    def __init__(
        self,
        code: str,
        *,
        detail: str = "",
        headers: tuple[tuple[str, str], ...] = (),
        status: int | None = None,
        **holes: str,
    ) -> None:
        """`detail` becomes Azure's `AuthenticationErrorDetail`; it never holds a key or a computed signature.

        `holes` are filled into the row's message. A `status` of 401 is that of a token, whose error Azure tells in a
        challenge.
        """
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.status, self.message = AUTHENTICATION_ERRORS[code]
        if status is not None:
            self.status, self.message = status, _CHALLENGED
        if holes:
            self.message = self.message.format(**holes)
        self.detail = detail
        self.headers = headers


_FAILED = (
    "Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly "
    "including the signature."
)
_CHALLENGED = (
    "Server failed to authenticate the request. Please refer to the information in the www-authenticate header."
)
_MISMATCH = "This request is not authorized to perform this operation using this {}."

AUTHENTICATION_ERRORS: Mapping[str, tuple[int, str]] = {
    "AuthenticationFailed": (403, _FAILED),
    "AuthorizationFailure": (403, "This request is not authorized to perform this operation."),
    "AuthorizationPermissionMismatch": (403, _MISMATCH.format("permission")),
    "AuthorizationProtocolMismatch": (403, _MISMATCH.format("protocol")),
    "AuthorizationResourceTypeMismatch": (403, _MISMATCH.format("resource type")),
    "AuthorizationServiceMismatch": (403, _MISMATCH.format("service")),
    "AuthorizationSourceIPMismatch": (403, _MISMATCH.format("source IP {source_ip}")),
    "InvalidAuthenticationInfo": (
        400,
        "Authentication information is not given in the correct format. Check the value of Authorization header.",
    ),
    "InvalidHeaderValue": (400, "The value for one of the HTTP headers is not in the correct format."),
    "NoAuthenticationInformation": (401, _CHALLENGED),
    "ResourceNotFound": (404, "The specified resource does not exist."),
    "UnauthorizedBlobOverwrite": (403, "This request is not authorized to perform blob overwrites."),
}
"""Code → (HTTP status, message). Those of signatures are in "Shared access signature error codes"."""
