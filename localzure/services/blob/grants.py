"""Who may do what with a container or blob: leases, and the access policy of a container, on the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localzure.services.blob import replies, requests
from localzure.services.blob.engine import blobs, containers
from localzure.services.blob.handling import writing_document
from localzure.services.blob.model import LeaseAction, LeaseBlob, LeaseContainer, SetContainerAccess
from localzure.services.interface import HttpReply
from localzure.services.storage_rest.access_policies import policies_document, read_policies
from localzure.services.storage_rest.handling import reading, writing

if TYPE_CHECKING:
    from localzure.services.blob.call import Call
    from localzure.services.blob.engine.leases import Leased
    from localzure.services.blob.model import BlobRecord, ContainerRecord
    from localzure.services.storage_rest.xml_reader import Element

POLICY_PERMISSIONS = "racwdxyltmeopfi"
"""The letters that a stored access policy of a container may grant."""

_STATUSES = {LeaseAction.ACQUIRE: 201, LeaseAction.BREAK: 202}


def _lease_blob(call: Call) -> LeaseBlob:
    target = requests.on_base_blob(call)
    target.lease_id = None  # it names the lease that is acted on, which is no condition
    return LeaseBlob(target, requests.lease_command(call))


def _lease_container(call: Call) -> LeaseContainer:
    target = requests.on_container(call)
    target.lease_id = None
    return LeaseContainer(target, requests.lease_command(call))


def _render_lease(call: Call, leased: tuple[BlobRecord, Leased] | tuple[ContainerRecord, Leased]) -> HttpReply:
    record, outcome = leased
    action = requests.lease_action(call)
    headers = replies.tagged(call, record)
    if action is LeaseAction.BREAK:
        headers.append(("x-ms-lease-time", str(outcome.seconds_left)))
    elif outcome.lease is not None:
        headers.append(("x-ms-lease-id", outcome.lease.id))
    return HttpReply(_STATUSES.get(action, 200), headers)


def _set_access(call: Call, document: Element | None) -> SetContainerAccess:
    policies = read_policies(document, POLICY_PERMISSIONS)
    return SetContainerAccess(requests.on_container(call), requests.public_access(call), policies)


def _render_access(call: Call, record: ContainerRecord) -> HttpReply:
    headers = replies.tagged(call, record)
    if record.public_access is not None:
        headers.append(("x-ms-blob-public-access", record.public_access))
    headers.append(("content-type", "application/xml"))
    body = policies_document(record.policies)
    if call.request.method == "HEAD":
        headers.append(("content-length", str(len(body))))
        body = b""
    return HttpReply(200, headers, body)


lease_blob = writing(_lease_blob, blobs.lease, _render_lease)
lease_container = writing(_lease_container, containers.lease, _render_lease)
get_access = reading(requests.on_container, containers.get, _render_access)
set_access = writing_document(_set_access, containers.set_access, replies.container_changed)
