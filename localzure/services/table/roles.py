"""What the roles of identities let them do in the Table service: the actions that each operation needs.

"Authorize with Microsoft Entra ID", permissions for table service operations. The permissions of entities come from
the rows of the operations table, each letter an action; to write entities is to do any of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure.auth.required_roles import require_role
from localzure.rbac.roles import DELEGATE, ENTITIES, TABLE, TABLES
from localzure.services.table.access import BATCH

if TYPE_CHECKING:
    from localzure.auth.permissions import Alternatives
    from localzure.services.table.call import Call
    from localzure.services.table.operations import Operation

_BY_LETTER = {"a": f"{ENTITIES}add/action", "u": f"{ENTITIES}update/action"}

_BY_NAME: dict[str, Alternatives] = {
    "Service_SetProperties": (frozenset({f"{TABLE}write"}),),
    "Service_GetProperties": (frozenset({f"{TABLE}read"}),),
    "Service_GetStatistics": (frozenset({f"{TABLE}read"}),),
    "Service_GetUserDelegationKey": (frozenset({f"{TABLE}{DELEGATE}"}),),
    "Table_Query": (frozenset({f"{TABLES}read"}),),
    "Table_Get": (frozenset({f"{TABLES}read"}),),
    "Table_Create": (frozenset({f"{TABLES}write"}),),
    "Table_Delete": (frozenset({f"{TABLES}delete"}),),
    "Table_GetAccessPolicy": (frozenset({f"{TABLES}getAcl/action"}),),
    "Table_GetAccessPolicyWithHead": (frozenset({f"{TABLES}getAcl/action"}),),
    "Table_SetAccessPolicy": (frozenset({f"{TABLES}setAcl/action"}),),
}
"""Operations on tables and the service, whose rows do not tell."""


def actions_of(operation: Operation) -> Alternatives:
    """Return the sets of actions of which an operation needs one; none for a batch, whose parts are looked at."""
    if operation.name == BATCH:
        return ()
    found = _BY_NAME.get(operation.name)
    if found is not None:
        return found
    if operation.permission == "r":
        return (frozenset({f"{ENTITIES}read"}),)
    if operation.permission == "d":
        return (frozenset({f"{ENTITIES}delete"}),)
    return frozenset({f"{ENTITIES}write"}), frozenset(_BY_LETTER[letter] for letter in operation.permission)


_ACTIONS: dict[str, Alternatives] = {}
"""What operations need, by their names, as they were first asked for: the table of them imports this module."""


def check(call: Call) -> None:
    """Raise AuthenticationError where the roles of the identity that sent a call do not allow it."""
    accounts, operation = call.parts.accounts, call.operation
    if accounts.roles is None:
        return
    wanted = _ACTIONS.get(operation.name)
    if wanted is None:
        wanted = _ACTIONS[operation.name] = actions_of(operation)
    if wanted:
        require_role(accounts, call.principal, wanted, call.target.table)
