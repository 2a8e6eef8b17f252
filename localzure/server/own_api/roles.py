"""The calls that assign roles and take them away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from localzure.rbac.assignments import AssignmentError, read_assignment
from localzure.server.own_api.routes import InvalidCallError, OwnApiError, Route

if TYPE_CHECKING:
    from localzure.rbac.assignments import RoleAssignment, RoleAssignments
    from localzure.server.own_api.routes import OwnCall


class AssignmentBody(Struct, forbid_unknown_fields=True):
    """The body of a call that assigns a role."""

    principal: str = ""
    role: str = ""
    scope: str = "/"


class RoleCalls:
    """The calls about role assignments."""

    def __init__(self, assignments: RoleAssignments, *, is_enforced: bool) -> None:
        """`is_enforced`: the server asks for roles at all."""
        self._assignments = assignments
        self._is_enforced = is_enforced

    def routes(self) -> list[Route]:
        """The calls."""
        return [
            Route("GET", "rbac/assignments", self._list),
            Route("POST", "rbac/assignments", self._assign),
            Route("DELETE", "rbac/assignments", self._clear),
            Route("DELETE", "rbac/assignments/{id}", self._remove),
        ]

    def _list(self, _call: OwnCall) -> dict[str, object]:
        return {"enforced": self._is_enforced, "assignments": [_told(each) for each in self._assignments.all()]}

    def _assign(self, call: OwnCall) -> dict[str, object]:
        body = call.read(AssignmentBody)
        try:
            assignment = read_assignment(body.principal, body.role, body.scope)
        except AssignmentError as error:
            raise InvalidCallError(f"The field '{error.field}' is wrong: {error}.") from error
        if not self._assignments.add(assignment):
            raise OwnApiError(409, "TooManyAssignments", "There are as many role assignments as there may be.")
        return _told(assignment)

    def _clear(self, _call: OwnCall) -> None:
        self._assignments.clear()

    def _remove(self, call: OwnCall) -> None:
        if not self._assignments.remove(call.names["id"]):
            raise OwnApiError(404, "NotFound", f"No role assignment has the id {call.names['id']!r}.")


def _told(assignment: RoleAssignment) -> dict[str, object]:
    return {
        "id": assignment.id,
        "principal": assignment.principal,
        "role": assignment.role.name,
        "scope": assignment.scope,
    }
