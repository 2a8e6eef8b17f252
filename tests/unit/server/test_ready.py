"""The ready-file and the connection strings."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from localzure.config.settings import Settings, SharedAccessKey, StorageAccount
from localzure.server.ready import ReadyFile, connection_strings
from localzure.server.startup import StartupError

if TYPE_CHECKING:
    from pathlib import Path

ENDPOINTS = {"gateway": "http://127.0.0.1:1", "blob": "http://127.0.0.1:2", "amqp": "amqp://[::1]:3"}


def test_the_file_is_there_from_write_to_remove(tmp_path: Path) -> None:
    path = tmp_path / "ready.json"
    path.write_text("left by a server that was killed")
    ready = ReadyFile(path)
    assert not path.exists()
    ready.write(ENDPOINTS, {"storage": "s"})
    assert json.loads(path.read_text()) == {
        "pid": os.getpid(),
        "endpoints": ENDPOINTS,
        "connection_strings": {"storage": "s"},
    }
    assert [entry.name for entry in tmp_path.iterdir()] == ["ready.json"]
    ready.remove()
    ready.remove()
    assert list(tmp_path.iterdir()) == []


def test_the_file_of_a_later_server_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "ready.json"
    first = ReadyFile(path)
    first.write({}, {})
    second = ReadyFile(path)
    first.remove()
    second.write({"blob": "another"}, {})
    first.remove()
    assert path.exists()


def test_no_file_where_none_is_asked_for() -> None:
    ready = ReadyFile(None)
    ready.write({}, {})
    ready.remove()


def test_a_file_that_cannot_be_written_is_told_at_start(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match=r"no such file or directory.*--ready-file$"):
        ReadyFile(tmp_path / "missing" / "ready.json")
    link = tmp_path / "link"
    link.symlink_to("/dev/null")
    for path in (tmp_path, link):
        with pytest.raises(StartupError, match=r"is no plain file: choose another with --ready-file$"):
            ReadyFile(path)
    assert link.is_symlink()


def test_a_file_that_cannot_be_written_any_more_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "ready.json"
    ready = ReadyFile(path)
    path.mkdir()
    with pytest.raises(StartupError, match=r"is a directory.*--ready-file$"):
        ready.write({}, {})
    ready.remove()
    assert [entry.name for entry in tmp_path.iterdir()] == ["ready.json"]


def test_connection_strings_of_the_defaults() -> None:
    key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
    assert connection_strings(ENDPOINTS, Settings()) == {
        "storage": f"DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey={key};"
        "BlobEndpoint=http://127.0.0.1:2/devstoreaccount1;",
        "servicebus": "Endpoint=sb://[::1]:3;SharedAccessKeyName=RootManageSharedAccessKey;"
        "SharedAccessKey=SAS_KEY_VALUE;UseDevelopmentEmulator=true;",
    }


def test_connection_strings_name_what_is_configured_and_served() -> None:
    settings = Settings(
        accounts=(StorageAccount("first", ("YQ==", "Yg==")), StorageAccount("second", ("Yw==",))),
        servicebus_key=SharedAccessKey("Root", "abc"),
    )
    endpoints = {"blob": "http://h:1/", "queue": "http://h:2", "table": "http://h:3"}
    assert connection_strings(endpoints, settings) == {
        "storage": "DefaultEndpointsProtocol=http;AccountName=first;AccountKey=YQ==;BlobEndpoint=http://h:1/first;"
        "QueueEndpoint=http://h:2/first;TableEndpoint=http://h:3/first;"
    }
    assert connection_strings({"amqp": "amqp://h:4"}, settings) == {
        "servicebus": "Endpoint=sb://h:4;SharedAccessKeyName=Root;SharedAccessKey=abc;UseDevelopmentEmulator=true;"
    }
    assert connection_strings({}, settings) == {}
