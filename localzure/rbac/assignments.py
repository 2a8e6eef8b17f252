"""Role assignments: which identity has which role where, and what it may do by them.

A scope is `/` for everything, `/account` or `/account/container` (or queue, or table) for storage, and `/namespace`,
`/namespace/queue` or `/namespace/topic/subscriptions/name` for Service Bus; Azure's resource ids mean the same. What
an identity may do in a place are the actions of all its roles whose scope the place lies in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID, uuid5

from localzure.rbac.roles import ROLES, find_role

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from localzure.rbac.roles import Role

KNOWN_MAX = 1024
"""Identities whose assignments are remembered; with one more all are forgotten, and looked up again."""

ASSIGNMENTS_MAX = 4000
"""Most assignments (Azure's limit for a subscription)."""

_NAMES = UUID("6c6f6361-6c7a-5572-a572-6f6c65732121")
"""The namespace of the ids of assignments."""

_PRINCIPAL = re.compile(r"[^\s/]{1,256}")
_GROUP = re.compile(r"/subscriptions/[^/]+(?:/resourcegroups/[^/]+)?", re.IGNORECASE)
_PROVIDED = re.compile(
    r"/subscriptions/[^/]+/resourcegroups/[^/]+/providers/microsoft\."
    r"(?:storage/storageaccounts/(?P<account>[^/]+)(?:/(?:blob|queue|table)services/default"
    r"/(?:containers|queues|tables)/(?P<part>[^/]+))?"
    r"|servicebus/namespaces/(?P<namespace>[^/]+)(?:/(?:queues|topics)/(?P<entity>.+))?)",
    re.IGNORECASE,
)


class AssignmentError(ValueError):
    """What is no role assignment; `field` is its part that is wrong, and the text says what it takes."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field


@dataclass(frozen=True, slots=True)
class RoleAssignment:
    """One assignment; made by `read_assignment`."""

    principal: str
    """An object id, a client id or the id of a group, in lower case."""
    role: Role
    scope: str
    """As it was given."""
    place: tuple[str, str]
    """The account or namespace, and what of it, in lower case; empty for any and all."""

    @property
    def id(self) -> str:
        """Its id, the same for the same assignment."""
        return str(uuid5(_NAMES, f"{self.principal}|{self.role.id}|{'/'.join(self.place)}"))

    def covers(self, account: str | None, part: str) -> bool:
        """Whether it holds in `part` of an account or namespace (None: one that is called by any name)."""
        first, rest = self.place
        if first and account is not None and first != account:
            return False
        return not rest or part == rest or part.startswith(f"{rest}/")


def read_assignment(principal: object, role: object, scope: object = "/") -> RoleAssignment:
    """Read an assignment. Raises AssignmentError."""
    if not isinstance(principal, str) or _PRINCIPAL.fullmatch(principal) is None:
        raise AssignmentError("principal", "expected an object id, a client id or a group's id")
    found = find_role(role) if isinstance(role, str) else None
    if found is None:
        raise AssignmentError("role", f"expected one of {', '.join(each.name for each in ROLES)}")
    if not isinstance(scope, str) or not scope.startswith("/") or len(scope) > 1024:
        raise AssignmentError("scope", "expected a scope such as /, /account or /account/container")
    place = _place(scope.rstrip("/"))
    if found.kind == "storage" and "/" in place[1]:
        raise AssignmentError("scope", "expected an account, or one container, queue or table of it")
    return RoleAssignment(principal.lower(), found, scope, place)


def _place(scope: str) -> tuple[str, str]:
    if _GROUP.fullmatch(scope):
        return "", ""
    match = _PROVIDED.fullmatch(scope)
    if match is not None:
        first, rest = match["account"] or match["namespace"], match["part"] or match["entity"] or ""
    elif scope.lower().startswith("/subscriptions/"):
        raise AssignmentError("scope", "expected the resource id of a storage account, a namespace or a part of one")
    else:
        first, _, rest = scope[1:].partition("/")
    if "" in rest.split("/")[1:] or (rest and not first):
        raise AssignmentError("scope", "expected a scope without empty segments")
    return first.lower(), rest.lower()


class Identity(NamedTuple):
    """Whose roles are asked for."""

    oid: str
    tid: str
    others: tuple[str, ...] = ()
    """Further ids by which roles may have been assigned: the client's own, and those of groups."""


class RoleAssignments:
    """All assignments: those of the configuration, and those that were made since."""

    def __init__(self, configured: Iterable[RoleAssignment], object_id: Callable[[str, str], str]) -> None:
        """`object_id` gives the object id that a client, by its id, has in a tenant: (tenant, client)."""
        self._object_id = object_id
        self._configured: dict[str, RoleAssignment] = {}
        self._made: dict[str, RoleAssignment] = {}
        self._known: dict[Identity, tuple[RoleAssignment, ...]] = {}
        self.configure(configured)

    def configure(self, configured: Iterable[RoleAssignment]) -> None:
        """Let these be those of the configuration."""
        self._configured = {each.id: each for each in configured}
        self._known.clear()

    def all(self) -> list[RoleAssignment]:
        """Every assignment."""
        return list((self._configured | self._made).values())

    def add(self, assignment: RoleAssignment) -> bool:
        """Make an assignment, from the next request on; False where there are too many."""
        if assignment.id not in self._made and len(self._made) >= ASSIGNMENTS_MAX:
            return False
        self._made[assignment.id] = assignment
        self._known.clear()
        return True

    def remove(self, assignment_id: str) -> bool:
        """Take an assignment away, also one of the configuration; False where there is none of that id."""
        found = [each.pop(assignment_id, None) for each in (self._configured, self._made)]
        self._known.clear()
        return any(found)

    def clear(self) -> None:
        """Take away those that were not configured."""
        self._made.clear()
        self._known.clear()

    def allow(self, who: Identity, wanted: Iterable[frozenset[str]], account: str | None, part: str) -> bool:
        """Whether `who` may do one of the sets of actions `wanted` there; `part` in lower case."""
        held: set[str] = set()
        for assignment in self._of(who):
            if assignment.covers(account, part):
                held |= assignment.role.actions
        return any(one <= held for one in wanted)

    def _of(self, who: Identity) -> tuple[RoleAssignment, ...]:
        found = self._known.get(who)
        if found is None:
            if len(self._known) >= KNOWN_MAX:
                self._known.clear()
            ids = {who.oid, *who.others}
            found = self._known[who] = tuple(
                each
                for each in self.all()
                if each.principal in ids or self._object_id(who.tid, each.principal) == who.oid
            )
        return found
