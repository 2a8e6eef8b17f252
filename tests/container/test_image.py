"""The image: built, and used from outside by the SDKs in the place of Microsoft's images.

Takes minutes, and root where the engine needs it: `make image-test` asks for it.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.storage.blob import BlobServiceClient

from tests.container.engine import Engine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

IMAGE = "localhost/localzure:test"
SERVICE_BUS = (
    "Endpoint=sb://127.0.0.1;SharedAccessKeyName=RootManageSharedAccessKey;"
    "SharedAccessKey=SAS_KEY_VALUE;UseDevelopmentEmulator=true;"
)

pytestmark = [
    pytest.mark.skipif("LOCALZURE_CONTAINER_TESTS" not in os.environ, reason="asked for by `make image-test`"),
    pytest.mark.skipif(Engine.here() is None, reason="neither docker nor podman works here"),
]


@pytest.fixture(scope="module")
def engine() -> Engine:
    """The engine, with the image built."""
    found = Engine.here()
    assert found is not None
    found.build(IMAGE)
    return found


@pytest.fixture
def name(engine: Engine) -> Iterator[str]:
    """The name of a container that is gone after the test."""
    chosen = f"localzure-test-{uuid4().hex[:8]}"
    yield chosen
    engine.remove(chosen)


def test_the_default_command_stands_in_for_both_emulators(engine: Engine, name: str, tmp_path: Path) -> None:
    queue = {"Name": "mounted", "Properties": {"LockDuration": "PT30S"}}
    config = {"UserConfig": {"Namespaces": [{"Name": "any", "Queues": [queue]}], "Logging": {"Type": "Console"}}}
    (mounted := tmp_path / "Config.json").write_text(json.dumps(config))
    mounted.chmod(0o644)
    tmp_path.chmod(0o755)
    mount = f"{mounted}:/ServiceBus_Emulator/ConfigFiles/Config.json:ro"
    settings = ["ACCEPT_EULA=Y", "SQL_SERVER=mssql", "MSSQL_SA_PASSWORD=none", "SQL_WAIT_INTERVAL=0"]
    variables = [word for setting in settings for word in ("--env", setting)]
    engine.run(name, "--volume", mount, *variables, image=IMAGE)
    log = engine.wait_for(name, "Emulator Service is Successfully Up!")
    for service, port in (("Blob", 10000), ("Queue", 10001), ("Table", 10002)):
        assert f"Azurite {service} service is successfully listening at http://0.0.0.0:{port}" in log
    with BlobServiceClient.from_connection_string("UseDevelopmentStorage=true") as blobs:
        blobs.create_container("outside").upload_blob("blob", b"content")
    with ServiceBusClient.from_connection_string(SERVICE_BUS) as client:
        with client.get_queue_sender("mounted") as sender:
            sender.send_messages(ServiceBusMessage("hello"))
        with client.get_queue_receiver("mounted", max_wait_time=5) as receiver:
            assert [str(message) for message in receiver.receive_messages()] == ["hello"]
    assert engine.exec(name, "localzure", "health").strip() == "healthy"
    assert engine.exec(name, "id", "-u").strip() == "10001"
    assert engine.stop(name) == 0


def test_azurites_entry_point_and_flags(engine: Engine, name: str) -> None:
    hosts = [word for service in ("blob", "queue", "table") for word in (f"--{service}Host", "0.0.0.0")]
    engine.run(name, "--entrypoint", "azurite", image=IMAGE, command=(*hosts, "--inMemoryPersistence"))
    engine.wait_for(name, "Azurite Table service is successfully listening at http://0.0.0.0:10002")
    with BlobServiceClient.from_connection_string("UseDevelopmentStorage=true") as blobs:
        assert [container.name for container in blobs.list_containers()] == []
    assert engine.stop(name) == 0


def test_the_volume_outlives_the_container(engine: Engine, name: str, tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    for run in range(2):
        engine.run(name, "--volume", f"{tmp_path}:/data", image=IMAGE)
        engine.wait_for(name, "Emulator Service is Successfully Up!")
        with BlobServiceClient.from_connection_string("UseDevelopmentStorage=true") as blobs:
            if run == 0:
                blobs.create_container("kept").upload_blob("blob", b"content")
            assert blobs.get_blob_client("kept", "blob").download_blob().readall() == b"content"
        assert engine.stop(name) == 0
        engine.remove(name)
