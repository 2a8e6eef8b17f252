"""The one door: from a request's credentials to its principal.

`SCHEMES` is the table of authorisation schemes. Its missing rows are the errors: a scheme that Azure has and this
version has not is refused with 501 at `verify`, never taken for good; one that nobody has is malformed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure.auth import shared_key, table_shared_key
from localzure.auth.principal import AuthenticationError, Principal, PrincipalKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from localzure.auth.accounts import Accounts
    from localzure.auth.principal import AuthLevel
    from localzure.services.interface import Address, HttpRequest, Instant

    Scheme = Callable[[HttpRequest, str, Address, Accounts, Instant], Principal]

SCHEMES: dict[str, Scheme | None] = {
    "sharedkey": shared_key.verify,
    "sharedkeylite": None,
    "bearer": None,
}
"""Scheme in lower case → what checks it, given (request, parameters, address, accounts, wall time)."""

TABLE_SCHEMES: dict[str, Scheme | None] = {
    **SCHEMES,
    "sharedkey": table_shared_key.verify,
    "sharedkeylite": table_shared_key.verify_lite,
}
"""The schemes of the Table service: what its keys sign has forms of its own."""

VERSION_THAT_CHALLENGES = "2019-12-12"
"""From this `x-ms-version` on, requests without credentials are answered 401 with a challenge, before it 404."""

CHALLENGE = (
    "Bearer authorization_uri=https://login.microsoftonline.com/00000000-0000-0000-0000-000000000000/oauth2/authorize "
    "resource_id=https://storage.azure.com"
)


def authenticate(
    request: HttpRequest,
    address: Address,
    accounts: Accounts,
    level: AuthLevel,
    now: Instant,
    schemes: Mapping[str, Scheme | None] = SCHEMES,
) -> Principal:
    """Return who sent `request`, as far as `level` asks; `now` is the wall time. Raises AuthenticationError."""
    if level == "off":
        return Principal(PrincipalKind.OWNER, address.account)
    header = request.headers.get("authorization")
    if header is not None:
        return _by_header(request, header, address, accounts, level, now, schemes)
    if "sig=" in request.raw_query and _has_signature(request.raw_query):
        if level == "verify":
            raise AuthenticationError("NotImplemented", detail="Shared access signatures are not implemented.")
        return Principal(PrincipalKind.OWNER, address.account)
    if address.account not in accounts:
        raise AuthenticationError("ResourceNotFound", detail=_unknown_account(address.account))
    return Principal(PrincipalKind.ANONYMOUS, address.account)


def refuse_anonymous(request: HttpRequest) -> AuthenticationError:
    """Return the error of a request without credentials for what is not public."""
    if request.headers.get("x-ms-version", "") >= VERSION_THAT_CHALLENGES:
        return AuthenticationError("NoAuthenticationInformation", headers=(("www-authenticate", CHALLENGE),))
    return AuthenticationError("ResourceNotFound")


def _by_header(
    request: HttpRequest,
    header: str,
    address: Address,
    accounts: Accounts,
    level: AuthLevel,
    now: Instant,
    schemes: Mapping[str, Scheme | None],
) -> Principal:
    scheme, _, parameters = header.strip().partition(" ")
    name = scheme.lower()
    if name not in schemes or not parameters or (name == "bearer" and " " in parameters.strip()):
        raise AuthenticationError("InvalidAuthenticationInfo")
    if address.account not in accounts:
        raise AuthenticationError("AuthenticationFailed", detail=_unknown_account(address.account))
    if level == "any":
        return Principal(PrincipalKind.OWNER, address.account)
    check = schemes[name]
    if check is None:
        raise AuthenticationError("NotImplemented", detail=f"Authentication scheme {scheme} is not implemented.")
    return check(request, parameters, address, accounts, now)


def _has_signature(raw_query: str) -> bool:
    return any(part.startswith("sig=") for part in raw_query.split("&"))


def _unknown_account(account: str) -> str:
    return f"The storage account '{account}' is not configured here."
