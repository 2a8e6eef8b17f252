"""The one door: from a request's credentials to its principal.

Each service has a `Door`, the table of the authorisation schemes that it takes. Its missing rows are the errors: a
scheme that nobody has is malformed. At `off` everybody is the owner; at `any` so is whoever shows a well-formed proof;
at `verify` and `rbac` proofs are checked. What an identity may do is asked at `rbac` alone, by
`localzure.auth.required_roles`, once the service knows the operation.

A principal that came by a shared access signature may do only what that allows: the service asks
`localzure.auth.permissions.authorise` once it knows the operation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from localzure.auth import sas, shared_key, shared_key_lite, table_shared_key
from localzure.auth.principal import AuthenticationError, Principal, PrincipalKind
from localzure.auth.tokens import TokenError, is_for_storage, read_claims

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from localzure.auth.accounts import Accounts
    from localzure.auth.tokens import Claims
    from localzure.config.settings import AuthLevel
    from localzure.services.interface import Address, HttpRequest, Instant

    Scheme = Callable[[HttpRequest, str, Address, Accounts, Instant], Principal]
    """Checks a header, given (request, parameters behind the scheme, address, accounts, wall time)."""

VERSION_THAT_CHALLENGES = "2019-12-12"
"""From this `x-ms-version` on, requests without credentials are answered 401 with a challenge, before it 404."""

NO_TENANT = "00000000-0000-0000-0000-000000000000"
"""The tenant of challenges to those who named none."""

AUTHORITY = "https://login.microsoftonline.com"


@dataclass(frozen=True, slots=True)
class Door:
    """How a service lets callers in."""

    service: str
    """`b`, `q` or `t`, as signatures call it."""
    schemes: Mapping[str, Scheme]
    """Scheme in lower case → what checks it."""


def challenge(tenant: str = NO_TENANT) -> str:
    """Return the challenge of storage to callers who should show a token."""
    return f"Bearer authorization_uri={AUTHORITY}/{tenant}/oauth2/authorize resource_id=https://storage.azure.com"


def authenticate(
    request: HttpRequest, address: Address, accounts: Accounts, level: AuthLevel, now: Instant, door: Door
) -> Principal:
    """Return who sent `request`, as far as `level` asks, and note it there; `now` is the wall time.

    Raises AuthenticationError.
    """
    request.caller = principal = _principal(request, address, accounts, level, now, door)
    return principal


def _principal(
    request: HttpRequest, address: Address, accounts: Accounts, level: AuthLevel, now: Instant, door: Door
) -> Principal:
    if level == "off":
        return Principal(PrincipalKind.OWNER, address.account)
    header = request.headers.get("authorization")
    has_signature = "sig=" in request.raw_query and _has_signature(request.raw_query)
    if header is not None and not (has_signature and "sduoid=" in request.raw_query):
        return _by_header(request, header, address, accounts, level, now, door)
    if address.account not in accounts:
        code = "AuthenticationFailed" if has_signature else "ResourceNotFound"
        raise AuthenticationError(code, detail=_unknown_account(address.account))
    if has_signature:
        token = sas.read(request)
        if level == "any":
            return Principal(PrincipalKind.OWNER, address.account, shown=token)
        bearer = None if header is None else _by_header(request, header, address, accounts, level, now, door).claims
        return sas.verify(request, token, address, accounts, now, door.service, bearer)
    return Principal(PrincipalKind.ANONYMOUS, address.account)


def refuse_anonymous(request: HttpRequest) -> AuthenticationError:
    """Return the error of a request without credentials for what is not public."""
    if request.headers.get("x-ms-version", "") >= VERSION_THAT_CHALLENGES:
        return AuthenticationError("NoAuthenticationInformation", headers=(("www-authenticate", challenge()),))
    return AuthenticationError("ResourceNotFound")


def _by_header(
    request: HttpRequest,
    header: str,
    address: Address,
    accounts: Accounts,
    level: AuthLevel,
    now: Instant,
    door: Door,
) -> Principal:
    scheme, _, parameters = header.strip().partition(" ")
    check = door.schemes.get(scheme.lower())
    if check is None or not parameters or (check is _by_token and " " in parameters.strip()):
        raise AuthenticationError("InvalidAuthenticationInfo")
    if address.account not in accounts:
        raise AuthenticationError("AuthenticationFailed", detail=_unknown_account(address.account))
    if level in {"verify", "rbac"}:
        return check(request, parameters.strip(), address, accounts, now)
    if check is not _by_token:
        return Principal(PrincipalKind.OWNER, address.account)
    return _identity(address, parameters.strip(), read_claims)


def _by_token(request: HttpRequest, parameters: str, address: Address, accounts: Accounts, now: Instant) -> Principal:
    """Check a bearer token (a `Scheme`)."""
    del request

    def read(token: str) -> Claims:
        if accounts.tokens is None:
            raise TokenError("Signature validation failed. Signature key not found.")
        claims = accounts.tokens.verify(token, now)
        if not is_for_storage(claims, address.account):
            raise TokenError("Audience validation failed. Audience did not match.")
        return claims

    return _identity(address, parameters, read)


def _identity(address: Address, token: str, read: Callable[[str], Claims]) -> Principal:
    """Return who a token is of: 401 and a challenge for one that does not hold."""
    try:
        return Principal(PrincipalKind.IDENTITY, address.account, claims=read(token))
    except TokenError as error:
        raise AuthenticationError(
            "InvalidAuthenticationInfo",
            status=401,
            detail=str(error),
            headers=(("www-authenticate", challenge(_tenant_of(token))),),
        ) from None


def _tenant_of(token: str) -> str:
    """The tenant that a refused token names: credentials are often confined to one."""
    try:
        claims: Claims = read_claims(token)
    except TokenError:
        return NO_TENANT
    return claims.tid if _is_tenant(claims.tid) else NO_TENANT


def _is_tenant(text: str) -> bool:
    return 0 < len(text) <= 64 and text.isascii() and text.replace("-", "").replace(".", "").isalnum()


def _has_signature(raw_query: str) -> bool:
    return any(part.startswith("sig=") for part in raw_query.split("&"))


def _unknown_account(account: str) -> str:
    return f"The storage account '{account}' is not configured here."


_SCHEMES: dict[str, Scheme] = {
    "sharedkey": shared_key.verify,
    "sharedkeylite": shared_key_lite.verify,
    "bearer": _by_token,
}

BLOB_DOOR = Door("b", _SCHEMES)
QUEUE_DOOR = Door("q", _SCHEMES)
TABLE_DOOR = Door(
    "t",
    {"sharedkey": table_shared_key.verify, "sharedkeylite": table_shared_key.verify_lite, "bearer": _by_token},
)
"""What keys sign for the Table service has forms of its own."""
