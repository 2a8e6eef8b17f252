"""From a routed call to its reply: what each operation does with its head and its body.

A handler takes a call whose head has arrived and returns the sink for its body. Each ends the same way: one
transaction, one decision of the engine, one reply.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from localzure.services.storage_rest.sinks import Bodiless, Collecting
from localzure.services.storage_rest.user_delegation import answer_key_info
from localzure.services.table import replies, requests
from localzure.services.table.engine import entities, properties, queries, tables

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from localzure.services.interface import BodySink, HttpReply
    from localzure.services.table.call import Call
    from localzure.services.table.engine.state import Engine, Moment
    from localzure.services.table.model import Change, Changed
    from localzure_storage.store import Reader, Writer

    Handler: TypeAlias = Callable[[Call], BodySink]

BODY_BYTES_MAX = 4 * 1024 * 1024
"""Longest body of a request. In JSON an entity of 1 MiB takes three at the most."""

Command = TypeVar("Command")
Reply = TypeVar("Reply")


def reading(
    parse: Callable[[Call], Command],
    decide: Callable[[Engine, Reader, Command], Reply],
    render: Callable[[Call, Reply], HttpReply],
) -> Handler:
    """Make the handler of an operation that only reads."""

    def handle(call: Call) -> BodySink:
        command = parse(call)

        def finish() -> HttpReply:
            parts = call.parts
            with parts.transactions.reader() as reader:
                reply = decide(parts.engine, reader, command)
            return render(call, reply)

        return Bodiless(finish)

    return handle


def writing(
    parse: Callable[[Call, bytes], Command],
    decide: Callable[[Engine, Writer, Command, Moment], Reply],
    render: Callable[[Call, Reply], HttpReply],
) -> Handler:
    """Make the handler of an operation that writes what its body says."""

    def handle(call: Call) -> BodySink:
        def finish(body: bytes) -> HttpReply:
            command = parse(call, body)
            parts = call.parts
            with parts.transactions.writer() as writer:
                reply = decide(parts.engine, writer, command, parts.moment())
            return render(call, reply)

        return Collecting(call.request, BODY_BYTES_MAX, finish)

    return handle


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
                changed = entities.change(parts.engine, writer, change, parts.moment())
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
create_table = writing(requests.create_table, tables.create, replies.table_created)
get_table = reading(requests.get_table, tables.get, replies.table_read)
list_tables = reading(requests.list_tables, tables.list_page, replies.table_listing)
delete_table = writing(lambda call, _body: requests.on_table(call), tables.delete, replies.table_deleted)
get_policies = reading(requests.on_table, tables.get_policies, replies.table_policies)
set_policies = writing(requests.set_policies, tables.set_policies, replies.policies_changed)
get_service_properties = reading(requests.on_service, properties.get, replies.service_properties)
set_service_properties = writing(requests.set_properties, properties.change, replies.service_changed)
get_service_stats = reading(requests.get_stats, properties.get, replies.service_stats)
