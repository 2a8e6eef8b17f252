"""What the roles of identities let them do in the Queue service: the actions that each operation needs.

"Authorize with Microsoft Entra ID", permissions for queue service operations. Those on the service and on queues come
from the rows of the operations table; messages have several ways to be allowed, which are listed here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure.auth.required_roles import require_role
from localzure.rbac.roles import DELEGATE, MESSAGES, QUEUE, QUEUES
from localzure.services.queue.operations import OPERATIONS

if TYPE_CHECKING:
    from localzure.auth.permissions import Alternatives
    from localzure.services.queue.call import Call
    from localzure.services.queue.operations import Operation

_BY_LETTERS = {
    "service": {"r": f"{QUEUE}read", "w": f"{QUEUE}write", "l": f"{QUEUES}read"},
    "queue": {"r": f"{QUEUES}read", "w": f"{QUEUES}write", "cw": f"{QUEUES}write", "d": f"{QUEUES}delete"},
}
"""Resource, and the permissions of its row → the action that is the same in roles."""

_PROCESS = frozenset({f"{MESSAGES}process/action"})

_BY_NAME: dict[str, Alternatives] = {
    "Service_GetUserDelegationKey": (frozenset({f"{QUEUE}{DELEGATE}"}),),
    "Queue_GetAccessPolicy": (frozenset({f"{QUEUES}getAcl/action"}),),
    "Queue_GetAccessPolicyWithHead": (frozenset({f"{QUEUES}getAcl/action"}),),
    "Queue_SetAccessPolicy": (frozenset({f"{QUEUES}setAcl/action"}),),
    "Messages_Enqueue": (frozenset({f"{MESSAGES}add/action"}), frozenset({f"{MESSAGES}write"})),
    "Messages_Dequeue": (_PROCESS, frozenset({f"{MESSAGES}delete", f"{MESSAGES}read"})),
    "Messages_Peek": (frozenset({f"{MESSAGES}read"}),),
    "Messages_Clear": (frozenset({f"{MESSAGES}delete"}),),
    "MessageId_Update": (frozenset({f"{MESSAGES}write"}),),
    "MessageId_Delete": (_PROCESS, frozenset({f"{MESSAGES}delete"})),
}
"""Operations whose row does not tell."""


def actions_of(operation: Operation) -> Alternatives:
    """Return the sets of actions of which an operation needs one."""
    found = _BY_NAME.get(operation.name)
    return found or (frozenset({_BY_LETTERS[operation.resource][operation.permission]}),)


ACTIONS = {operation.name: actions_of(operation) for operation in OPERATIONS}
"""What each operation needs, by its name."""


def check(call: Call) -> None:
    """Raise AuthenticationError where the roles of the identity that sent a call do not allow it."""
    require_role(call.parts.accounts, call.principal, ACTIONS[call.operation.name], call.queue)
