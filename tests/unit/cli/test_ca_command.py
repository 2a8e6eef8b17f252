"""`localzure ca`: the certificate from the data directory or from a server, and refusals in one line."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from localzure.cli.main import main
from localzure.server.certificate_files import open_authority
from tests.twins import ManualClock, SeededEntropy


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing from outside: an empty folder to work in, and no variable of ours."""
    monkeypatch.chdir(tmp_path)
    for name in ("LOCALZURE_ENDPOINT", "LOCALZURE_DATA_DIR", "LOCALZURE_CONFIG", "LOCALZURE_IN_MEMORY"):
        monkeypatch.delenv(name, raising=False)


def make(data_dir: Path) -> str:
    """An authority as a server makes it; returns its certificate."""
    return open_authority(data_dir / "ca", ManualClock(), SeededEntropy()).certificate_pem.decode()


def printed(capsys: pytest.CaptureFixture[str], *args: str) -> str:
    assert main(["ca", *args]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def refused(capsys: pytest.CaptureFixture[str], *args: str) -> str:
    assert main(["ca", *args]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    return line.removeprefix("localzure: ")


@contextmanager
def server(status: int, body: bytes) -> Iterator[tuple[str, list[str]]]:
    """A server that gives every request the same answer, and the paths that it was asked for."""
    asked: list[str] = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as listening:
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.server_port}", asked
        finally:
            listening.shutdown()
            thread.join()


def test_without_a_command_the_help_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert "Print the path of the certificate." in printed(capsys)


def test_the_path_in_the_data_directory(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    make(tmp_path / ".localzure")
    assert printed(capsys, "path") == f"{tmp_path}/.localzure/ca/ca.pem\n"
    make(tmp_path / "other")
    assert printed(capsys, "path", "--data-dir", "other") == f"{tmp_path}/other/ca/ca.pem\n"


def test_the_data_directory_of_a_configuration_file_and_of_the_environment(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path / "mine")
    (tmp_path / "localzure.yaml").write_text("data_dir: mine")
    expected = f"{tmp_path}/mine/ca/ca.pem\n"
    assert printed(capsys, "path", "--config", "localzure.yaml") == expected
    monkeypatch.setenv("LOCALZURE_DATA_DIR", "mine")
    assert printed(capsys, "path") == expected


def test_the_certificate_of_the_data_directory(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    certificate = make(tmp_path / "d")
    assert printed(capsys, "print", "--data-dir", "d") == certificate


@pytest.mark.parametrize("command", ["path", "print"])
def test_before_there_is_one(command: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert refused(capsys, command) == (
        f"there is no {tmp_path}/.localzure/ca/ca.pem yet: start the server once with this data directory, or ask "
        "a running one (localzure ca print --endpoint http://127.0.0.1:8080)"
    )


def test_where_everything_is_in_memory(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALZURE_IN_MEMORY", "1")
    assert refused(capsys, "path").startswith("the configuration keeps everything in memory: ask the running server (")


def test_a_file_that_is_no_certificate(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "d" / "ca" / "ca.pem"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"\xff")
    assert refused(capsys, "print", "--data-dir", "d") == f"{file} is no certificate in PEM"
    file.unlink()
    file.mkdir()
    assert refused(capsys, "print", "--data-dir", "d") == f"cannot read {file}: Is a directory"


def test_wrong_settings_are_told_as_at_the_start(capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(capsys, "path", "--config", "none.yaml") == "none.yaml: no such file or directory"


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_certificate_of_a_running_server(slash: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    certificate = make(tmp_path)
    with server(200, certificate.encode()) as (url, asked):
        assert printed(capsys, "print", "--endpoint", url + slash) == certificate
    assert asked == ["/_localzure/ca.pem"]


def test_the_endpoint_of_the_environment_gives_way_to_a_data_directory(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, here = make(tmp_path / "there"), make(tmp_path / "here")
    assert there != here
    with server(200, there.encode()) as (url, _):
        monkeypatch.setenv("LOCALZURE_ENDPOINT", url)
        assert printed(capsys, "print") == there
        assert printed(capsys, "print", "--data-dir", "here") == here


def test_a_proxy_is_not_asked(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    certificate = make(tmp_path)
    with server(200, certificate.encode()) as (url, _):
        assert printed(capsys, "print", "--endpoint", url) == certificate


def test_a_server_that_answers_something_else(capsys: pytest.CaptureFixture[str]) -> None:
    with server(404, b"") as (url, _):
        assert refused(capsys, "print", "--endpoint", url) == f"{url}/_localzure/ca.pem answers 404 Not Found"
    with server(200, b"<html>") as (url, _):
        assert refused(capsys, "print", "--endpoint", url) == f"{url}/_localzure/ca.pem is no certificate in PEM"


@pytest.mark.parametrize("endpoint", ["localhost:8080", "ftp://localhost"])
def test_an_endpoint_that_is_no_url(endpoint: str, capsys: pytest.CaptureFixture[str]) -> None:
    line = refused(capsys, "print", "--endpoint", endpoint)
    assert line == f"--endpoint: expected a URL such as http://127.0.0.1:8080, got {endpoint!r}"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_nobody_there(scheme: str, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refused
        url = f"{scheme}://127.0.0.1:{taken.getsockname()[1]}"
        line = refused(capsys, "print", "--endpoint", url)
    remedy = "; the same port answers http:// too" if scheme == "https" else ""
    assert line == f"cannot reach {url}/_localzure/ca.pem: Connection refused{remedy}"


@pytest.mark.parametrize(
    ("url", "said"), [("http://127.0.0.1:x", "nonnumeric port"), ("http://[", "Invalid IPv6 URL")], ids=["port", "host"]
)
def test_a_url_that_cannot_be_asked(url: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    line = refused(capsys, "print", "--endpoint", url)
    assert line.startswith(f"cannot reach {url}/_localzure/ca.pem: {said}")


def test_both_sources_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    line = refused(capsys, "print", "--endpoint", "http://h", "--data-dir", "d")
    assert line == "--endpoint and --data-dir contradict each other: choose one"
