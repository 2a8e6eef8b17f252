"""The operations of `$management` on the rules of a subscription.

They need the right to listen, not to manage: that is what `ServiceBusRuleManager` of the SDKs is documented to need.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Any

from localzure.services.servicebus.engine.rule_storage import add_rule, remove_rule, require_changeable, rules_of
from localzure.services.servicebus.errors import ErrorCode, ServiceBusError
from localzure.services.servicebus.model import EntityKind
from localzure.services.servicebus.operation import Request, Response, mapping_in, number_in
from localzure.services.servicebus.rules.described import read_description, write_description
from localzure.services.servicebus.rules.model import RULE_NAME_CHARS_MAX, RuleError

if TYPE_CHECKING:
    from localzure.services.servicebus.model import EntityRecord

PAGE_RULES_MAX = 1000
"""Rules in one answer, whatever the client asks for; it asks again, skipping what it has."""

_NAME = re.compile(r"[^/\\@?#*]+")


def add(request: Request) -> Response:
    """`add-rule`. Raises ServiceBusError."""
    subscription = _subscription(request)
    require_changeable(request.broker, request.turn.writer, subscription)
    name, description = _rule_name(request), mapping_in(request.body, "rule-description")
    try:
        rule = read_description(name, description, request.turn.now)
    except RuleError as error:
        raise ServiceBusError(ErrorCode.ARGUMENT, detail=error.message) from None
    add_rule(request.broker, request.turn.writer, subscription, rule)
    return Response(200)


def remove(request: Request) -> Response:
    """`remove-rule`. Raises ServiceBusError."""
    subscription = _subscription(request)
    require_changeable(request.broker, request.turn.writer, subscription)
    remove_rule(request.broker, request.turn.writer, subscription, _rule_name(request))
    return Response(200)


def enumerate_rules(request: Request) -> Response:
    """`enumerate-rules`. Raises ServiceBusError."""
    subscription = _subscription(request)
    skip, top = number_in(request.body, "skip"), number_in(request.body, "top")
    if skip < 0 or top < 1:
        raise ServiceBusError(
            ErrorCode.ARGUMENT_OUT_OF_RANGE, detail="'skip' must not be negative, and 'top' must be positive."
        )
    found = rules_of(request.turn.writer, request.broker.keys, subscription.queue_id, skip)
    rules: list[Any] = [
        {"rule-description": write_description(rule)} for rule in islice(found, min(top, PAGE_RULES_MAX))
    ]
    return Response(200, {"rules": rules}) if rules else Response(204)


def _subscription(request: Request) -> EntityRecord:
    record = request.queue.record
    if record.kind is not EntityKind.SUBSCRIPTION or request.queue.is_sub_queue:
        raise ServiceBusError(
            ErrorCode.NOT_ALLOWED, detail=f"'{request.queue.path}' is no subscription: it has no rules."
        )
    return record


def _rule_name(request: Request) -> str:
    name = request.body.get("rule-name")
    if not isinstance(name, str) or not 0 < len(name) <= RULE_NAME_CHARS_MAX or not _NAME.fullmatch(name):
        raise ServiceBusError(
            ErrorCode.ARGUMENT,
            detail=f"The specified name ({name!r:.100}) is not valid: the name of a rule has up to "
            f"{RULE_NAME_CHARS_MAX} characters, and none of / \\ @ ? # *.",
        )
    return str(name)
