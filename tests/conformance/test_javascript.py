"""The JavaScript SDKs. `make conformance` installs them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from localzure.testing import LocalZure
from tests.conformance.programs import SECONDS_MAX, Programs, environment_of, scenarios

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


def under_localzure(node: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program that knows nothing of LocalZure."""
    localzure = str(Path(sys.executable).parent / "localzure")
    command = [localzure, "run", "--ephemeral", "--", node, *arguments]
    return subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, timeout=SECONDS_MAX, check=False)


def test_an_app_for_production_runs_unchanged(node: str) -> None:
    done = under_localzure(node, "production_app.mjs", "7")
    assert done.returncode == 7, done.stderr
    assert done.stdout.splitlines() == ["blob paid", "queue work", "table Ada", "servicebus order"]


def test_managed_identities_have_tokens(node: str) -> None:
    done = under_localzure(node, "managed_identity.mjs")
    assert done.returncode == 0, done.stderr
    kinds = ("system-assigned", "user-assigned")
    assert done.stdout.splitlines() == [
        f"{host} https://storage.azure.com {kind}" for host in ("App Service", "IMDS") for kind in kinds
    ]
