"""Tables for people: aligned columns, one line a row, whatever is in the cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def table(columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]], nothing: str) -> str:
    """Return a table: `columns` has the heading of each and the name of its cells; `nothing` is said of no rows.

    Numbers stand at the right; a column that is empty everywhere is left out.
    """
    if not rows:
        return nothing
    shown = {head: [_cell(row.get(name)) for row in rows] for head, name in columns.items()}
    shown = {head: cells for head, cells in shown.items() if any(cells)}
    numbers = {head for head in shown if all(isinstance(row.get(columns[head], 0), int | None) for row in rows)}
    widths = {head: max(len(head), *map(len, cells)) for head, cells in shown.items()}

    def line(cells: Mapping[str, str]) -> str:
        padded = [f"{cell:{'>' if head in numbers else '<'}{widths[head]}}" for head, cell in cells.items()]
        return "  ".join(padded).rstrip()

    lines = [line({head: head for head in shown})]
    lines += [line({head: cells[index] for head, cells in shown.items()}) for index in range(len(rows))]
    return "\n".join(lines)


def _cell(value: object) -> str:
    """One line, with nothing in it that moves the cursor."""
    text = "" if value is None else str(value)
    return "".join([character if character.isprintable() else "\N{MIDDLE DOT}" for character in text])
