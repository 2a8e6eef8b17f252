"""The Go SDKs. `make conformance` installs them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from localzure.testing import LocalZure
from tests.conformance.programs import Programs, environment_of, scenarios

FOLDER = Path(__file__).parent / "go"
PROGRAM = FOLDER / "build" / "conformance"
SCENARIOS = scenarios(path for path in sorted(FOLDER.glob("*.go")) if path.stem != "scenario")


@pytest.fixture(scope="module")
def azure() -> Iterator[LocalZure]:
    if not PROGRAM.exists():
        pytest.skip("the Go SDKs are not installed: `make conformance` does it, with Go 1.25 or newer")
    with LocalZure(in_memory=False) as server:
        yield server


@pytest.fixture(scope="module")
def programs(azure: LocalZure) -> Programs:
    if sys.platform != "linux":
        pytest.skip("Go takes no certificate from a file here")
    return Programs([str(PROGRAM)], FOLDER, environment_of(azure) | {"SSL_CERT_FILE": str(azure.ca_file)})


@pytest.mark.parametrize(("program", "scenario"), SCENARIOS)
def test_scenario(program: str, scenario: str, programs: Programs) -> None:
    programs.run(program).check(scenario)
