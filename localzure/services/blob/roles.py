"""What the roles of identities let them do in the Blob service: the actions that each operation needs, from its row.

"Authorize with Microsoft Entra ID", permissions for blob service operations. What creates a blob asks for the right to
write here: no built-in role has `blobs/add/action` alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure.auth.required_roles import require_role
from localzure.rbac.roles import BLOB, BLOBS, CONTAINERS, DELEGATE
from localzure.services.blob.access import ANY_PERMISSION
from localzure.services.blob.operations import OPERATIONS

if TYPE_CHECKING:
    from localzure.auth.permissions import Alternatives
    from localzure.services.blob.call import Call
    from localzure.services.blob.operations import Operation

_BY_LETTERS = {
    "service": {"r": f"{BLOB}read", "w": f"{BLOB}write", "l": f"{CONTAINERS}read", "f": f"{BLOBS}filter/action"},
    "container": {
        "r": f"{CONTAINERS}read",
        "w": f"{CONTAINERS}write",
        "cw": f"{CONTAINERS}write",
        "d": f"{CONTAINERS}delete",
        "l": f"{BLOBS}read",
        "f": f"{BLOBS}filter/action",
    },
    "blob": {
        "r": f"{BLOBS}read",
        "w": f"{BLOBS}write",
        "cw": f"{BLOBS}write",
        "d": f"{BLOBS}delete",
        "i": f"{BLOBS}immutableStorage/runAsSuperUser/action",
    },
}
"""Resource, and the permissions of its row → the action that is the same in roles."""

_BY_NAME: dict[str, Alternatives] = {
    "Service_GetUserDelegationKey": (frozenset({f"{BLOB}{DELEGATE}"}),),
    "Container_GetAccessPolicy": (frozenset({f"{CONTAINERS}getAcl/action"}),),
    "Container_GetAccessPolicyWithHead": (frozenset({f"{CONTAINERS}getAcl/action"}),),
    "Container_SetAccessPolicy": (frozenset({f"{CONTAINERS}setAcl/action"}),),
    "Blob_GetTags": (frozenset({f"{BLOBS}tags/read"}),),
    "Blob_SetTags": (frozenset({f"{BLOBS}tags/write"}),),
    "AppendBlob_AppendBlock": (frozenset({f"{BLOBS}write"}), frozenset({f"{BLOBS}add/action"})),
    "AppendBlob_AppendBlockFromUrl": (frozenset({f"{BLOBS}write"}), frozenset({f"{BLOBS}add/action"})),
    "AppendBlob_Seal": (frozenset({f"{BLOBS}write"}),),
}
"""Operations whose row does not tell."""

BATCHES = frozenset({"Service_SubmitBatch", "Container_SubmitBatch"})
"""What is in a batch shows who sent it and is looked at by itself."""

_TAG_HEADERS = {"x-ms-tags": f"{BLOBS}tags/write", "x-ms-if-tags": f"{BLOBS}tags/read"}
"""What headers about tags need beside what the operation does."""


def actions_of(operation: Operation) -> Alternatives:
    """Return the sets of actions of which an operation needs one; none for what needs no action."""
    if operation.name in BATCHES:
        return ()
    if operation.name in _BY_NAME:
        return _BY_NAME[operation.name]
    if operation.permission == ANY_PERMISSION:
        return (frozenset({f"{BLOB}getInfo/action"}),)
    return (frozenset({_BY_LETTERS[operation.resource][operation.permission]}),)


ACTIONS = {operation.name: actions_of(operation) for operation in OPERATIONS}
"""What each operation needs, by its name."""


def check(call: Call) -> None:
    """Raise AuthenticationError where the roles of the identity that sent a call do not allow it."""
    accounts = call.parts.accounts
    if accounts.roles is None:
        return
    wanted = ACTIONS[call.operation.name]
    if call.operation.name == "Blob_Delete":
        if call.query.get("deletetype", "").lower() == "permanent":
            wanted = (frozenset({f"{BLOBS}permanentDelete/action"}),)
        elif "versionid" in call.query:
            wanted = (frozenset({f"{BLOBS}deleteBlobVersion/action"}),)
    more = {action for name, action in _TAG_HEADERS.items() if name in call.request.headers}
    if wanted:
        require_role(accounts, call.principal, tuple(one | more for one in wanted), call.container)
