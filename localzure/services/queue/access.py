"""What shared access signatures may do in the Queue service: what each operation needs, from its row in the table.

"Create an account SAS" and "Create a service SAS", permissions by operation. A signature of one queue reaches its
messages and its metadata, never the service, and it neither creates, changes nor clears the queue.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure.auth.permissions import Needs, any_of, authorise, stored_policy
from localzure.services.queue.engine import queues
from localzure.services.queue.errors import QueueError
from localzure.services.queue.operations import OPERATIONS

if TYPE_CHECKING:
    from localzure.auth.permissions import StoredPolicy
    from localzure.auth.sas_token import SasToken
    from localzure.services.queue.call import Call
    from localzure.services.queue.operations import Operation

QUEUE_PERMISSIONS = frozenset("raup")
"""The permissions that a signature of one queue can have: read, add, update, process."""

_TYPES = {"service": "s", "queue": "c", "messages": "o", "message": "o"}


def needs_of(operation: Operation) -> Needs:
    """Return what an operation needs."""
    wanted = any_of(operation.permission)
    reaches = operation.resource != "service" and QUEUE_PERMISSIONS.issuperset(operation.permission)
    return Needs(_TYPES[operation.resource], wanted, wanted if reaches else ())


NEEDS = {operation.name: needs_of(operation) for operation in OPERATIONS}
"""What each operation needs, by its name."""


def check(call: Call, token: SasToken) -> None:
    """Raise AuthenticationError where a signature does not allow a call."""
    authorise(token, NEEDS[call.operation.name], call.parts.clock.wall(), lambda name: _find_policy(call, name))


def _find_policy(call: Call, name: str) -> StoredPolicy | None:
    parts = call.parts
    try:
        with parts.transactions.reader() as reader:
            record = queues.find(parts.engine, reader, call.address.account, call.queue)
    except QueueError:
        return None
    return next((stored_policy(policy) for policy in record.policies if policy.id == name), None)
