"""Closures that tell whether a condition holds: True, False, or None for unknown.

What most filters are made of, a property against a constant, has closures of its own that look at the type of the value
and compare; all else goes through `values.compare`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from localzure.services.servicebus.rules.model import EvaluationFailed, RuleError
from localzure.services.servicebus.rules.sql.expressions import (
    actual_name,
    constant,
    read_expression,
    system_name,
    user_value,
)
from localzure.services.servicebus.rules.sql.like import like
from localzure.services.servicebus.rules.sql.tree import (
    And,
    Comparison,
    Constant,
    Exists,
    In,
    IsNull,
    Like,
    Not,
    Or,
    Parameter,
    Property,
)
from localzure.services.servicebus.rules.sql.values import (
    COMPARE,
    Kind,
    compare,
    plain,
    type_name,
)
from localzure_protocols.amqp.types import Int

if TYPE_CHECKING:
    from collections.abc import Callable

    from localzure.services.servicebus.rules.sql.expressions import Read, Scope
    from localzure.services.servicebus.rules.sql.tree import Condition, Operator
    from localzure.services.servicebus.rules.view import MessageView

    Test: TypeAlias = Callable[[MessageView], bool | None]
    IsLike: TypeAlias = Callable[[str], bool | None]
    """Whether a text is like a pattern; None where the pattern is unknown."""

_EXACT_DOUBLES = 2**53
"""Up to here an integer is the same number as a double, so that Python compares the two as C# does."""

