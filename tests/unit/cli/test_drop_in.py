"""The words, mounts and variables of Microsoft's emulators, and Azurite's flags in LocalZure's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
import pytest

from localzure.cli.azurite import SERVICES, command, flags_for
from localzure.cli.drop_in import announcement, farewell, surroundings
from localzure.config.load import load

if TYPE_CHECKING:
    from pathlib import Path


def _given(*args: str, services: tuple[str, ...] = SERVICES) -> dict[str, Any]:
    """What click makes of Azurite's flags."""
    return dict(command("azurite", services).make_context("azurite", list(args)).params)


def test_the_lines_are_those_that_test_kits_wait_for() -> None:
    settings = load({"--host": "0.0.0.0"}, {})
    endpoints = {"blob": "http://127.0.0.1:10000", "table": "http://127.0.0.1:5", "amqp": "amqp://127.0.0.1:5672"}
    assert announcement(endpoints, settings).splitlines() == [
        "Azurite Blob service is starting at http://0.0.0.0:10000",
        "Azurite Blob service is successfully listening at http://0.0.0.0:10000",
        "Azurite Table service is starting at http://0.0.0.0:5",
        "Azurite Table service is successfully listening at http://0.0.0.0:5",
        "Emulator Service is Successfully Up!",
    ]


def test_the_last_words_name_the_services_that_ran() -> None:
    assert farewell(load({"--services": "queue,servicebus"}, {})) == "Azurite Queue service successfully closed"


def test_a_mounted_configuration_is_the_seed(tmp_path: Path) -> None:
    mounted = tmp_path / "Config.json"
    assert surroundings({"--seed": ()}, {}, mounted) == {"--seed": ()}
    mounted.write_text("{}")
    assert surroundings({"--seed": ()}, {}, mounted) == {"--seed": (str(mounted),)}


@pytest.mark.parametrize(
    ("flags", "environment"),
    [
        ({"--seed": ("mine.json",)}, {}),
        ({"--seed": ()}, {"LOCALZURE_SEED": "mine.json"}),
        ({"--config": "localzure.yaml"}, {}),
        ({}, {"LOCALZURE_CONFIG": "localzure.yaml"}),
    ],
)
def test_what_is_said_in_our_own_words_wins(
    tmp_path: Path, flags: dict[str, object], environment: dict[str, str]
) -> None:
    (mounted := tmp_path / "Config.json").write_text("{}")
    assert surroundings(flags, environment, mounted) == flags


def test_the_emulators_variable_moves_its_port(tmp_path: Path) -> None:
    moved, nowhere = {"EMULATOR_HTTP_PORT": "5301"}, tmp_path / "none"
    assert surroundings({}, moved, nowhere) == {"--servicebus-port": "5301"}
    assert surroundings({"--servicebus-port": "1"}, moved, nowhere) == {"--servicebus-port": "1"}
    assert surroundings({}, moved | {"LOCALZURE_SERVICEBUS_PORT": "2"}, nowhere) == {}


def test_azurites_flags_in_ours(tmp_path: Path) -> None:
    given = _given("--blobHost", "0.0.0.0", "--blobPort", "1", "-l", str(tmp_path), "-d", "debug.log", "-L", "-s")
    settings = load(flags_for(SERVICES, given), {})
    assert settings.host == "0.0.0.0"
    assert settings.services == SERVICES
    assert {listener.name: listener.port for listener in settings.listeners()} == {
        "blob": 1,
        "queue": 10001,
        "table": 10002,
    }
    assert settings.data_dir == tmp_path / ".localzure"
    assert (settings.log.level, settings.log.file and settings.log.file.name) == ("debug", "debug.log")


def test_azurite_in_memory_silent_and_with_a_certificate() -> None:
    given = _given("--inMemoryPersistence", "--silent", "--cert", "c.pfx", "--pwd", "p", services=("blob",))
    settings = load(flags_for(("blob",), given), {})
    assert settings.in_memory
    assert settings.log.level == "error"
    assert settings.tls_certificate is not None
    assert settings.tls_certificate.name == "c.pfx"
    assert announcement({"blob": "http://127.0.0.1:9"}, settings).endswith("at https://127.0.0.1:9")


def test_services_of_one_process_share_an_address() -> None:
    assert flags_for(SERVICES, _given("--blobHost", "::1", "--queueHost", "::1"))["--host"] == "::1"
    with pytest.raises(click.UsageError, match=r"not on 127\.0\.0\.1 and 127\.0\.0\.2"):
        flags_for(SERVICES, _given("--blobHost", "127.0.0.1", "--queueHost", "127.0.0.2"))


@pytest.mark.parametrize("flag", ["--blobKeepAliveTimeout=5", "--extentMemoryLimit=1024", "--oauth=basic"])
def test_flags_without_a_counterpart_are_taken(flag: str) -> None:
    assert load(flags_for(SERVICES, _given(flag)), {}).services == SERVICES
