"""User delegation keys: what Get User Delegation Key hands out, and what checks signatures that were made with one.

A key is derived from the account's first key and from what the signature that uses it repeats (whose key it is, from
when and until when it holds, for which service and version), so nothing is stored: it is derived again when a
signature comes. Changing both keys of an account revokes its delegation keys too.
"""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, NamedTuple

from localzure.auth.accounts import SigningKey
from localzure.auth.dates import parse_iso_date
from localzure.auth.principal import AuthenticationError, PrincipalKind
from localzure.services.interface import SECOND

if TYPE_CHECKING:
    from localzure.auth.accounts import Accounts
    from localzure.auth.principal import Principal
    from localzure.auth.sas_token import SasToken
    from localzure.services.interface import Instant

LIFETIME_MAX = 7 * 24 * 3600 * SECOND
"""How long a key may hold, from when it is asked for."""


class KeyInfo(NamedTuple):
    """What a key is derived from, all as text on the wire; what is not said is empty."""

    oid: str
    tid: str
    start: str
    expiry: str
    service: str
    """`b`, `q` or `t`."""
    version: str
    delegated_tid: str = ""
    """The tenant of the user to whom alone a signature may be bound."""


def derive(account_key: SigningKey, account: str, info: KeyInfo) -> bytes:
    """Return the user delegation key, which clients get in base64."""
    return account_key.digest("\n".join(("user delegation key", account, *info)).encode())


def issue(
    accounts: Accounts,
    principal: Principal,
    service: str,
    version: str,
    start: str,
    expiry: str,
    now: Instant,
    delegated_tid: str = "",
) -> tuple[KeyInfo, str] | None:
    """Return (what the key says, the key in base64) for Get User Delegation Key; None where its times are refused.

    `start` and `expiry` are the texts of the request; an empty start is now, which the caller writes itself. `now` is
    the wall time. Raises AuthenticationError for callers who showed no token of the authority.
    """
    claims = principal.claims
    if principal.kind is PrincipalKind.OWNER and claims is None:
        raise AuthenticationError("AuthenticationFailed", detail="Only authentication scheme Bearer is supported")
    if claims is None:
        raise AuthenticationError("AuthorizationFailure")
    first, last = parse_iso_date(start), parse_iso_date(expiry)
    if first is None or last is None or last <= first or not now < last <= now + LIFETIME_MAX:
        return None
    info = KeyInfo(claims.oid, claims.tid, start, expiry, service, version, delegated_tid)
    value = derive(accounts[principal.account][0], principal.account, info)
    return info, b64encode(value).decode("ascii")


def info_of(token: SasToken) -> KeyInfo:
    """Return what the key of a signature was derived from, as the signature repeats it."""
    get = token.get
    return KeyInfo(get("skoid"), get("sktid"), get("skt"), get("ske"), get("sks"), get("skv"), get("skdutid"))


def signing_keys(accounts: Accounts, account: str, token: SasToken) -> tuple[SigningKey, ...]:
    """Return the keys with which a user delegation signature may have been made."""
    info = info_of(token)
    return tuple(SigningKey(derive(key, account, info)) for key in accounts[account])
