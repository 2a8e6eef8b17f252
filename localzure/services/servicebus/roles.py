"""What the roles of identities allow in a namespace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from localzure.auth.required_roles import identity_of
from localzure.rbac.roles import MANAGE, RECEIVE, SEND
from localzure.services.servicebus.access import Right

if TYPE_CHECKING:
    from collections.abc import Callable

    from localzure.auth.tokens import Claims
    from localzure.rbac.assignments import RoleAssignments

ACTIONS = {Right.SEND: SEND, Right.LISTEN: RECEIVE, Right.MANAGE: MANAGE}
"""The action of Azure's roles that gives each right."""


@dataclass(frozen=True, slots=True)
class NamespaceRoles:
    """The roles that there are, as one namespace sees them."""

    assignments: RoleAssignments
    name: str | None
    """What the namespace is called; None for any name."""

    def of(self, claims: Claims) -> Callable[[str, Right], bool]:
        """Return what tells, whenever it is asked, whether an identity has one of some rights at a path."""
        who = identity_of(claims)

        def may(path: str, rights: Right) -> bool:
            wanted = [frozenset({ACTIONS[right]}) for right in rights]
            return self.assignments.allow(who, wanted, self.name, path)

        return may
