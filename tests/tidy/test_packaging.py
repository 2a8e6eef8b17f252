"""What a user gets: the wheel holds the three packages, and runs outside of the checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from localzure import __version__

ROOT = Path(__file__).parents[2]
PACKAGES = {"localzure": ".", "localzure_protocols": "protocols", "localzure_storage": "storage"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy: a build leaves files beside its source, and finds those of the last one."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    for name, parent in PACKAGES.items():
        shutil.copytree(ROOT / parent / name, source / parent / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*command, "--wheel-dir", folder, source], check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_the_three_packages_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if not name.startswith(f"localzure-{__version__}.dist-info/")}
    expected = {
        path.relative_to(ROOT / parent).as_posix()
        for name, parent in PACKAGES.items()
        for path in (ROOT / parent / name).rglob("*")
        if path.suffix == ".py" or path.name in {"py.typed", "grammar.tables"}
    }
    assert held == expected


def test_every_package_is_marked_as_typed() -> None:
    assert all((ROOT / parent / name / "py.typed").exists() for name, parent in PACKAGES.items())


def test_the_wheel_runs_outside_of_the_checkout(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    script = "import sys, localzure.cli.main as cli; print(cli.__file__); sys.exit(cli.main(['--version']))"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-P", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [str(tmp_path / "localzure/cli/main.py"), f"localzure {__version__}"]
