"""The results as a table for people and as JSON, with the machine and the commit that they belong to."""

from __future__ import annotations

import os
import platform
import subprocess
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.targets import SUBJECT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmarks.scenarios import Row

GENERATOR_SHARE_MAX = 0.85
"""Above this the generator is near its own limit, and the server may be faster than the figure says."""

_COLUMNS = (
    ("", 14),
    ("median", 12),
    (f"{SUBJECT} is", 13),
    ("p50 | p99 | p99.9 at half load", 34),
    ("server µs/op", 14),
    ("peak MB", 9),
    ("generator", 11),
    ("  digest", 0),
)


def table(rows: Iterable[Row]) -> str:
    """Lay out the rows: a block per scenario, a line per target."""
    lines = ["".join(_cell(text, width, is_first=not index) for index, (text, width) in enumerate(_COLUMNS))]
    for title, group in groupby(rows, key=lambda row: row.title):
        block = list(group)
        subject = next((row for row in block if row.target == SUBJECT), None)
        lines += ["", title, *(_line(row, subject) for row in block)]
    return "\n".join(lines)


def _cell(text: str, width: int, *, is_first: bool) -> str:
    return text.ljust(width) if is_first else text.rjust(width)


def _line(row: Row, subject: Row | None) -> str:
    if row.value is None:
        return f"  {row.target:<12}failed: {row.failure}"
    cells = ["  " + row.target, _value(row), _ratio(row, subject), *_load_cells(row.detail), f"  {row.digest}"]
    line = "".join(
        _cell(text, width, is_first=not index)
        for index, (text, (_, width)) in enumerate(zip(cells, _COLUMNS, strict=True))
    )
    return line.rstrip()


def _value(row: Row) -> str:
    assert row.value is not None
    return f"{row.value:,.0f}{row.unit}" if row.unit == "/s" else f"{row.value:,.1f} {row.unit}"


def _ratio(row: Row, subject: Row | None) -> str:
    """How many times this row's figure the subject's is."""
    if subject is None or subject is row or not subject.value or not row.value:
        return ""
    return f"{subject.value / row.value:.2f} x"


def _load_cells(detail: dict[str, Any]) -> list[str]:
    """Latency, server time, memory and generator share of a load; empty for what is no load."""
    if "median_round" not in detail:
        return [""] * 4
    half = detail["half_load"]
    latency = " | ".join(f"{value * 1e3:.2f}" for value in half["latency"].values()) + " ms" if half else ""
    share = detail["median_round"]["generator_share"]
    return [
        latency,
        f"{detail['server_seconds_per_operation'] * 1e6:.1f}",
        f"{detail['peak_bytes'] / 1e6:.0f}",
        f"{share:.0%}{'!' if share > GENERATOR_SHARE_MAX else ''}",
    ]


def as_dict(rows: Iterable[Row], scale: str) -> dict[str, Any]:
    """Everything, for JSON."""
    return {
        "machine": machine(),
        "commit": commit(),
        "scale": scale,
        "results": [
            {
                "scenario": row.scenario,
                "title": row.title,
                "target": row.target,
                "unit": row.unit,
                "value": row.value,
                "more_is_better": row.more_is_better,
                "digest": row.digest,
                "failure": row.failure,
                "detail": row.detail,
            }
            for row in rows
        ],
    }


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "processor": models[0].partition(":")[2].strip() if models else platform.processor(),
        "cores": os.cpu_count(),
        "load_average": os.getloadavg()[0],
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def commit() -> str:
    """The commit of this tree, with a `+` where files differ from it; empty outside of a repository."""
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty=+", "--abbrev=12"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return described.stdout.strip()
