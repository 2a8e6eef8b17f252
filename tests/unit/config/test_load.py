"""Precedence, sources and cross-checks of the configuration."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from localzure.config.file import ConfigurationError
from localzure.config.load import load
from localzure.config.options import BY_PATH, OPTIONS, Option
from localzure.config.settings import LISTENERS, SERVICES, Listener, Ports, Settings


def refusal(flags: dict[str, object], environment: dict[str, str], directory: Path) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(flags, environment, directory)
    text = str(caught.value)
    assert "\n" not in text
    return text


def write(folder: Path, text: str, name: str = "localzure.yaml") -> str:
    (folder / name).write_text(text)
    return name


def test_nothing_set_gives_the_documented_defaults(tmp_path: Path) -> None:
    settings = load({}, {}, tmp_path)
    assert settings == Settings(data_dir=tmp_path / ".localzure", durability="process")
    assert settings.ports == Ports(8080, 10000, 10001, 10002, 5672, 5671, 5300, None, None)
    assert (settings.host, settings.auth, settings.services) == ("127.0.0.1", "verify", SERVICES)
    assert [account.name for account in settings.accounts] == ["devstoreaccount1"]
    assert len(settings.accounts[0].key_bytes[0]) == 64
    assert settings.servicebus_key.name == "RootManageSharedAccessKey"
    assert settings.servicebus_key.key == "SAS_KEY_VALUE"


def test_the_command_line_beats_the_environment_beats_the_file_beats_the_default(tmp_path: Path) -> None:
    file = write(tmp_path, "ports: {gateway: 1, blob: 1, amqp: 1}")
    environment = {"LOCALZURE_PORT": "2", "LOCALZURE_BLOB_PORT": "3", "LOCALZURE_CONFIG": file}
    settings = load({"--port": "4"}, environment, tmp_path)
    assert settings.ports == Ports(gateway=4, blob=3, amqp=1)
    assert settings.origins == {
        "ports.gateway": "--port",
        "ports.blob": "LOCALZURE_BLOB_PORT",
        "ports.amqp": "localzure.yaml: at ports.amqp",
    }


def test_the_config_flag_beats_its_variable(tmp_path: Path) -> None:
    write(tmp_path, "host: 127.0.0.2", "a.yaml")
    write(tmp_path, '{"host": "127.0.0.3"}', "b.json")
    assert load({"--config": "b.json"}, {"LOCALZURE_CONFIG": "a.yaml"}, tmp_path).host == "127.0.0.3"
    assert load({}, {"LOCALZURE_CONFIG": "a.yaml"}, tmp_path).host == "127.0.0.2"


def test_an_empty_variable_counts_as_absent(tmp_path: Path) -> None:
    settings = load({}, {"LOCALZURE_HOST": "", "LOCALZURE_CONFIG": "", "LOCALZURE_NOBODY": ""}, tmp_path)
    assert (settings.host, settings.warnings) == ("127.0.0.1", ())


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.path)
def test_every_error_names_its_source(option: Option, tmp_path: Path) -> None:
    bad = "\0bad value"
    file = write(tmp_path, f'{{"{option.path.split(".")[0]}": {nested(option.path)}}}', "c.json")
    text = refusal({"--config": file}, {}, tmp_path)
    assert text.startswith((f"c.json: at {option.path}: expected ", f"c.json: at {option.path}: no "))
    if option.flag and option.variable:
        assert refusal({option.flag: bad}, {}, tmp_path).startswith(f"{option.flag}: ")
        assert refusal({}, {option.variable: bad}, tmp_path).startswith(f"{option.variable}: ")


def nested(path: str) -> str:
    """A JSON value no setting takes, under the rest of `path`."""
    _, _, leaf = path.partition(".")
    return f'{{"{leaf}": "\\u0000bad value"}}' if leaf else '"\\u0000bad value"'


def test_the_line_for_a_wrong_port_is_the_documented_one(tmp_path: Path) -> None:
    file = write(tmp_path, "ports:\n  blob: x\n")
    assert refusal({"--config": file}, {}, tmp_path) == (
        "localzure.yaml: at ports.blob: expected an integer from 0 to 65535, or off, got 'x'"
    )
    assert refusal({"--blob-port": "65536"}, {}, tmp_path) == (
        "--blob-port: expected an integer from 0 to 65535, or off, got '65536'"
    )


def test_the_variable_that_commands_read_is_not_unknown(tmp_path: Path) -> None:
    assert load({}, {"LOCALZURE_ENDPOINT": "http://127.0.0.1:8080"}, tmp_path).warnings == ()


def test_unknown_variables_are_told_with_the_nearest_name(tmp_path: Path) -> None:
    settings = load({}, {"LOCALZURE_BLOBPORT": "1", "OTHER_BLOB_PORT": "x", "LOCALZURE_WXYZ": "1"}, tmp_path)
    assert settings.warnings == (
        "LOCALZURE_BLOBPORT: unknown variable; did you mean 'LOCALZURE_BLOB_PORT'?",
        "LOCALZURE_WXYZ: unknown variable; 'localzure start --help' lists the flags",
    )
    assert settings.ports == Ports()


def test_what_kubernetes_sets_beside_a_service_of_our_name_is_not_meant_for_us(tmp_path: Path) -> None:
    environment = {
        "LOCALZURE_PORT": "tcp://10.0.0.1:8080",
        "LOCALZURE_SERVICE_HOST": "10.0.0.1",
        "LOCALZURE_SERVICE_PORT": "8080",
        "LOCALZURE_SERVICE_PORT_BLOB": "10000",
        "LOCALZURE_PORT_8080_TCP": "tcp://10.0.0.1:8080",
        "LOCALZURE_PORT_8080_TCP_ADDR": "10.0.0.1",
    }
    settings = load({}, environment, tmp_path)
    assert (settings.ports, settings.warnings) == (Ports(), ())


def test_all_ports_zero_makes_every_listener_ephemeral(tmp_path: Path) -> None:
    settings = load({"--all-ports": "0"}, {}, tmp_path)
    assert settings.ports == Ports(0, 0, 0, 0, 0, 0, 0, None, None)
    assert {listener.port for listener in settings.listeners()} == {0}


def test_a_single_ports_own_setting_wins_over_all_ports_of_the_same_or_a_lower_source(tmp_path: Path) -> None:
    file = write(tmp_path, "ports: {all: 0, blob: 10, http: 80}")
    from_file = load({"--config": file, "--amqp-port": "5"}, {"LOCALZURE_PORT": "7"}, tmp_path).ports
    assert (from_file.gateway, from_file.blob, from_file.amqp, from_file.http, from_file.servicebus) == (
        7,
        10,
        5,
        80,
        0,
    )
    above = load({"--all-ports": "0", "--port": "9"}, {"LOCALZURE_CONFIG": file, "LOCALZURE_BLOB_PORT": "11"}, tmp_path)
    assert (above.ports.gateway, above.ports.blob, above.ports.http) == (9, 0, 0)


@pytest.mark.parametrize("value", ["1", "", "00", "x"])
def test_all_ports_takes_only_zero(value: str, tmp_path: Path) -> None:
    assert refusal({"--all-ports": value}, {}, tmp_path).startswith("--all-ports: expected 0, ")


def test_two_listeners_cannot_have_one_port(tmp_path: Path) -> None:
    assert refusal({"--blob-port": "8080"}, {}, tmp_path) == (
        "--port and --blob-port are both 8080: give each listener its own port"
    )
    settings = load({"--blob-port": "5672", "--services": "blob"}, {}, tmp_path)
    assert settings.listeners() == (
        Listener("gateway", None, 8080, "--port"),
        Listener("blob", "blob", 5672, "--blob-port"),
    )


def test_the_ports_with_tls_and_the_certificate(tmp_path: Path) -> None:
    settings = load({"--https-port": "443", "--tls-cert": "a.pem", "--tls-password": "secret-word"}, {}, tmp_path)
    assert Listener("https", None, 443, "--https-port") in settings.listeners()
    assert settings.tls_certificate is not None
    assert settings.tls_certificate.name == "a.pem"
    assert settings.tls_key is None
    assert "secret-word" in settings.secrets()
    assert "secret-word" not in repr(settings)


def test_ports_that_this_version_does_not_serve_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load({"--table-port": "1"}, {}, tmp_path).warnings == ()
    monkeypatch.setitem(BY_PATH, "ports.table", replace(BY_PATH["ports.table"], served=False))
    settings = load({"--table-port": "1"}, {}, tmp_path)
    assert settings.warnings == ("--table-port has no effect: this version does not serve that port",)
    settings = load({}, {"LOCALZURE_TABLE_PORT": "443"}, tmp_path)
    assert settings.warnings == ("LOCALZURE_TABLE_PORT has no effect: this version does not serve that port",)


def test_every_service_that_runs_is_listened_for(tmp_path: Path) -> None:
    served = {"gateway", "blob", "queue", "table", "amqp", "amqps", "servicebus"}
    assert {listener.name for listener in load({}, {}, tmp_path).listeners()} == served


def test_a_port_is_marked_as_served_exactly_when_it_is_bound() -> None:
    served = {path.removeprefix("ports.") for path, option in BY_PATH.items() if option.served}
    assert served & set(Ports.__slots__) == {name for name, _ in LISTENERS}
    assert {f"ports.{name}" for name in Ports.__slots__} <= set(BY_PATH)


@pytest.mark.parametrize(
    ("flags", "environment", "file", "memory", "durability"),
    [
        ({}, {}, "", False, "process"),
        ({"--durability": "full"}, {}, "", False, "full"),
        ({"--in-memory": True}, {}, "", True, "none"),
        ({"--durability": "none"}, {}, "", True, "none"),
        ({"--in-memory": True, "--durability": "none"}, {}, "", True, "none"),
        ({"--in-memory": True}, {"LOCALZURE_DATA_DIR": "d", "LOCALZURE_DURABILITY": "full"}, "", True, "none"),
        ({"--data-dir": "d"}, {"LOCALZURE_IN_MEMORY": "1"}, "", False, "process"),
        ({"--data-dir": "d"}, {"LOCALZURE_DURABILITY": "none"}, "", False, "process"),
        ({"--data-dir": "d"}, {"LOCALZURE_DURABILITY": "full"}, "", False, "full"),
        ({"--durability": "full"}, {}, "in_memory: true", False, "full"),
        ({}, {"LOCALZURE_IN_MEMORY": "no"}, "durability: none", False, "process"),
        ({}, {}, "in_memory: true", True, "none"),
        ({}, {}, "in_memory: false", False, "process"),
    ],
)
def test_the_highest_source_decides_where_the_store_lives(
    flags: dict[str, object], environment: dict[str, str], file: str, memory: bool, durability: str, tmp_path: Path
) -> None:
    settings = load({**flags, "--config": write(tmp_path, file)}, environment, tmp_path)
    assert (settings.in_memory, settings.durability) == (memory, durability)
    assert (settings.data_dir is None) == memory


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        ({"--in-memory": True, "--data-dir": "d"}, "--data-dir and --in-memory"),
        ({"--in-memory": True, "--durability": "full"}, "--durability and --in-memory"),
        ({"--data-dir": "d", "--durability": "none"}, "--data-dir and --durability"),
    ],
)
def test_one_source_may_not_contradict_itself_about_the_store(
    flags: dict[str, object], text: str, tmp_path: Path
) -> None:
    assert refusal(flags, {}, tmp_path) == f"{text} contradict each other: choose a store on disk or one in memory"


def test_relative_paths_start_from_the_folder_of_the_file_that_has_them(tmp_path: Path) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    write(folder, "data_dir: data\nseed: a.json\nready_file: /run/ready")
    settings = load({"--config": "etc/localzure.yaml"}, {}, tmp_path)
    assert settings.data_dir == folder / "data"
    assert settings.seeds == (folder / "a.json",)
    assert settings.ready_file == Path("/run/ready")
    assert load({"--data-dir": "x"}, {}, tmp_path).data_dir == tmp_path / "x"


def test_several_seeds_from_flags_variable_and_file(tmp_path: Path) -> None:
    both = (tmp_path / "a", tmp_path / "b")
    assert load({"--seed": ("a", "b")}, {}, tmp_path).seeds == both
    assert load({"--seed": ()}, {"LOCALZURE_SEED": "a:b"}, tmp_path).seeds == both
    assert load({"--config": write(tmp_path, "seed: [a, b]")}, {}, tmp_path).seeds == both


def test_everything_that_a_file_can_say(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        """
        host: "::1"
        auth: off
        durability: full
        services: {queue: off, table: off, servicebus: off}
        ports: {all: 0, gateway: 8081}
        log:
          level: {default: warning, localzure.services.blob: debug}
          format: json
          file: log/localzure.log
          file_bytes: 1 MiB
          file_count: 3
        storage:
          accounts: {one: YQ==, two: [Yg==, Yw==]}
        servicebus: {key_name: Root, key: abc}
        """,
    )
    settings = load({"--config": file}, {}, tmp_path)
    assert (settings.host, settings.auth, settings.durability, settings.services) == ("::1", "off", "full", ("blob",))
    assert [listener.name for listener in settings.listeners()] == ["gateway", "blob"]
    assert (settings.log.level, settings.log.levels) == ("warning", {"localzure.services.blob": "debug"})
    assert (settings.log.format, settings.log.file) == ("json", tmp_path / "log/localzure.log")
    assert (settings.log.file_bytes, settings.log.file_count) == (1024**2, 3)
    assert [(account.name, account.key_bytes) for account in settings.accounts] == [
        ("one", (b"a",)),
        ("two", (b"b", b"c")),
    ]
    assert settings.secrets() == ("YQ==", "Yg==", "Yw==", "abc")
    assert (settings.servicebus_key.name, settings.servicebus_key.key) == ("Root", "abc")


def test_no_key_shows_in_a_repr(tmp_path: Path) -> None:
    settings = load({}, {}, tmp_path)
    assert not any(secret in repr(settings) for secret in settings.secrets())
