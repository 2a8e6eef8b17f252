"""How role assignments are read from a configuration file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from localzure.config.values import RefusedError, expected

if TYPE_CHECKING:
    from pathlib import Path

    from localzure.rbac.assignments import RoleAssignment

_WHAT = "a list of mappings, each with principal, role and, if it is not for everything, scope"


def role_assignments(raw: object, _base: Path) -> tuple[RoleAssignment, ...]:
    """A list of mappings with `principal`, `role` and `scope`."""
    from localzure.rbac.assignments import AssignmentError, read_assignment  # late: most starts have none

    if not isinstance(raw, list):
        raise expected(_WHAT, raw)
    found = []
    for number, given in enumerate(raw):
        if not isinstance(given, Mapping) or not {"principal", "role"} <= set(given) <= {"principal", "role", "scope"}:
            raise expected(_WHAT, given, at=str(number))
        try:
            found.append(read_assignment(**given))
        except AssignmentError as error:
            raise RefusedError(str(error), at=f"{number}.{error.field}") from None
    return tuple(found)
