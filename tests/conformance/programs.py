"""Runs a program that drives a server with the SDKs of another language, and reads what it says of each scenario.

A program runs its scenarios one after the other and prints a line for each, `ok - NAME` or `not ok - NAME`, with what
went wrong below it in lines that begin with `#`. The names are read from the program's source, where each is the first
argument of a call of `scenario`: so they are known, and reported, also where the language is not there to run them.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from localzure.testing import LocalZure

SECONDS_MAX = 240.0
"""How long a program may take for all its scenarios."""

_SCENARIO = re.compile(r"\bscenario\(\s*\"([^\"]+)\"")
_REPORT = re.compile(r"^(ok|not ok) - (.+)$")


@dataclass(slots=True)
class Outcome:
    """What became of a scenario."""

    passed: bool
    details: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Run:
    """What a program said."""

    exit_code: int
    output: str
    outcomes: dict[str, Outcome]

    def check(self, name: str) -> None:
        """Fail unless the scenario passed."""
        outcome = self.outcomes.get(name)
        if outcome is None:
            pytest.fail(f"{name!r} was not run\n{self.output}", pytrace=False)
        if not outcome.passed:
            pytest.fail("\n".join([name, *outcome.details]), pytrace=False)


class Programs:
    """The programs of a language, each run once, when the first of its scenarios is asked for."""

    def __init__(self, command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
        """`command` gets the name of a program as its last argument."""
        self._command = list(command)
        self._folder = folder
        self._environment = {**os.environ, **environment}
        self._runs: dict[tuple[str, ...], Run] = {}

    def run(self, *arguments: str) -> Run:
        """The run of a program with these arguments."""
        if arguments not in self._runs:
            self._runs[arguments] = self._start(arguments)
        return self._runs[arguments]

    def _start(self, arguments: Sequence[str]) -> Run:
        try:
            done = subprocess.run(
                [*self._command, *arguments],
                cwd=self._folder,
                env=self._environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=SECONDS_MAX,
                check=False,
            )
            code, output = done.returncode, done.stdout
        except subprocess.TimeoutExpired as late:
            code, output = -1, late.stdout.decode("utf-8", "replace") if isinstance(late.stdout, bytes) else ""
            output += f"\nnot done after {SECONDS_MAX} s"
        return Run(code, output, read_report(output))


def scenarios(sources: Iterable[Path]) -> list[tuple[str, str]]:
    """Each program, the name of its source without the ending, with each of its scenarios."""
    return [(path.stem, name) for path in sources for name in _SCENARIO.findall(path.read_text("utf-8"))]


def read_report(output: str) -> dict[str, Outcome]:
    """The scenarios that a program reported, by name."""
    outcomes: dict[str, Outcome] = {}
    last = None
    for line in output.splitlines():
        if found := _REPORT.match(line):
            last = outcomes[found[2]] = Outcome(found[1] == "ok")
        elif last is not None:
            last.details.append(line.removeprefix("# "))
    return outcomes


def over_tls(azure: LocalZure, listener: str = "amqps") -> str:
    """The Service Bus connection string for TLS, with the port of a listener, which most SDKs take from there.

    Without the emulator's flag, which would make it plain.
    """
    port = urlsplit(azure.endpoints[listener]).port
    parts = azure.tls_connection_strings["servicebus"].split(";")
    return ";".join([f"Endpoint=sb://localhost:{port}", *parts[1:]])


def environment_of(azure: LocalZure) -> dict[str, str]:
    """What every program finds in its environment."""
    return {
        "STORAGE": azure.connection_strings["storage"],
        "STORAGE_TLS": azure.tls_connection_strings["storage"],
        "SERVICEBUS": azure.connection_strings["servicebus"],
        "SERVICEBUS_TLS": over_tls(azure),
        "SERVICEBUS_ADMINISTRATION": over_tls(azure, "servicebus"),
    }
