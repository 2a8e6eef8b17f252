"""What shared access signatures may do in the Table service: what each operation needs, and which entities it reaches.

"Create an account SAS" and "Create a service SAS", permissions by operation. The rows of the operations table have the
permissions of entities; those of tables and of the service, which only signatures of the whole account reach, are here.
A signature of one table may be confined to a range of keys: changes outside are refused, and queries see nothing of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure.auth.permissions import ANYTHING, Needs, all_of, any_of, authorise, stored_policy
from localzure.auth.principal import AuthenticationError
from localzure.services.table.engine import tables
from localzure.services.table.errors import TableError
from localzure.services.table.filters.plan import Plan

if TYPE_CHECKING:
    from localzure.auth.permissions import Alternatives, StoredPolicy
    from localzure.auth.sas_token import KeyRange, SasToken
    from localzure.services.table.call import Call
    from localzure.services.table.operations import Operation

ACCOUNT_ONLY: dict[str, tuple[str, Alternatives]] = {
    "Service_SetProperties": ("s", any_of("w")),
    "Service_GetProperties": ("s", any_of("r")),
    "Service_GetStatistics": ("s", any_of("r")),
    "Table_Query": ("c", any_of("l")),
    "Table_Get": ("c", any_of("l")),
    "Table_Create": ("c", any_of("cw")),
    "Table_Delete": ("c", any_of("d")),
}
"""Operations that only a signature of the account reaches: the resource type and permissions that it must have."""

BATCH = "Table_Batch"
"""What is in a batch is looked at, each operation by itself."""


_NEEDS: dict[str, Needs] = {}
"""What operations need, by their names, as they were first asked for: the table of them imports this module."""


def needs_of(operation: Operation) -> Needs:
    """Return what an operation needs."""
    if operation.name == BATCH:
        return Needs("", ANYTHING, ANYTHING)
    only = ACCOUNT_ONLY.get(operation.name)
    if only is not None:
        return Needs(only[0], only[1], ())
    wanted = all_of(operation.permission) if operation.permission else ()
    return Needs("o" if operation.resource != "service" else "s", wanted, wanted)


def check(call: Call, token: SasToken) -> None:
    """Raise AuthenticationError where a signature does not allow a call."""
    target = call.target
    if token.kind != "account" and target.table and target.table.lower() != token.get("tn").lower():
        raise AuthenticationError("AuthenticationFailed", detail="The signature is of another table.")
    operation = call.operation
    needs = _NEEDS.get(operation.name) or _NEEDS.setdefault(operation.name, needs_of(operation))
    authorise(token, needs, call.parts.clock.wall(), lambda name: _find_policy(call, name))
    if target.resource == "entity":
        check_keys(call, target.partition_key, target.row_key)


def check_keys(call: Call, partition_key: str, row_key: str) -> None:
    """Raise AuthenticationError where an entity lies outside of the range of the caller's signature."""
    bounds = _bounds(call)
    if bounds is not None and not bounds.holds(partition_key, row_key):
        raise AuthenticationError("AuthorizationFailure")


def confine(call: Call, plan: Plan) -> Plan:
    """Return a query's plan, confined to the range of the caller's signature."""
    bounds = _bounds(call)
    if bounds is None:
        return plan
    test = plan.test
    return Plan(
        lambda partition_key, row_key, record: (
            bounds.holds(partition_key, row_key) and (test is None or test(partition_key, row_key, record))
        ),
        plan.ranges,
    )


def _bounds(call: Call) -> KeyRange | None:
    token = call.principal.sas
    return None if token is None else token.key_range


def _find_policy(call: Call, name: str) -> StoredPolicy | None:
    parts = call.parts
    token = call.principal.sas
    assert token is not None, "policies belong to signatures"
    try:
        with parts.transactions.reader() as reader:
            record = tables.find(parts.engine, reader, call.address.account, token.get("tn"))
    except TableError:
        return None
    return next((stored_policy(policy) for policy in record.policies if policy.id == name), None)
