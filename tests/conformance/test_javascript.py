"""The JavaScript SDKs. `make conformance` installs them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from localzure.testing import LocalZure
from tests.conformance.programs import Programs, environment_of, scenarios

FOLDER = Path(__file__).parent / "js"
NOT_PROGRAMS = {"namespace", "scenario"}
SCENARIOS = scenarios(path for path in sorted(FOLDER.glob("*.mjs")) if path.stem not in NOT_PROGRAMS)


@pytest.fixture(scope="module")
def node() -> str:
    found = shutil.which("node")
    if found is None or not (FOLDER / "node_modules").exists():
        pytest.skip("the JavaScript SDKs are not installed: `make conformance` does it, with Node.js 20 or newer")
    return found


@pytest.fixture(scope="module")
def azure(node: str) -> Iterator[LocalZure]:
    with LocalZure(in_memory=False) as server:
        yield server


@pytest.fixture(scope="module")
def programs(node: str, azure: LocalZure) -> Programs:
    environment = environment_of(azure) | {"NODE_EXTRA_CA_CERTS": str(azure.ca_file)}
    return Programs([node], FOLDER, environment)


@pytest.mark.parametrize(("program", "scenario"), SCENARIOS)
def test_scenario(program: str, scenario: str, programs: Programs) -> None:
    programs.run(f"{program}.mjs").check(scenario)
