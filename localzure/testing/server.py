"""A LocalZure server process that a test owns."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from localzure.client import OwnApiClient
from localzure.config.settings import LISTENERS
from localzure.testing.clock import ServerClock

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

START_SECONDS_MAX = 30.0
"""How long a server may take until it serves."""

STOP_SECONDS_MAX = 45.0
"""How long a server may take to stop: more than it waits for requests in flight."""

_POLL_SECONDS = 0.005
_PORT_FLAGS = {"gateway": "--port"}

QueueProperties = Mapping[str, object]
"""A queue's properties in the words of Microsoft's `Config.json`, such as `{"LockDuration": "PT5S"}`."""


class ServerFailedError(RuntimeError):
    """The server did not start or stop as it should; the text ends with what it wrote to stderr."""


class LocalZure:
    """A real server process on ephemeral ports, in memory unless told otherwise.

    Use it as a context manager, or call `start` and `close`. The process sees the environment without variables of
    LocalZure's own: only what is given here counts.

        with LocalZure(queues={"orders": {"LockDuration": "PT5S"}}) as azure:
            BlobServiceClient.from_connection_string(azure.blob_connection_string)
    """

    def __init__(
        self,
        *,
        in_memory: bool = True,
        data_dir: str | os.PathLike[str] | None = None,
        queues: Sequence[str] | Mapping[str, QueueProperties] = (),
        topics: Mapping[str, Sequence[str]] | None = None,
        config: str | os.PathLike[str] | Mapping[str, object] | None = None,
        seed: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] = (),
        durability: str | None = None,
        env: Mapping[str, str] | None = None,
        accounts_on_first_use: bool = False,
        namespaces_on_first_use: bool = False,
        extra_args: Sequence[str] = (),
        start_seconds_max: float = START_SECONDS_MAX,
        stop_seconds_max: float = STOP_SECONDS_MAX,
    ) -> None:
        """Describe the server; nothing runs yet.

        `data_dir` keeps the data in that folder; with `in_memory=False` alone it is a temporary one, which restarts
        keep and `close` deletes. `queues` are Service Bus queues to create, `topics` topics with
        the names of their subscriptions. `config` is a configuration file or its
        content, `seed` one or more seed files, `durability` one of process and full, for data on disk. With
        `accounts_on_first_use` there is every storage account that is asked for. `env` is
        added to the environment, `extra_args` to the command line.
        """
        self._folder = Path(tempfile.mkdtemp(prefix="localzure-"))
        self._ready_file = self._folder / "ready.json"
        self._data_dir = Path(data_dir).absolute() if data_dir else None if in_memory else self._folder / "data"
        self._durability = durability
        self._seeds = [Path(path).absolute() for path in ([seed] if isinstance(seed, str | os.PathLike) else seed)]
        if queues or topics:
            self._seeds.append(self._write("entities.json", _seed(queues, topics or {})))
        self._config = self._write("config.json", config) if isinstance(config, Mapping) else config
        self._env = dict(env or {})
        self._extra_args = ["--accounts-on-first-use"] if accounts_on_first_use else []
        self._extra_args += ["--namespaces-on-first-use"] if namespaces_on_first_use else []
        self._extra_args += extra_args
        self._admin_token = self._env.get("LOCALZURE_ADMIN_TOKEN")
        self._start_seconds_max = start_seconds_max
        self._stop_seconds_max = stop_seconds_max
        self._told: dict[str, Any] = {}
        self._ca_file: Path | None = None
        self._processes: list[subprocess.Popen[bytes]] = []
        self._cleanup = weakref.finalize(self, _clean_up, self._processes, self._folder)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Start the server and return once every listener serves; a started server again on the same ports.

        Raises ServerFailedError when it ends instead, or takes too long.
        """
        if self.running:
            raise RuntimeError("the server runs already")
        self._ready_file.unlink(missing_ok=True)
        self._ca_file = None
        with (self._folder / "stdout").open("ab") as output, (self._folder / "stderr").open("ab") as errors:
            process = subprocess.Popen(  # noqa: S603 -- the command is our own
                self.command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, env=self._environment()
            )
        self._processes[:] = [process]
        self._told = self._await_ready(process)

    def stop(self) -> int:
        """Stop the server in order (SIGTERM): what is in flight finishes. Returns its exit code.

        Raises ServerFailedError, and kills it, when it takes too long.
        """
        self._running_process().terminate()
        return self.wait()

    def wait(self) -> int:
        """Wait for the server to end, as after a signal that somebody else sent. Returns its exit code.

        Raises ServerFailedError, and kills it, when it takes too long.
        """
        process = self._running_process()
        try:
            code = process.wait(self._stop_seconds_max)
        except subprocess.TimeoutExpired:
            self.kill()
            raise ServerFailedError(f"the server did not stop in {self._stop_seconds_max} s\n{self.logs}") from None
        self._processes.clear()
        return code

    def kill(self) -> None:
        """End the server at once (SIGKILL), as a crash would."""
        process = self._running_process()
        process.kill()
        process.wait()
        self._processes.clear()

    def restart(self) -> None:
        """Stop the server if it runs, and start it with the same data and ports."""
        if self.running:
            self.stop()
        self.start()

    def close(self) -> None:
        """Stop the server if it runs, and delete what was temporary. May be called again."""
        try:
            if self.running:
                self.stop()
        finally:
            self._cleanup()

    @property
    def running(self) -> bool:
        """Whether the server process runs."""
        return bool(self._processes) and self._processes[0].poll() is None

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self._running_process().pid

    @property
    def endpoints(self) -> dict[str, str]:
        """The URL of each listener by name, such as `gateway`, `blob`, `amqp`, `amqps` and `servicebus`."""
        return dict(self._ready("endpoints"))

    @property
    def tls_endpoints(self) -> dict[str, str]:
        """The URL of each listener with TLS: `https`, or `amqps` for those of AMQP. The ports are the same."""
        return {name: _with_tls(url) for name, url in self.endpoints.items()}

    @property
    def connection_strings(self) -> dict[str, str]:
        """The connection strings by name: `storage`, `servicebus`."""
        return dict(self._ready("connection_strings"))

    @property
    def tls_connection_strings(self) -> dict[str, str]:
        """Connection strings by name for clients that trust `ca_file`: `storage` over HTTPS, `servicebus` over AMQPS.

        Without the emulator's flag, Service Bus clients speak TLS to port 5671, or where their option for another
        endpoint says (`custom_endpoint_address` in Python, with `tls_endpoints["amqps"]`).
        """
        plain = self.connection_strings
        secure = {}
        if "storage" in plain:
            secure["storage"] = (
                plain["storage"].replace("http://", "https://").replace("Protocol=http;", "Protocol=https;")
            )
        if "servicebus" in plain:
            secure["servicebus"] = plain["servicebus"].replace("UseDevelopmentEmulator=true;", "")
        return secure

    @property
    def ca_file(self) -> Path:
        """The certificate (PEM) that clients trust for TLS: a copy that is there until `close`.

        In memory each start has a certificate authority of its own.
        """
        if self._ca_file is None:
            self._running_process()
            self._ca_file = self._fetch_ca()
        return self._ca_file

    @property
    def blob_connection_string(self) -> str:
        """For `BlobServiceClient.from_connection_string`."""
        return self.connection_strings["storage"]

    @property
    def queue_connection_string(self) -> str:
        """For `QueueServiceClient.from_connection_string`."""
        return self.connection_strings["storage"]

    @property
    def table_connection_string(self) -> str:
        """For `TableServiceClient.from_connection_string`."""
        return self.connection_strings["storage"]

    def account_connection_string(self, account: str) -> str:
        """For the storage clients of another account of the server that has the key of devstoreaccount1.

        That is so for every account of a server with `accounts_on_first_use`.
        """
        return self.connection_strings["storage"].replace("devstoreaccount1", account)

    @property
    def servicebus_connection_string(self) -> str:
        """For `ServiceBusClient.from_connection_string`."""
        return self.connection_strings["servicebus"]

    @property
    def clock(self) -> ServerClock:
        """The server's virtual time: freeze, set and advance it instead of waiting."""
        return ServerClock(self._client)

    def reset(self, service: str | None = None, account: str | None = None, namespace: str | None = None) -> None:
        """Empty everything, a service (`blob`, `queue`, `table`, `servicebus`), a storage account, or a namespace.

        The seeds are applied again; the process, its ports and its clock go on. Raises `localzure.client.ClientError`.
        """
        wanted = {"service": service, "account": account, "namespace": namespace}
        self._client().call("POST", "reset", {name: value for name, value in wanted.items() if value is not None})

    def snapshot(self, name: str) -> None:
        """Make a snapshot of everything, in place of one that is called so. Raises `localzure.client.ClientError`."""
        self._client().call("PUT", f"snapshots/{name}")

    def restore(self, name: str) -> None:
        """Go back to a snapshot. Raises `localzure.client.ClientError`."""
        self._client().call("POST", f"snapshots/{name}/restore")

    def namespace_connection_string(self, namespace: str) -> str:
        """For Service Bus clients of a namespace of its own, on a server with `namespaces_on_first_use`.

        They connect where their option for another endpoint says: `custom_endpoint_address` in Python, with
        `endpoints["amqp"]`.
        """
        key = self.connection_strings["servicebus"].partition(";")[2]
        return f"Endpoint=sb://{namespace}.servicebus.localhost;{key}"

    @property
    def data_dir(self) -> Path | None:
        """Where the data is; None in memory."""
        return self._data_dir

    @property
    def logs(self) -> str:
        """What the server wrote to stderr so far, over all its starts."""
        return self._read("stderr")

    @property
    def output(self) -> str:
        """What the server wrote to stdout so far, over all its starts."""
        return self._read("stdout")

    @property
    def command(self) -> list[str]:
        """The command line of the next start."""
        # -P: a file of the test's own folder that is called like a module must not take its place.
        command = [sys.executable, "-P", "-m", "localzure", "start", "--ready-file", str(self._ready_file)]
        command += ["--all-ports", "0"]
        ours = {name for name, _ in LISTENERS}
        for name, url in self._told.get("endpoints", {}).items():
            if name in ours:
                command += [_PORT_FLAGS.get(name, f"--{name}-port"), url.rpartition(":")[2]]
        command += ["--data-dir", str(self._data_dir)] if self._data_dir else ["--in-memory"]
        for flag, value in (("--durability", self._durability), ("--config", self._config)):
            command += [flag, str(value)] if value is not None else []
        for path in self._seeds:
            command += ["--seed", str(path)]
        return command + self._extra_args

    def _environment(self) -> dict[str, str]:
        """The environment of the process."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("LOCALZURE_")}
        return inherited | self._env

    def _await_ready(self, process: subprocess.Popen[bytes]) -> dict[str, Any]:
        """What the ready-file says, once it is there."""
        deadline = time.monotonic() + self._start_seconds_max
        while not self._ready_file.exists():
            if process.poll() is not None:
                raise ServerFailedError(f"the server ended with exit code {process.returncode}\n{self.logs}")
            if time.monotonic() > deadline:
                self.kill()
                raise ServerFailedError(f"the server did not serve in {self._start_seconds_max} s\n{self.logs}")
            time.sleep(_POLL_SECONDS)
        told: dict[str, Any] = json.loads(self._ready_file.read_bytes())
        return told

    def _running_process(self) -> subprocess.Popen[bytes]:
        """The process; raises RuntimeError when there is none."""
        if not self._processes:
            raise RuntimeError("the server does not run")
        return self._processes[0]

    def _ready(self, name: str) -> dict[str, str]:
        """A part of what the last start told."""
        if not self._told:
            raise RuntimeError("the server was not started")
        part: dict[str, str] = self._told[name]
        return part

    def _client(self) -> OwnApiClient:
        """For calls to LocalZure's own API."""
        return OwnApiClient(self.endpoints["gateway"], self._admin_token)

    def _fetch_ca(self) -> Path:
        """A copy of the certificate that the server tells; every HTTP listener does."""
        content = self._client().fetch("GET", "ca.pem")
        path = self._folder / "ca.pem"
        path.write_bytes(content)
        return path

    def _write(self, name: str, content: object) -> Path:
        """Write a JSON file into the temporary folder."""
        path = self._folder / name
        path.write_text(json.dumps(content), encoding="utf-8")
        return path

    def _read(self, name: str) -> str:
        """A file of the temporary folder; empty when it is not there."""
        path = self._folder / name
        return path.read_text("utf-8", "replace") if path.exists() else ""


