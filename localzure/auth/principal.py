"""Who a request comes from, and the errors of those who could not prove it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Literal

from localzure.services.interface import ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping

AuthLevel = Literal["off", "any", "verify"]
"""How much is asked: `off` looks at nothing and takes everybody for the owner, `any` takes every well-formed proof for
good, `verify` checks it. At `any` and `verify` a request without credentials is anonymous."""


class PrincipalKind(Enum):
    """The kinds of callers."""

    OWNER = "owner"
    """Holds an account key: may do everything."""
    ANONYMOUS = "anonymous"
    """Gave no credentials: may read what is public."""


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller of one request."""

    kind: PrincipalKind
    account: str


class AuthenticationError(ServiceError):
    """The credentials of a request do not hold. Raised with the row that Azure answers with."""

    def __init__(self, code: str, *, detail: str = "", headers: tuple[tuple[str, str], ...] = ()) -> None:
        """`detail` becomes Azure's `AuthenticationErrorDetail`; it never holds a key or a computed signature."""
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.status, self.message = AUTHENTICATION_ERRORS[code]
        self.detail = detail
        self.headers = headers


_FAILED = (
    "Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly "
    "including the signature."
)
_CHALLENGED = (
    "Server failed to authenticate the request. Please refer to the information in the www-authenticate header."
)

AUTHENTICATION_ERRORS: Mapping[str, tuple[int, str]] = {
    "AuthenticationFailed": (403, _FAILED),
    "InvalidAuthenticationInfo": (
        400,
        "Authentication information is not given in the correct format. Check the value of Authorization header.",
    ),
    "NoAuthenticationInformation": (401, _CHALLENGED),
    "NotImplemented": (501, "The requested operation is not implemented on the specified resource."),
    "ResourceNotFound": (404, "The specified resource does not exist."),
}
"""Code → (HTTP status, message)."""
