"""Measure LocalZure and what it is compared with, in one run.

    python -m benchmarks.run [--scale toy|quick|small|full] [--only NAME,…] [--targets NAME,…] [--json FILE]

Prints a table, and writes JSON where asked. What is not installed is skipped, and said to be. Figures compare
within one run on one machine, not across machines.
Exits with 1 where something failed or gave a wrong result.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from benchmarks import report
from benchmarks.scenarios import SCALES, SCENARIOS, Row
from benchmarks.targets import TARGETS


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="benchmarks.run", description=__doc__.partition("\n")[0])
    parser.add_argument("--scale", choices=SCALES, default="small")
    parser.add_argument("--only", type=_names, default=list(SCENARIOS), help=f"of {', '.join(SCENARIOS)}")
    parser.add_argument("--targets", type=_names, default=list(TARGETS), help=f"of {', '.join(TARGETS)}")
    parser.add_argument("--json", type=Path, help="where to write the results")
    given = parser.parse_args(arguments)
    if unknown := [name for name in given.only if name not in SCENARIOS]:
        parser.error(f"no such scenario: {', '.join(unknown)}")
    if unknown := [name for name in given.targets if name not in TARGETS]:
        parser.error(f"no such target: {', '.join(unknown)}")
    skipped = {name: reason for name in given.targets if (reason := TARGETS[name].missing())}
    rows = _measure(given.only, [name for name in given.targets if name not in skipped], given.scale)
    print(report.table(rows))
    for name, reason in skipped.items():
        print(f"{name} skipped: {reason}")
    if given.json is not None:
        given.json.write_text(json.dumps({**report.as_dict(rows, given.scale), "skipped": skipped}, indent=2) + "\n")
    return 1 if any(row.failure for row in rows) else 0


def _names(text: str) -> list[str]:
    return text.split(",")


def _measure(scenarios: list[str], targets: list[str], scale: str) -> list[Row]:
    rows: list[Row] = []
    chosen = [TARGETS[name] for name in targets]
    with tempfile.TemporaryDirectory(prefix="localzure-benchmark-") as directory:
        for name in scenarios:
            print(f"{name} …", file=sys.stderr, flush=True)
            rows += SCENARIOS[name].rows(chosen, SCALES[scale], Path(directory))
    return rows


if __name__ == "__main__":
    sys.exit(main())