def _with_tls(url: str) -> str:
    """The same place, spoken to with TLS."""
    scheme, _, place = url.partition("://")
    return f"{'amqps' if scheme.startswith('amqp') else 'https'}://{place}"


def _seed(
    queues: Sequence[str] | Mapping[str, QueueProperties], topics: Mapping[str, Sequence[str]]
) -> dict[str, object]:
    """A seed file with these entities, in the form of Microsoft's Service Bus emulator."""
    properties = queues if isinstance(queues, Mapping) else {name: {} for name in queues}
    rows = [{"Name": name, "Properties": dict(own)} for name, own in properties.items()]
    published = [
        {"Name": name, "Properties": {}, "Subscriptions": [{"Name": each, "Properties": {}} for each in subscriptions]}
        for name, subscriptions in topics.items()
    ]
    namespace = {"Name": "sbemulatorns", "Queues": rows, "Topics": published}
    return {"UserConfig": {"Namespaces": [namespace], "Logging": {"Type": "File"}}}


def _clean_up(processes: list[subprocess.Popen[bytes]], folder: Path) -> None:
    """End a process that was left running, and delete the temporary folder."""
    import shutil  # late: also runs while the interpreter ends

    for process in processes:
        process.kill()
        process.wait()
    processes.clear()
    shutil.rmtree(folder, ignore_errors=True)
