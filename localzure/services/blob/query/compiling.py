"""From an expression to a function of a row: what can be decided once is decided before the first row.

A row of CSV is a list of texts, one of JSON a parsed value. Fields of CSV are found by ordinal, or by the names in the
header; of JSON by their names, one after another.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from localzure.services.blob.query.functions import CASTS, FUNCTIONS, PART_FIRST
from localzure.services.blob.query.syntax import Apply, Literal, Name, Node, Path, QueryError, Star
from localzure.services.blob.query.values import MISSING, RowError, Value, compare, to_boolean

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from typing import TypeAlias

    Evaluate: TypeAlias = Callable[[Any], Value]

_ORDINAL = re.compile(r"_([1-9][0-9]{0,5})")

_MISSING_COLUMN = "Cannot find the following column in the row."


class Compiler:
    """Compiles the expressions of one query."""

    def __init__(self, columns: Sequence[str] | None, now: datetime, *, is_json: bool) -> None:
        """`columns` are the names in a CSV header, None where there is none; `now` is what UTCNOW() gives."""
        self._columns = columns
        self._now = now
        self._is_json = is_json

    def compile(self, node: Node) -> Evaluate:
        """Return an expression as a function of a row, which may raise RowError. Raises QueryError."""
        if isinstance(node, Literal):
            value = node.value
            return lambda _row: value
        if isinstance(node, Path):
            return _json_path(node.steps) if self._is_json else self._column(node)
        if isinstance(node, Star):
            raise QueryError("ParseError", "* stands in COUNT(*) only.")
        if node.name == "IN":
            return self._in(node)
        special = _SPECIAL.get(node.name)
        if special is not None:
            return special(tuple(map(self.compile, node.arguments)))
        if node.name == "UTCNOW" and not node.arguments:
            now = self._now
            return lambda _row: now
        if node.name == "CAST":
            return self._cast(node)
        return self._apply(node)

    def _apply(self, node: Apply) -> Evaluate:
        function = FUNCTIONS.get(node.name)
        if function is None:
            raise QueryError("ParseError", f"There is no function {node.name} here.")
        arguments = node.arguments
        if not function.least <= len(arguments) <= function.most:
            raise QueryError("ParseError", f"{node.name} takes another number of arguments.")
        if node.name in PART_FIRST and isinstance(arguments[0], Path):
            step = arguments[0].steps[0]
            arguments = (Literal(step.text if isinstance(step, Name) else ""), *arguments[1:])
        return _strict(function.of, tuple(map(self.compile, arguments)))

    def _in(self, node: Apply) -> Evaluate:
        wanted, *items = node.arguments
        constants = tuple(item.value for item in items if isinstance(item, Literal))
        return _among(self.compile(wanted), constants, [self.compile(i) for i in items if not isinstance(i, Literal)])

    def _cast(self, node: Apply) -> Evaluate:
        kind = node.arguments[1]
        assert isinstance(kind, Literal), "the grammar has a word there"
        cast = CASTS.get(str(kind.value))
        if cast is None:
            raise QueryError("ParseError", f"There is no type {kind.value} here.")
        return _strict(cast, (self.compile(node.arguments[0]),))

    def _column(self, path: Path) -> Evaluate:
        """A field of CSV."""
        step = path.steps[0]
        assert isinstance(step, Name), "a path begins with a name"
        index = -1
        if len(path.steps) == 1:
            index = self._index(step)
        if index < 0:
            raise QueryError("InvalidColumnOrdinal", _MISSING_COLUMN)

        def field(row: list[str]) -> Value:
            try:
                return row[index]
            except IndexError:
                raise RowError("InvalidColumnOrdinal", _MISSING_COLUMN) from None

        return field

    def _index(self, name: Name) -> int:
        columns = self._columns or ()
        for index, column in enumerate(columns):
            if column == name.text or (not name.is_quoted and column.lower() == name.text.lower()):
                return index
        match = None if name.is_quoted else _ORDINAL.fullmatch(name.text)
        return -1 if match is None else int(match[1]) - 1


def _strict(function: Callable[..., Value], arguments: tuple[Evaluate, ...]) -> Evaluate:
    """A function whose value is NULL where one of its arguments is."""
    if len(arguments) == 2:
        first, second = arguments

        def of_two(row: Any) -> Value:
            left, right = first(row), second(row)
            if left is None or right is None or left is MISSING or right is MISSING:
                return None
            return function(left, right)

        return of_two

    def of_all(row: Any) -> Value:
        values = [argument(row) for argument in arguments]
        if any(value is None or value is MISSING for value in values):
            return None
        return function(*values)

    return of_all


def _json_path(steps: tuple[Name | int, ...]) -> Evaluate:
    def walk(row: Any) -> Value:
        value = row
        for step in steps:
            value = json_step(value, step)
            if value is MISSING:
                return MISSING
        return value

    return walk


def json_step(value: Value, step: Name | int) -> Value:
    """Return a field of an object or an item of a list; `MISSING` where there is none."""
    if isinstance(step, int):
        return value[step] if isinstance(value, list) and step < len(value) else MISSING
    if not isinstance(value, dict):
        return MISSING
    if step.text in value:
        return value[step.text]
    if not step.is_quoted:
        wanted = step.text.lower()
        for name, field in value.items():
            if name.lower() == wanted:
                return field
    return MISSING


# --- what sees NULL -----------------------------------------------------------------------------------------------


def truth(value: Value) -> bool | None:
    """Return a value as a condition; None for NULL. Raises RowError."""
    return None if value is None or value is MISSING else to_boolean(value)


def _and(arguments: tuple[Evaluate, ...]) -> Evaluate:
    first, second = arguments

    def both(row: Any) -> Value:
        left = truth(first(row))
        if left is False:
            return False
        right = truth(second(row))
        return right if left else (False if right is False else None)

    return both


def _or(arguments: tuple[Evaluate, ...]) -> Evaluate:
    first, second = arguments

    def either(row: Any) -> Value:
        left = truth(first(row))
        if left:
            return True
        right = truth(second(row))
        return True if right else (None if left is None else right)

    return either


def _not(arguments: tuple[Evaluate, ...]) -> Evaluate:
    (argument,) = arguments

    def negation(row: Any) -> Value:
        value = truth(argument(row))
        return None if value is None else not value

    return negation


def _among(wanted: Evaluate, constants: tuple[Value, ...], items: list[Evaluate]) -> Evaluate:
    texts = frozenset(constant for constant in constants if isinstance(constant, str))
    others = tuple(constant for constant in constants if not isinstance(constant, str))

    def among(row: Any) -> Value:
        value = wanted(row)
        if value is None or value is MISSING:
            return None
        if isinstance(value, str) and value in texts:
            return True
        has_null = False
        for other in (*(() if isinstance(value, str) else texts), *others, *(item(row) for item in items)):
            if other is None or other is MISSING:
                has_null = True
            elif compare(value, other) == 0:
                return True
        return None if has_null else False

    return among


def _is_null(arguments: tuple[Evaluate, ...]) -> Evaluate:
    (argument,) = arguments
    return lambda row: (value := argument(row)) is None or value is MISSING


def _is_missing(arguments: tuple[Evaluate, ...]) -> Evaluate:
    (argument,) = arguments

    def missing(row: Any) -> Value:
        try:
            return argument(row) is MISSING
        except RowError as error:
            if error.name != "InvalidColumnOrdinal":
                raise
            return True

    return missing


def _coalesce(arguments: tuple[Evaluate, ...]) -> Evaluate:
    def first(row: Any) -> Value:
        for argument in arguments:
            value = argument(row)
            if value is not None and value is not MISSING:
                return value
        return None

    return first


def _null_if(arguments: tuple[Evaluate, ...]) -> Evaluate:
    if len(arguments) != 2:
        raise QueryError("ParseError", "NULLIF takes two arguments.")
    first, second = arguments

    def unless(row: Any) -> Value:
        left, right = first(row), second(row)
        has_null = left is None or right is None or left is MISSING or right is MISSING
        return left if has_null or compare(left, right) else None

    return unless


_SPECIAL: dict[str, Callable[[tuple[Evaluate, ...]], Evaluate]] = {
    "AND": _and,
    "OR": _or,
    "NOT": _not,
    "IS NULL": _is_null,
    "IS MISSING": _is_missing,
    "COALESCE": _coalesce,
    "NULLIF": _null_if,
}
