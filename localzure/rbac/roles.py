"""Azure's built-in roles for data, and the actions that each of them allows.

The source is "Azure built-in roles" (https://learn.microsoft.com/azure/role-based-access-control/built-in-roles, the
pages on storage and integration); what an operation needs is in "Authorize with Microsoft Entra ID"
(https://learn.microsoft.com/rest/api/storageservices/authorize-with-azure-active-directory). Wildcards of Azure's
definitions are written out as far as an operation here asks for what they cover. A role of storage lists the
management actions (`containers/read`) beside the data actions (`blobs/read`): the services ask for both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

BLOB = "Microsoft.Storage/storageAccounts/blobServices/"
QUEUE = "Microsoft.Storage/storageAccounts/queueServices/"
TABLE = "Microsoft.Storage/storageAccounts/tableServices/"
"""What the actions of each storage service begin with."""

CONTAINERS, BLOBS = f"{BLOB}containers/", f"{BLOB}containers/blobs/"
QUEUES, MESSAGES = f"{QUEUE}queues/", f"{QUEUE}queues/messages/"
TABLES, ENTITIES = f"{TABLE}tables/", f"{TABLE}tables/entities/"

DELEGATE = "generateUserDelegationKey/action"
"""Behind `BLOB`, `QUEUE` or `TABLE`: to ask for a user delegation key."""

SEND = "Microsoft.ServiceBus/*/send/action"
RECEIVE = "Microsoft.ServiceBus/*/receive/action"
MANAGE = "Microsoft.ServiceBus/*"

_OF_A_PARENT = ("read", "write", "delete", "getAcl/action", "setAcl/action")
_OF_A_SERVICE = ("read", "write", "getInfo/action", DELEGATE)


@dataclass(frozen=True, slots=True)
class Role:
    """A built-in role."""

    name: str
    id: str
    """The GUID of its definition."""
    kind: Literal["storage", "servicebus"]
    actions: frozenset[str]


def _below(prefix: str, *actions: str) -> frozenset[str]:
    return frozenset(prefix + action for action in actions)


_DELEGATE_BLOBS = _below(BLOB, DELEGATE)

_STORAGE: tuple[tuple[str, str, frozenset[str]], ...] = (
    (
        "Storage Blob Data Reader",
        "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1",
        _DELEGATE_BLOBS | _below(CONTAINERS, "read") | _below(BLOBS, "read"),
    ),
    (
        "Storage Blob Data Contributor",
        "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
        _DELEGATE_BLOBS
        | _below(CONTAINERS, "read", "write", "delete")
        | _below(BLOBS, "read", "write", "delete", "move/action", "add/action"),
    ),
    (
        "Storage Blob Data Owner",
        "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
        _DELEGATE_BLOBS
        | _below(CONTAINERS, *_OF_A_PARENT)
        | _below(BLOBS, "read", "write", "delete", "move/action", "add/action", "filter/action")
        | _below(BLOBS, "deleteBlobVersion/action", "permanentDelete/action", "tags/read", "tags/write")
        | _below(BLOBS, "immutableStorage/runAsSuperUser/action"),
    ),
    ("Storage Blob Delegator", "db58b8e5-c6ad-4a2a-8342-4190687cbf4a", _DELEGATE_BLOBS),
    (
        "Storage Queue Delegator",
        "7ee386e9-84f0-448e-80a6-f185f6533131",
        _below(QUEUE, DELEGATE),
    ),
    (
        "Storage Table Delegator",
        "965033a5-c8eb-4f35-b82f-fef460a3606d",
        _below(TABLE, DELEGATE),
    ),
    (
        "Storage Queue Data Reader",
        "19e7f393-937e-4f77-808e-94535e297925",
        _below(QUEUES, "read") | _below(MESSAGES, "read"),
    ),
    (
        "Storage Queue Data Contributor",
        "974c5e8b-45b9-4653-ba55-5f855dd0fb88",
        _below(QUEUES, "read", "write", "delete") | _below(MESSAGES, "read", "write", "delete", "process/action"),
    ),
    (
        "Storage Queue Data Message Processor",
        "8a0f0c08-91a1-4084-bc3d-661d67233fed",
        _below(MESSAGES, "read", "process/action"),
    ),
    ("Storage Queue Data Message Sender", "c6a89b2d-59bc-44d0-9896-0f6e12d7b80a", _below(MESSAGES, "add/action")),
    (
        "Storage Table Data Reader",
        "76199698-9eea-4c19-bc75-cec21354c6b6",
        _below(TABLES, "read") | _below(ENTITIES, "read"),
    ),
    (
        "Storage Table Data Contributor",
        "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3",
        _below(TABLES, "read", "write", "delete")
        | _below(ENTITIES, "read", "write", "delete", "add/action", "update/action"),
    ),
    (
        "Storage Account Contributor",
        "17d1049b-9a84-46fb-8f53-869881c3d3ab",
        _below(BLOB, *_OF_A_SERVICE)
        | _below(QUEUE, *_OF_A_SERVICE)
        | _below(TABLE, *_OF_A_SERVICE)
        | _below(CONTAINERS, *_OF_A_PARENT)
        | _below(QUEUES, *_OF_A_PARENT)
        | _below(TABLES, *_OF_A_PARENT),
    ),
)

_SERVICE_BUS: tuple[tuple[str, str, frozenset[str]], ...] = (
    ("Azure Service Bus Data Owner", "090c5cfd-751d-490a-894a-3ce6f1109419", frozenset({SEND, RECEIVE, MANAGE})),
    ("Azure Service Bus Data Receiver", "4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0", frozenset({RECEIVE})),
    ("Azure Service Bus Data Sender", "69a216fc-b8fb-44d8-bc22-1f3c2cd27a39", frozenset({SEND})),
)

ROLES: tuple[Role, ...] = (
    *(Role(name, role_id, "storage", actions) for name, role_id, actions in _STORAGE),
    *(Role(name, role_id, "servicebus", actions) for name, role_id, actions in _SERVICE_BUS),
)
"""Every role that can be assigned."""

_KNOWN = {key.lower(): role for role in ROLES for key in (role.name, role.id)}


def find_role(name: str) -> Role | None:
    """Return the role of a name, or of the id of its definition, in any case."""
    return _KNOWN.get(name.strip().lower().rpartition("/")[2])
