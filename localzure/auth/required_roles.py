"""What the roles of an identity let it do: asked by each service once it knows the operation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure.auth.principal import AuthenticationError, PrincipalKind
from localzure.rbac.assignments import Identity

if TYPE_CHECKING:
    from localzure.auth.accounts import Accounts
    from localzure.auth.permissions import Alternatives
    from localzure.auth.principal import Principal
    from localzure.auth.tokens import Claims


def identity_of(claims: Claims) -> Identity:
    """Return who a token is of. A client's id stands for it where no user is signed in by it."""
    raw = claims.raw
    others = [raw.get("appid"), raw.get("azp")] if "scp" not in raw else []
    groups = raw.get("groups")
    others += groups if isinstance(groups, list) else []
    return Identity(claims.oid.lower(), claims.tid, tuple(each.lower() for each in others if isinstance(each, str)))


def require_role(accounts: Accounts, principal: Principal, wanted: Alternatives, part: str) -> None:
    """Raise AuthenticationError unless the caller's roles allow one of the sets of actions `wanted`.

    `part` is the container, queue or table, empty for the account. Keys need no role. A user delegation signature can
    do what the user may who asked for its key, and no more.
    """
    roles = accounts.roles
    if roles is None:
        return
    token = principal.sas
    if principal.kind is PrincipalKind.IDENTITY and principal.claims is not None:
        who = identity_of(principal.claims)
    elif token is not None and token.kind == "delegation":
        who = Identity(token.get("skoid").lower(), token.get("sktid"))
    else:
        return
    if not roles.allow(who, wanted, principal.account, part.lower()):
        raise AuthenticationError("AuthorizationPermissionMismatch")
