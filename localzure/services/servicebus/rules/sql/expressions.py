"""Closures that work out the values of expressions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from localzure.services.servicebus.rules.model import EvaluationFailed, RuleError
from localzure.services.servicebus.rules.sql.arithmetic import affirm, calculate, negate
from localzure.services.servicebus.rules.sql.tree import (
    Chain,
    Constant,
    NewId,
    Parameter,
    Property,
    PropertyOf,
    Sign,
)
from localzure.services.servicebus.rules.sql.values import Kind, plain, type_name
from localzure.services.servicebus.rules.view import SYSTEM_PROPERTIES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from localzure.services.interface import Entropy
    from localzure.services.servicebus.rules.sql.tree import Expression
    from localzure.services.servicebus.rules.view import MessageView

    Read: TypeAlias = Callable[[MessageView], Any]

_INT64 = range(-(2**63), 2**63)

_SYSTEM_NAMES = {name.lower(): name for name in SYSTEM_PROPERTIES} | {"subject": "Label"}


class Scope(NamedTuple):
    """What the names in an expression mean."""

    parameters: Mapping[str, Any]
    """Name with its `@` → value."""
    entropy: Entropy


def read_expression(expression: Expression, scope: Scope) -> Read:
    """Return what works out an expression for a message; None is null and unknown alike. Raises RuleError."""
    match expression:
        case Constant() | Parameter():
            value = constant(expression, scope)
            return lambda _view: value
        case Property(is_system, name):
            return _system_property(name) if is_system else _user_property(name)
        case PropertyOf(name):
            return _named_property(read_expression(name, scope))
        case NewId():
            new_id = scope.entropy.uuid
            return lambda _view: new_id()
        case Sign(is_negative, operand):
            change, read = negate if is_negative else affirm, read_expression(operand, scope)
            return lambda view: change(read(view))
        case Chain(first, rest):
            return _chain(
                read_expression(first, scope), [(operator, read_expression(right, scope)) for operator, right in rest]
            )


def constant(expression: Constant | Parameter, scope: Scope) -> Any:
    """The value of an expression that is the same for every message. Raises RuleError."""
    if isinstance(expression, Parameter):
        return _parameter(expression, scope.parameters)
    value = expression.value
    if isinstance(value, float) and value in {float("inf"), float("-inf")}:
        raise RuleError("Value was either too large or too small for a Double.", expression.position)
    if type(value) is int and value not in _INT64:
        raise RuleError("Value was either too large or too small for an Int64.", expression.position)
    return value


def system_name(name: str) -> str:
    """A system property as `view` has it. Raises EvaluationFailed, as Azure tells of it when a message comes."""
    known = _SYSTEM_NAMES.get(name.lower())
    if known is None:
        raise EvaluationFailed(f"The system property '{name}' does not exist.")
    return known


def actual_name(properties: Mapping[str, Any], name: str) -> str | None:
    """The name under which a message has an application property, whatever its case; None where it has none."""
    if name in properties:
        return name
    lower = name.lower()
    return next((known for known in properties if known.lower() == lower), None)


def user_value(properties: Mapping[str, Any], name: str) -> Any:
    """An application property, whatever the case of its name; None where there is none."""
    value = properties.get(name)
    if value is not None:
        return value
    known = actual_name(properties, name)
    return None if known is None else properties[known]


def _parameter(parameter: Parameter, parameters: Mapping[str, Any]) -> Any:
    name = actual_name(parameters, parameter.name)
    if name is None:
        raise RuleError(f"The parameter '{parameter.name}' has no value.", parameter.position)
    return parameters[name]


def _user_property(name: str) -> Read:
    return lambda view: user_value(view.properties, name)


def _system_property(name: str) -> Read:
    known = _SYSTEM_NAMES.get(name.lower())
    if known is not None:
        return lambda view: view.system(known)
    return lambda _view: system_name(name)


def _named_property(read_name: Read) -> Read:
    def read(view: MessageView) -> Any:
        name = read_name(view)
        if name is None:
            return None
        if plain(name)[0] is not Kind.TEXT:
            raise EvaluationFailed(f"property() takes a name, not a value of type '{type_name(name)}'.")
        return user_value(view.properties, str(name))

    return read


def _chain(first: Read, rest: list[tuple[str, Read]]) -> Read:
    def read(view: MessageView) -> Any:
        value = first(view)
        for operator, right in rest:
            value = calculate(operator, value, right(view))
        return value

    return read
