"""What the command line does before a server runs: its help, its version, and its refusals in one line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from localzure import __version__
from localzure.cli.main import localzure, main
from localzure.config.options import OPTIONS

if TYPE_CHECKING:
    from pathlib import Path


def refused(capsys: pytest.CaptureFixture[str], *args: str) -> str:
    """The one line that `args` are refused with."""
    assert main(args) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.endswith("\n")
    (line,) = captured.err.splitlines()
    return line


def test_without_a_command_the_help_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    without = capsys.readouterr()
    assert main(["--help"]) == 0
    assert capsys.readouterr() == without
    assert "\n  ca " in without.out
    assert "\n  start " in without.out


def test_the_help_of_start_shows_every_flag_that_has_an_effect(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["start", "--help"]) == 0
    shown = capsys.readouterr().out.split()
    for option in OPTIONS:
        if option.flag:
            assert (option.flag in shown) == option.served


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["snapshoot"], "localzure: No such command 'snapshoot'. Did you mean 'snapshot'? (see localzure --help)"),
        (["start", "--prt", "1"], "localzure: No such option '--prt'"),
        (["start", "now"], "localzure: Got unexpected extra argument (now) (see localzure start --help)"),
        (["start", "--port"], "localzure: Option '--port' requires an argument"),
        (["start", "--port", "x\n"], "localzure: --port: expected an integer from 0 to 65535, or off, got 'x\\n'"),
        (["start", "--all-ports", "7"], "localzure: --all-ports: expected 0, which gives every listener"),
        (
            ["start", "--auth", "acl"],
            "localzure: --auth: expected one of off, any, verify, rbac, got 'acl'",
        ),
        (["start", "--in-memory", "--data-dir", "x"], "localzure: --data-dir and --in-memory contradict each other"),
        (["start", "--config", "no\nsuch.yaml"], "localzure: no?such.yaml: no such file or directory"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(args: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(capsys, *args).startswith(said)


def test_the_environment_is_read(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALZURE_BLOB_PORT", "x")
    assert refused(capsys, "start").startswith("localzure: LOCALZURE_BLOB_PORT: expected an integer")


def test_a_file_is_read_and_named_with_the_path_in_it(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "localzure.yaml"
    file.write_text("ports: {blob: x}")
    line = refused(capsys, "start", "--config", str(file))
    assert line == f"localzure: {file}: at ports.blob: expected an integer from 0 to 65535, or off, got 'x'"


def test_a_log_file_that_cannot_be_written(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    line = refused(capsys, "start", "--in-memory", "--all-ports", "0", "--log-file", str(tmp_path / "x" / "y"))
    assert line.endswith("cannot be opened (no such file or directory): choose another with --log-file")


def test_every_flag_of_the_table_is_a_parameter() -> None:
    start = localzure.commands["start"]
    flags = {flag for parameter in start.params for flag in parameter.opts}
    assert flags == {option.flag for option in OPTIONS if option.flag} | {"--config"}


@pytest.mark.parametrize("command", [[sys.executable, "-m", "localzure"], [sys.executable, "-P", "-m", "localzure"]])
def test_the_version_from_any_folder(command: list[str], tmp_path: Path) -> None:
    (tmp_path / "storage").mkdir()
    (tmp_path / "protocols").mkdir()
    done = subprocess.run([*command, "--version"], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert done.stdout == f"localzure {__version__}\n"


def test_a_refusal_of_a_process_is_exit_code_2_and_one_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "localzure", "start", "--nonsense"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1


def test_an_interrupt_before_the_server_runs_ends_quietly(tmp_path: Path) -> None:
    pipe = tmp_path / "localzure.yaml"
    os.mkfifo(pipe)
    command = [sys.executable, "-m", "localzure", "start", "--config", str(pipe)]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process,
        pipe.open("wb"),  # returns once the command reads its configuration, which does not end
    ):
        process.send_signal(signal.SIGINT)
        assert process.communicate() == (b"", b"\n")  # the line end is click's, after the ^C
    assert process.returncode == 130


def test_a_working_directory_that_is_gone(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    script = f"import os; os.chdir({os.fspath(folder)!r}); os.rmdir({os.fspath(folder)!r})\n"
    script += "import sys; from localzure.cli.main import main; sys.exit(main(['start']))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "localzure: the working directory does not exist any more: start from another folder\n"


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    script = "import sys, localzure.cli.main; print([name for name in HEAVY if name in sys.modules])"
    heavy = ["asyncio", "uvloop", "lmdb", "proton", "h11", "yaml", "msgspec", "cryptography", "logging", "ssl"]
    output = subprocess.run(
        [sys.executable, "-c", script.replace("HEAVY", repr(heavy))], capture_output=True, text=True, check=True
    ).stdout
    assert output == "[]\n"
