"""Every role with every operation: what Azure's documentation gives each role, written down by hand."""

from __future__ import annotations

import pytest

from localzure.rbac.roles import ROLES, find_role
from localzure.services.blob import roles as blob_roles
from localzure.services.blob.operations import OPERATIONS as BLOB_OPERATIONS
from localzure.services.queue import roles as queue_roles
from localzure.services.queue.operations import OPERATIONS as QUEUE_OPERATIONS
from localzure.services.servicebus.access import Right
from localzure.services.servicebus.roles import ACTIONS as SERVICE_BUS_ACTIONS
from localzure.services.table import roles as table_roles
from localzure.services.table.operations import OPERATIONS as TABLE_OPERATIONS

BLOB = {operation.name: blob_roles.actions_of(operation) for operation in BLOB_OPERATIONS}
QUEUE = {operation.name: queue_roles.actions_of(operation) for operation in QUEUE_OPERATIONS}
TABLE = {operation.name: table_roles.actions_of(operation) for operation in TABLE_OPERATIONS}
OF_PARTS = {"Service_SubmitBatch", "Container_SubmitBatch", "Table_Batch"}
"""Operations that need no role: their parts do."""

BLOB_READS = {
    "Blob_Download",
    "Blob_GetMetadata",
    "Blob_GetMetadataWithHead",
    "Blob_GetProperties",
    "Blob_Query",
    "BlockBlob_GetBlockList",
    "Container_GetMetadata",
    "Container_GetMetadataWithHead",
    "Container_GetProperties",
    "Container_GetPropertiesWithHead",
    "Container_ListBlobFlatSegment",
    "Container_ListBlobHierarchySegment",
    "PageBlob_GetPageRanges",
    "PageBlob_GetPageRangesDiff",
    "Service_GetUserDelegationKey",
    "Service_ListContainersSegment",
}
BLOB_SERVICE = {
    "Blob_GetAccountInfo",
    "Blob_GetAccountInfoWithHead",
    "Container_GetAccountInfo",
    "Container_GetAccountInfoWithHead",
    "Service_GetAccountInfo",
    "Service_GetAccountInfoWithHead",
    "Service_GetProperties",
    "Service_GetStatistics",
    "Service_SetProperties",
}
BLOB_OWNERS = {
    "Blob_DeleteImmutabilityPolicy",
    "Blob_GetTags",
    "Blob_SetImmutabilityPolicy",
    "Blob_SetLegalHold",
    "Blob_SetTags",
    "Container_FilterBlobs",
    "Container_GetAccessPolicy",
    "Container_GetAccessPolicyWithHead",
    "Container_SetAccessPolicy",
    "Service_FilterBlobs",
}
QUEUE_READS = {"Messages_Peek", "Queue_GetProperties", "Queue_GetPropertiesWithHead", "Service_ListQueuesSegment"}
QUEUE_NOT_DATA = {name for name in QUEUE if "AccessPolicy" in name} | {
    "Service_GetProperties",
    "Service_GetStatistics",
    "Service_GetUserDelegationKey",
    "Service_SetProperties",
}
TABLE_READS = {"Table_Get", "Table_Query", "Table_QueryEntities", "Table_QueryEntitiesWithPartitionAndRowKey"}
TABLE_NOT_DATA = {name for name in TABLE if "AccessPolicy" in name} | {
    "Service_GetProperties",
    "Service_GetStatistics",
    "Service_GetUserDelegationKey",
    "Service_SetProperties",
}

ALLOWED: dict[str, tuple[set[str], set[str], set[str]]] = {
    "Storage Blob Data Reader": (BLOB_READS, set(), set()),
    "Storage Blob Data Contributor": (set(BLOB) - BLOB_OWNERS - BLOB_SERVICE, set(), set()),
    "Storage Blob Data Owner": (set(BLOB) - BLOB_SERVICE, set(), set()),
    "Storage Blob Delegator": ({"Service_GetUserDelegationKey"}, set(), set()),
    "Storage Queue Delegator": (set(), {"Service_GetUserDelegationKey"}, set()),
    "Storage Table Delegator": (set(), set(), {"Service_GetUserDelegationKey"}),
    "Storage Queue Data Reader": (set(), QUEUE_READS, set()),
    "Storage Queue Data Contributor": (set(), set(QUEUE) - QUEUE_NOT_DATA, set()),
    "Storage Queue Data Message Processor": (set(), {"Messages_Dequeue", "Messages_Peek", "MessageId_Delete"}, set()),
    "Storage Queue Data Message Sender": (set(), {"Messages_Enqueue"}, set()),
    "Storage Table Data Reader": (set(), set(), TABLE_READS),
    "Storage Table Data Contributor": (set(), set(), set(TABLE) - TABLE_NOT_DATA),
    "Storage Account Contributor": (
        {
            *BLOB_SERVICE,
            "Service_GetUserDelegationKey",
            "Service_ListContainersSegment",
            *(name for name in BLOB if name.startswith("Container_") and "ListBlob" not in name),
        }
        - {"Container_FilterBlobs"},
        {name for name in QUEUE if not name.startswith("Message")},
        {name for name in TABLE if "Entit" not in name},
    ),
    "Azure Service Bus Data Owner": (set(), set(), set()),
    "Azure Service Bus Data Receiver": (set(), set(), set()),
    "Azure Service Bus Data Sender": (set(), set(), set()),
}


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_what_a_role_allows(role: object) -> None:
    found = find_role(role.name)  # type: ignore[attr-defined]  # pytest hands on what the table has
    assert found is not None
    for operations, expected in zip((BLOB, QUEUE, TABLE), ALLOWED[found.name], strict=True):
        allowed = {name for name, wanted in operations.items() if any(one <= found.actions for one in wanted)}
        assert allowed == expected - OF_PARTS


def test_rights_in_service_bus() -> None:
    rights = {
        role.name.rpartition(" ")[2]: {right for right, action in SERVICE_BUS_ACTIONS.items() if action in role.actions}
        for role in ROLES
        if role.kind == "servicebus"
    }
    assert rights == {
        "Owner": {Right.SEND, Right.LISTEN, Right.MANAGE},
        "Receiver": {Right.LISTEN},
        "Sender": {Right.SEND},
    }


def test_roles_are_found_by_name_and_id() -> None:
    for role in ROLES:
        definition = f"/providers/Microsoft.Authorization/roleDefinitions/{role.id.upper()}"
        assert find_role(role.name.lower()) is find_role(role.id) is find_role(definition) is role
    assert find_role("Storage Blob Data") is None
