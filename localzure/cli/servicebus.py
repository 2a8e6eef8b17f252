"""`localzure servicebus`: look into the Service Bus namespace of a running server, and clear up in it."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from localzure.cli.confirming import confirm, yes_option
from localzure.cli.endpoint import talks_to_server
from localzure.cli.group import CommandGroup
from localzure.cli.tables import table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from localzure.client import OwnApiClient

PAGE = 250
"""Entities or messages asked for at a time."""

BODY_CHARS_SHOWN = 60
"""How much of a body a table shows."""

_ENTITY_COLUMNS = {
    "NAME": "name",
    "KIND": "kind",
    "STATUS": "status",
    "ACTIVE": "active",
    "LOCKED": "locked",
    "DEFERRED": "deferred",
    "SCHEDULED": "scheduled",
    "DEAD": "deadLetters",
    "BYTES": "bytes",
}
_MESSAGE_COLUMNS = {
    "NUMBER": "sequenceNumber",
    "STATE": "state",
    "ID": "messageId",
    "SESSION": "sessionId",
    "LABEL": "label",
    "ENQUEUED": "enqueuedTimeUtc",
    "DELIVERIES": "deliveryCount",
    "BODY": "body",
}

_OPTIONS = {
    "message_id": "messageId",
    "label": "label",
    "session": "sessionId",
    "content_type": "contentType",
    "ttl": "timeToLive",
    "at": "scheduledEnqueueTimeUtc",
}
"""Options of `send`, and what they are called in a message."""

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
namespace_option = click.option("--namespace", metavar="NAME", help="Another namespace than the default one.")
dead_option = click.option("--dead-letter", "is_dead", is_flag=True, help="The dead letters of ENTITY.")


@click.group(cls=CommandGroup)
def servicebus() -> None:
    """Queues, topics and subscriptions: their counts and messages.

    ENTITY is the path of a queue, such as orders, or of a subscription, such as news/Subscriptions/all.
    """


@servicebus.command("list")
@json_option
@namespace_option
@talks_to_server
def list_entities(client: OwnApiClient, namespace: str | None, as_json: bool) -> None:
    """List the queues, topics and subscriptions with what they hold."""
    found = list(_pages(client, "servicebus/entities", "entities", "skip", None, query=_query(namespace)))
    _print(found, as_json, lambda: table(_ENTITY_COLUMNS, found, "There is no entity."))


@servicebus.command("show")
@click.argument("entity")
@json_option
@namespace_option
@talks_to_server
def show(client: OwnApiClient, namespace: str | None, entity: str, as_json: bool) -> None:
    """Show what one ENTITY holds."""
    told = client.call("GET", f"servicebus/entities/{entity}", query=_query(namespace))
    width = max(len(name) for name in told)
    _print(told, as_json, lambda: "\n".join(f"{name:<{width}}  {_text(value)}" for name, value in told.items()))


@servicebus.command("peek")
@click.argument("entity")
@click.option("--count", metavar="N", type=click.IntRange(1), default=20, show_default=True, help="Messages at most.")
@click.option("--from", "first", metavar="NUMBER", type=click.IntRange(0), default=0, help="Begin at this number.")
@dead_option
@json_option
@namespace_option
@talks_to_server
def peek(
    client: OwnApiClient, namespace: str | None, entity: str, count: int, first: int, is_dead: bool, as_json: bool
) -> None:
    """Look at the messages of ENTITY, in whatever state, without receiving them."""
    path = f"servicebus/messages/{_path(entity, is_dead)}"
    found = list(_pages(client, path, "messages", "from", count, first, _query(namespace)))
    rows = [{**message, "body": _body(message)} for message in found]
    _print(found, as_json, lambda: table(_MESSAGE_COLUMNS, rows, "There is no message."))


@servicebus.command("send")
@click.argument("entity")
@click.argument("body", default="-")
@click.option("--id", "message_id", metavar="TEXT", help="Message id.")
@click.option("--label", metavar="TEXT", help="Label, also called subject.")
@click.option("--session", metavar="TEXT", help="Session id.")
@click.option("--content-type", metavar="TYPE", help="Type of the body.")
@click.option("--ttl", metavar="DURATION", help="Time to live, such as PT5M.")
@click.option("--at", metavar="TIME", help="When to enqueue it, such as 2030-01-01T00:00:00Z.")
@click.option("--property", "properties", metavar="NAME=VALUE", multiple=True, help="A property; VALUE may be JSON.")
@namespace_option
@talks_to_server
def send(
    client: OwnApiClient,
    namespace: str | None,
    entity: str,
    body: str,
    properties: tuple[str, ...],
    **options: str | None,
) -> None:
    """Send BODY, or what stands on the standard input, to a queue or topic."""
    message: dict[str, Any] = {_OPTIONS[name]: value for name, value in options.items() if value is not None}
    message["body"] = sys.stdin.read() if body == "-" else body
    message["properties"] = dict(_property(text) for text in properties)
    client.call("POST", f"servicebus/messages/{entity}", message, query=_query(namespace))
    click.echo(f"sent to {entity}")


@servicebus.command("purge")
@click.argument("entity")
@dead_option
@yes_option
@json_option
@namespace_option
@talks_to_server
def purge(client: OwnApiClient, namespace: str | None, entity: str, is_dead: bool, yes: bool, as_json: bool) -> None:
    """Delete all messages of ENTITY that nobody has locked."""
    confirm(f"{'the dead letters' if is_dead else 'all messages'} of {entity}", entity, yes=yes)
    done = client.call("POST", f"servicebus/purge/{_path(entity, is_dead)}", query=_query(namespace))
    _print(done, as_json, lambda: f"purged {_messages(done['purged'])} of {_path(entity, is_dead)}")


@servicebus.command("requeue")
@click.argument("entity")
@json_option
@namespace_option
@talks_to_server
def requeue(client: OwnApiClient, namespace: str | None, entity: str, as_json: bool) -> None:
    """Move the dead letters of ENTITY back into it, as new messages."""
    done = client.call("POST", f"servicebus/requeue/{entity}", query=_query(namespace))
    _print(done, as_json, lambda: f"requeued {_messages(done['requeued'])} of {entity}")


def _pages(
    client: OwnApiClient,
    path: str,
    name: str,
    parameter: str,
    limit: int | None,
    first: int = 0,
    query: Mapping[str, str] | None = None,
) -> Iterator[dict[str, Any]]:
    """Ask for one page after the other, up to `limit` things."""
    start: int | None = first
    while start is not None and (limit is None or limit > 0):
        top = PAGE if limit is None else min(limit, PAGE)
        page = client.call("GET", path, query={**(query or {}), parameter: str(start), "top": str(top)})
        yield from page[name]
        limit = None if limit is None else limit - len(page[name])
        start = page["next"]


def _query(namespace: str | None) -> dict[str, str]:
    return {} if namespace is None else {"namespace": namespace}


def _path(entity: str, is_dead: bool) -> str:
    return f"{entity}/$DeadLetterQueue" if is_dead else entity


def _property(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise click.ClickException(f"--property: expected NAME=VALUE, got {text!r}")
    try:
        found = json.loads(value)
    except ValueError:
        return name, value
    return name, found if isinstance(found, str | int | float | bool) else value


def _body(message: dict[str, Any]) -> str:
    if "body" not in message:
        return f"({len(message['bodyBase64']) * 3 // 4} bytes)"
    text = str(message["body"])
    return text if len(text) <= BODY_CHARS_SHOWN else f"{text[: BODY_CHARS_SHOWN - 1]}…"


def _messages(count: int) -> str:
    return f"{count} message{'' if count == 1 else 's'}"


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _print(found: object, as_json: bool, for_people: Callable[[], str]) -> None:
    click.echo(json.dumps(found, indent=2) if as_json else for_people())
