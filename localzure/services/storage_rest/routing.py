"""Finding the operation of a request among the rows of a service's table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable

Route: TypeAlias = tuple[str, str, str, str]
"""(resource, method, `restype`, `comp`), the last two in lower case and empty where there is none."""


class Row(Protocol):
    """One operation, as far as the line of a request tells it."""

    @property
    def method(self) -> str: ...  # noqa: D102 - as in `Route`, like the next three
    @property
    def resource(self) -> str: ...  # noqa: D102
    @property
    def restype(self) -> str: ...  # noqa: D102
    @property
    def comp(self) -> str: ...  # noqa: D102


AnyRow = TypeVar("AnyRow", bound=Row)


def split_target(target: str) -> tuple[str, str, str]:
    """Take `resource restype comp` apart, which has a dash for each of the last two that is not there."""
    resource, restype, comp = target.replace("-", "").split(" ")
    return resource, restype, comp


def by_route(rows: Iterable[AnyRow]) -> dict[Route, list[AnyRow]]:
    """Return route → its rows, in their order."""
    routes: dict[Route, list[AnyRow]] = {}
    for row in rows:
        routes.setdefault((row.resource, row.method, row.restype, row.comp), []).append(row)
    return routes


def methods_of(rows: Iterable[Row], resource: str, restype: str, comp: str) -> list[str]:
    """Return the methods that there are for a request of another method, in order; none where its rest fits no row."""
    return sorted({row.method for row in rows if (row.resource, row.restype, row.comp) == (resource, restype, comp)})
