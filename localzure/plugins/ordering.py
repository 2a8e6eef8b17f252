"""In which order services are started: each after those that it depends on."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class DependencyError(Exception):
    """A dependency that cannot be met; the text is one line."""


def start_order(dependencies: Mapping[str, Iterable[str]]) -> list[str]:
    """Return the services in the order of their start; those that do not depend on each other stay in theirs.

    `dependencies` has the names of what each service depends on, by its name. Raises DependencyError.
    """
    for name, needed in dependencies.items():
        for each in needed:
            if each not in dependencies:
                raise DependencyError(f"the service {name} needs {each}, which is not installed or switched off")
    sorter = TopologicalSorter(dependencies)
    try:
        sorter.prepare()
    except CycleError as error:
        raise DependencyError(f"services need each other in a circle: {' -> '.join(reversed(error.args[1]))}") from None
    order, places = [], {name: place for place, name in enumerate(dependencies)}
    while sorter.is_active():
        ready = sorted(sorter.get_ready(), key=places.__getitem__)
        order += ready
        sorter.done(*ready)
    return order


def dependents(dependencies: Mapping[str, Iterable[str]], name: str) -> set[str]:
    """Return the services that need `name`, directly or by others."""
    found: set[str] = set()
    while more := {each for each, needs in dependencies.items() if not {name, *found}.isdisjoint(needs)} - found:
        found |= more
    return found


def needed(dependencies: Mapping[str, Iterable[str]], name: str) -> set[str]:
    """Return the services that `name` needs, directly or by others."""
    found: set[str] = set()
    more = set(dependencies[name])
    while more - found:
        found |= more
        more = {each for one in found for each in dependencies[one]}
    return found
