"""Closures that work out what the statements of an action change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from localzure.services.servicebus.rules.sql.conversion import to_system, to_type_of
from localzure.services.servicebus.rules.sql.expressions import actual_name, read_expression, system_name
from localzure.services.servicebus.rules.sql.tree import Set
from localzure.services.servicebus.rules.view import Overrides

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from localzure.services.servicebus.rules.sql.expressions import Read, Scope
    from localzure.services.servicebus.rules.sql.tree import Property, Statement
    from localzure.services.servicebus.rules.view import MessageView

    Step: TypeAlias = Callable[["Changing"], None]


class Changing:
    """A message with what the statements so far have changed; itself a `MessageView`."""

    def __init__(self, view: MessageView) -> None:
        self._view = view
        self.properties: dict[str, Any] = dict(view.properties)
        """The application properties as they are now."""
        self.overrides = Overrides()

    def system(self, name: str) -> Any:
        """A system property as it is now."""
        changed = self.overrides.system
        return changed[name] if name in changed else self._view.system(name)

    def set_property(self, name: str, value: Any) -> None:
        """Change an application property, or add it."""
        known = actual_name(self.properties, name)
        name = name if known is None else known
        self.properties[name] = self.overrides.properties[name] = to_type_of(self.properties.get(name), value)
        self.overrides.removed.discard(name)

    def remove_property(self, name: str) -> None:
        """Take an application property away, if there is one."""
        known = actual_name(self.properties, name)
        if known is not None:
            del self.properties[known]
            self.overrides.properties.pop(known, None)
            self.overrides.removed.add(known)


def change_by(statements: Sequence[Statement], scope: Scope) -> Callable[[MessageView], Overrides]:
    """Return what works out the changes of an action for a message. Raises RuleError."""
    steps = [_step(statement, scope) for statement in statements]

    def change(view: MessageView) -> Overrides:
        changing = Changing(view)
        for step in steps:
            step(changing)
        return changing.overrides

    return change


def _step(statement: Statement, scope: Scope) -> Step:
    prop = statement.property
    if isinstance(statement, Set):
        return _set(prop, read_expression(statement.value, scope))
    if prop.is_system:
        return lambda changing: _set_system(changing, prop.name, None)
    return lambda changing: changing.remove_property(prop.name)


def _set(prop: Property, read: Read) -> Step:
    if prop.is_system:
        return lambda changing: _set_system(changing, prop.name, read(changing))
    return lambda changing: changing.set_property(prop.name, read(changing))


def _set_system(changing: Changing, name: str, value: Any) -> None:
    known = system_name(name)
    changing.overrides.system[known] = to_system(known, value)
