"""What people run instead of LocalZure, as processes: Azurite from npm, RabbitMQ with its AMQP 1.0 plugin from Debian.

Neither is installed by this repository. Azurite is looked for in `AZURITE_FOLDER` (a folder given to
`npm install --prefix`), by default `~/.cache/localzure-benchmarks/azurite`; RabbitMQ where the Debian package
`rabbitmq-server` puts it. Each runs with its own defaults for durability, over an empty directory, on free ports.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

AZURITE_FOLDER = Path(os.environ.get("AZURITE_FOLDER", "~/.cache/localzure-benchmarks/azurite")).expanduser()
RABBITMQ = Path("/usr/lib/rabbitmq/bin")

START_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 20.0
_POLL_SECONDS = 0.005

_RABBITMQ_CONFIGURATION = """\
listeners.tcp.default = 127.0.0.1:{port}
log.console = false
"""
_RABBITMQ_ADVANCED = '[{rabbitmq_amqp1_0, [{default_user, "guest"}]}].\n'
"""The user of SASL ANONYMOUS, in the plugin that RabbitMQ 3 has ("AMQP 1.0 support for RabbitMQ")."""


def azurite_is_missing() -> str:
    """Say what to do about it where Azurite is not installed, else nothing."""
    if not shutil.which("node") or not _azurite().exists():
        return f"Azurite is not installed: npm install --prefix {AZURITE_FOLDER} azurite"
    return ""


def rabbitmq_is_missing() -> str:
    """Say what to do about it where RabbitMQ is not installed, else nothing."""
    if not (RABBITMQ / "rabbitmq-server").exists() or not shutil.which("epmd"):
        return "RabbitMQ is not installed: apt-get install rabbitmq-server"
    return ""


@contextmanager
def azurite(directory: Path) -> Iterator[tuple[int, float, tuple[int, int, int]]]:
    """Run Azurite; gives its process id, the seconds to ready, and the ports of blob, queue and table."""
    directory.mkdir(parents=True)
    blob, queue, table = _free_ports(3)
    command = ["node", str(_azurite()), "--silent", "--disableTelemetry", "--skipApiVersionCheck"]
    command += ["--location", str(directory), "--blobPort", str(blob), "--queuePort", str(queue)]
    command += ["--tablePort", str(table)]
    with _process(command, os.environ, (blob, queue, table)) as (pid, seconds):
        yield pid, seconds, (blob, queue, table)


@contextmanager
def rabbitmq(directory: Path) -> Iterator[tuple[int, float, int]]:
    """Run RabbitMQ and a port mapper of its own; gives its process id, the seconds to ready, and the AMQP port."""
    directory.mkdir(parents=True)
    port, distribution, mapper = _free_ports(3)
    (directory / "rabbitmq.conf").write_text(_RABBITMQ_CONFIGURATION.format(port=port))
    (directory / "advanced.config").write_text(_RABBITMQ_ADVANCED)
    (directory / "enabled_plugins").write_text("[rabbitmq_amqp1_0].\n")
    environment = {
        **os.environ,
        "HOME": str(directory),
        "ERL_CRASH_DUMP": os.devnull,
        "ERL_EPMD_PORT": str(mapper),
        "RABBITMQ_NODENAME": f"benchmark{port}@localhost",
        "RABBITMQ_DIST_PORT": str(distribution),
        "RABBITMQ_MNESIA_BASE": str(directory / "data"),
        "RABBITMQ_LOG_BASE": str(directory / "log"),
        "RABBITMQ_CONFIG_FILE": str(directory / "rabbitmq.conf"),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(directory / "advanced.config"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(directory / "enabled_plugins"),
        "RABBITMQ_PID_FILE": str(directory / "pid"),
    }
    with (
        _process(["epmd", "-port", str(mapper)], environment, (mapper,)),
        _process([str(RABBITMQ / "rabbitmq-server")], environment, (port,)) as (pid, seconds),
    ):
        yield _beam(pid), seconds, port


def _azurite() -> Path:
    return AZURITE_FOLDER / "node_modules" / "azurite" / "dist" / "src" / "azurite.js"


@contextmanager
def _process(
    command: Sequence[str], environment: Mapping[str, str], ports: Sequence[int]
) -> Iterator[tuple[int, float]]:
    """Run a command until the block ends; it is ready when all its ports take connections. Raises OSError."""
    started = time.perf_counter()
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while not all(_listens(port) for port in ports):
            if process.poll() is not None or time.perf_counter() - started > START_SECONDS_MAX:
                raise OSError(f"{command[0]} did not start")
            time.sleep(_POLL_SECONDS)
        yield process.pid, time.perf_counter() - started
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def _free_ports(count: int) -> list[int]:
    """Ports that nobody has now. Another program may take one before it is used: the start then fails."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports: list[int] = [sock.getsockname()[1] for sock in sockets]
    for sock in sockets:
        sock.close()
    return ports


def _beam(pid: int) -> int:
    """The virtual machine below a start script: its figures are the server's."""
    while not Path(f"/proc/{pid}/comm").read_text().startswith("beam"):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if not children:
            raise OSError("RabbitMQ's virtual machine was not found")
        pid = int(children[-1])
    return pid
