"""The Java SDKs. `make conformance` installs them."""

from __future__ import annotations

import shutil
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from localzure.testing import LocalZure
from tests.conformance.programs import Programs, environment_of, scenarios

FOLDER = Path(__file__).parent / "java"
CLASSPATH = FOLDER / "target" / "classpath"
PACKAGE = "localzure.conformance"
SCENARIOS = scenarios(sorted((FOLDER / "src/main/java/localzure/conformance").glob("*.java")))


@pytest.fixture(scope="module")
def java() -> str:
    found = shutil.which("java")
    if found is None or not CLASSPATH.exists():
        pytest.skip("the Java SDKs are not installed: `make conformance` does it, with Java 17 or newer and Maven")
    return found


@pytest.fixture(scope="module")
def azure(java: str) -> Iterator[LocalZure]:
    with LocalZure(in_memory=False) as server:
        yield server


@pytest.fixture(scope="module")
def programs(java: str, azure: LocalZure, tmp_path_factory: pytest.TempPathFactory) -> Programs:
    trusted = tmp_path_factory.mktemp("java") / "ca.p12"
    with urllib.request.urlopen(f"{azure.endpoints['gateway']}/_localzure/ca.p12") as reply:
        trusted.write_bytes(reply.read())
    command = [
        java,
        f"-Djavax.net.ssl.trustStore={trusted}",
        "-Djavax.net.ssl.trustStorePassword=changeit",
        "-cp",
        f"{FOLDER / 'target' / 'classes'}:{CLASSPATH.read_text('utf-8')}",
    ]
    return Programs(command, FOLDER, environment_of(azure))


@pytest.mark.parametrize(("program", "scenario"), SCENARIOS)
def test_scenario(program: str, scenario: str, programs: Programs) -> None:
    programs.run(f"{PACKAGE}.{program}").check(scenario)