_MIRRORED: dict[Operator, Operator] = {"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
"""Operator → what it is with its sides exchanged."""


def test_condition(condition: Condition, scope: Scope) -> Test:
    """Return what tells whether a condition holds for a message. Raises RuleError."""
    match condition:
        case Comparison():
            return _comparison(condition, scope)
        case IsNull(operand):
            read = read_expression(operand, scope)
            return lambda view: read(view) is None
        case In():
            return _in(condition, scope)
        case Like():
            return _like(condition, scope)
        case Exists(prop):
            return _exists(prop)
        case Not(part):
            return _opposite(test_condition(part, scope))
        case And(parts):
            return _all([test_condition(part, scope) for part in parts])
        case Or(parts):
            return _any([test_condition(part, scope) for part in parts])
        case _:
            return _truth(read_expression(condition, scope))


# -- logic ------------------------------------------------------------------------------------------------------------


def _opposite(part: Test) -> Test:
    return lambda view: None if (result := part(view)) is None else not result


def _all(parts: list[Test]) -> Test:
    if len(parts) == 2:
        return _both(*parts)

    def test(view: MessageView) -> bool | None:
        result: bool | None = True
        for part in parts:
            one = part(view)
            if one is False:
                return False
            if one is None:
                result = None
        return result

    return test


def _both(first: Test, second: Test) -> Test:
    def test(view: MessageView) -> bool | None:
        one = first(view)
        if one is False:
            return False
        other = second(view)
        return other if one or other is False else None

    return test


def _any(parts: list[Test]) -> Test:
    def test(view: MessageView) -> bool | None:
        result: bool | None = False
        for part in parts:
            one = part(view)
            if one:
                return True
            if one is None:
                result = None
        return result

    return test


def _truth(read: Read) -> Test:
    def test(view: MessageView) -> bool | None:
        value = read(view)
        if value is None or value is True or value is False:
            return value
        raise EvaluationFailed(f"A value of type '{type_name(value)}' is not true or false.")

    return test


# -- comparisons ------------------------------------------------------------------------------------------------------


def _comparison(condition: Comparison, scope: Scope) -> Test:
    left, right, operator = condition.left, condition.right, condition.operator
    if isinstance(left, Constant | Parameter) and not isinstance(right, Constant | Parameter):
        left, right, operator = right, left, _MIRRORED[operator]
    if isinstance(right, Constant | Parameter):
        value = constant(right, scope)
        if isinstance(left, Property) and not left.is_system:
            return _property_against(left.name, operator, value)
        return _against(read_expression(left, scope), operator, value)
    read_left, read_right = read_expression(left, scope), read_expression(right, scope)
    return lambda view: compare(operator, read_left(view), read_right(view))


def _property_against(name: str, operator: Operator, value: Any) -> Test:
    fast, holds = _fast_types(value), COMPARE[operator]

    def test(view: MessageView) -> bool | None:
        properties = view.properties
        found = properties.get(name)
        if found is None:
            found = user_value(properties, name)
        if found.__class__ in fast:
            return holds(found, value)
        return compare(operator, found, value)

    return test


def _against(read: Read, operator: Operator, value: Any) -> Test:
    fast, holds = _fast_types(value), COMPARE[operator]

    def test(view: MessageView) -> bool | None:
        found = read(view)
        return holds(found, value) if found.__class__ in fast else compare(operator, found, value)

    return test


def _fast_types(value: Any) -> frozenset[type]:
    """The types whose values Python compares with a constant as SQL would."""
    if type(value) is str:
        return frozenset({str})
    if type(value) is int:
        return frozenset({int, Int, float} if abs(value) <= _EXACT_DOUBLES else {int, Int})
    return frozenset({float, Int} if type(value) is float else ())


def _in(condition: In, scope: Scope) -> Test:
    read = read_expression(condition.operand, scope)
    choices = [read_expression(choice, scope) for choice in condition.choices]
    texts = frozenset(choice.value for choice in condition.choices if isinstance(choice, Constant))
    if len(texts) == len(choices) and all(type(text) is str for text in texts):
        return lambda view: found in texts if type(found := read(view)) is str else _equals_any(found, choices, view)
    return lambda view: _equals_any(read(view), choices, view)


def _equals_any(found: Any, choices: list[Read], view: MessageView) -> bool | None:
    if found is None:
        return None
    result: bool | None = False
    for choice in choices:
        one = compare("=", found, choice(view))
        if one:
            return True
        if one is None:
            result = None
    return result


# -- LIKE and EXISTS --------------------------------------------------------------------------------------------------


def _like(condition: Like, scope: Scope) -> Test:
    read, pattern, escape = read_expression(condition.operand, scope), condition.pattern, condition.escape
    if isinstance(pattern, Constant | Parameter) and isinstance(escape, Constant | Parameter | None):
        is_like = _known_like(pattern, escape, scope)
        return lambda view: is_like(found) if type(found := read(view)) is str else _is_like(found, is_like)
    read_pattern = read_expression(pattern, scope)
    read_escape = None if escape is None else read_expression(escape, scope)

    def test(view: MessageView) -> bool | None:
        wanted, mark = read_pattern(view), None if read_escape is None else read_escape(view)
        if wanted is None or (mark is None and read_escape is not None):
            return None
        return _is_like(read(view), like(_pattern(wanted), None if mark is None else _mark(mark)))

    return test


def _known_like(pattern: Constant | Parameter, escape: Constant | Parameter | None, scope: Scope) -> IsLike:
    """What tests a text for a pattern that is the same for every message. Raises RuleError."""
    wanted, mark = constant(pattern, scope), None if escape is None else constant(escape, scope)
    if wanted is None or (mark is None and escape is not None):
        return lambda _text: None
    try:
        return like(_pattern(wanted), None if mark is None else _mark(mark))
    except EvaluationFailed as error:
        raise RuleError(str(error), pattern.position) from None


def _is_like(found: Any, is_like: IsLike) -> bool | None:
    kind, text = plain(found)
    return is_like(str(text)) if kind is Kind.TEXT else None


def _pattern(value: Any) -> str:
    kind, text = plain(value)
    if kind is not Kind.TEXT:
        raise EvaluationFailed(f"LIKE takes a pattern, not a value of type '{type_name(value)}'.")
    return str(text)


def _mark(value: Any) -> str:
    kind, text = plain(value)
    if kind is not Kind.TEXT or len(text) != 1:
        raise EvaluationFailed("What follows ESCAPE must be one character.")
    return str(text)


def _exists(prop: Property) -> Test:
    name = prop.name
    if prop.is_system:
        return lambda view: view.system(system_name(name)) is not None
    return lambda view: actual_name(view.properties, name) is not None
