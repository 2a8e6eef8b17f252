"""From a routed call to its reply: what each operation does with its head and its body."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from localzure.services.storage_rest import account_properties
from localzure.services.storage_rest.handling import reading, writing_body
from localzure.services.storage_rest.sinks import Collecting
from localzure.services.storage_rest.user_delegation import answer_key_info
from localzure.services.table import replies, requests
from localzure.services.table.engine import entities, queries, tables

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from localzure.services.interface import BodySink, HttpReply
    from localzure.services.table.call import Call
    from localzure.services.table.model import Change, Changed

    Handler: TypeAlias = Callable[[Call], BodySink]

BODY_BYTES_MAX = 4 * 1024 * 1024
"""Longest body of a request. In JSON an entity of 1 MiB takes three at the most."""


@dataclass(frozen=True, slots=True)
class EntityChange:
    """An operation that changes one entity, by itself or in a batch."""

    read: Callable[[Call, bytes], Change]
    render: Callable[[Call, Change, Changed], HttpReply]

    def handle(self, call: Call) -> BodySink:
        """Do it by itself."""

        def finish(body: bytes) -> HttpReply:
            change = self.read(call, body)
            parts = call.parts
            with parts.transactions.writer() as writer:
                changed = entities.change(parts.engine, writer, change, parts.writing())
            return self.render(call, change, changed)

        return Collecting(call.request, BODY_BYTES_MAX, finish)


def get_user_delegation_key(call: Call) -> BodySink:
    """Get User Delegation Key: derived from the account's key, so nothing is kept of it."""

    def finish(body: bytes) -> HttpReply:
        parts = call.parts
        now = parts.clock.wall()
        key = answer_key_info(requests.document(body), call.request, call.principal, parts.accounts, "t", now)
        return replies.user_delegation_key(call, key)

    return Collecting(call.request, BODY_BYTES_MAX, finish)


insert_entity = EntityChange(requests.insert_entity, replies.entity_inserted)
update_entity = EntityChange(requests.update_entity, replies.entity_changed)
merge_entity = EntityChange(requests.merge_entity, replies.entity_changed)
delete_entity = EntityChange(requests.delete_entity, replies.entity_changed)

get_entity = reading(requests.on_entity, entities.get, replies.entity_read)
query_entities = reading(requests.query_entities, queries.page, replies.entity_listing)
create_table = writing_body(requests.create_table, tables.create, replies.table_created, bytes_max=BODY_BYTES_MAX)
get_table = reading(requests.get_table, tables.get, replies.table_read)
list_tables = reading(requests.list_tables, tables.list_page, replies.table_listing)
delete_table = writing_body(
    lambda call, _body: requests.on_table(call), tables.delete, replies.table_deleted, bytes_max=BODY_BYTES_MAX
)
get_policies = reading(requests.on_table, tables.get_policies, replies.table_policies)
set_policies = writing_body(
    requests.set_policies, tables.set_policies, replies.policies_changed, bytes_max=BODY_BYTES_MAX
)
get_service_properties = reading(requests.on_service, account_properties.get, replies.service_properties)
set_service_properties = writing_body(
    requests.set_properties, account_properties.change, replies.service_changed, bytes_max=BODY_BYTES_MAX
)
get_service_stats = reading(requests.get_stats, account_properties.get, replies.service_stats)
