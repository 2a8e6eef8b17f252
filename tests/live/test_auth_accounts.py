"""Accounts from Azurite's variable and from a configuration file, whose keys change while the server runs."""

from __future__ import annotations

import base64
import time
from pathlib import Path

import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobServiceClient

from localzure.testing import LocalZure

FIRST, SECOND, THIRD = (base64.b64encode(text * 8).decode() for text in (b"first", b"second", b"third"))
SECONDS_MAX = 20.0


def works(azure: LocalZure, account: str, key: str) -> bool:
    url = f"{azure.endpoints['blob']}/{account}"
    with BlobServiceClient(url, credential={"account_name": account, "account_key": key}, retry_total=0) as client:
        try:
            list(client.list_containers())
        except HttpResponseError as error:
            assert error.status_code == 403
            return False
        return True


def test_azurites_variable_takes_the_place_of_the_default_account() -> None:
    with LocalZure(env={"AZURITE_ACCOUNTS": f"one:{FIRST}:{SECOND};two:{THIRD}"}) as azure:
        assert works(azure, "one", FIRST)
        assert works(azure, "one", SECOND)
        assert works(azure, "two", THIRD)
        assert not works(azure, "two", FIRST)
        assert not works(azure, "devstoreaccount1", FIRST)
        assert FIRST not in azure.logs


def test_keys_change_without_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "localzure.yaml"
    file.write_text(f"storage:\n  accounts:\n    one: [{FIRST}, {SECOND}]\n")
    with LocalZure(config=file) as azure:
        assert works(azure, "one", FIRST)
        file.write_text(f"storage:\n  accounts:\n    one: [{SECOND}, {THIRD}]\n    two: {THIRD}\n")
        started = time.monotonic()
        while not works(azure, "two", THIRD):
            assert time.monotonic() - started < SECONDS_MAX
        assert works(azure, "one", SECOND)
        assert works(azure, "one", THIRD)
        assert not works(azure, "one", FIRST)
        file.write_text("storage:\n  accounts:\n    one: [not base64]\n")
        while "the settings stay as they are" not in azure.logs:
            assert time.monotonic() - started < SECONDS_MAX
        assert works(azure, "one", SECOND)
        assert THIRD not in azure.logs


def test_what_an_account_is_changes_without_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "localzure.yaml"
    entry = f"storage:\n  accounts:\n    one:\n      keys: {FIRST}\n"
    file.write_text(entry)
    with LocalZure(config=file) as azure:
        url = f"{azure.endpoints['blob']}/one"
        credential = {"account_name": "one", "account_key": FIRST}
        with BlobServiceClient(url, credential=credential, retry_total=0) as client:
            box = client.create_container("box")
            box.upload_blob("blob", b"first")
            assert client.get_account_information()["account_kind"] == "StorageV2"
            file.write_text(f"{entry}      kind: BlobStorage\n      versioning: true\n      blob_retention_days: 3\n")
            started = time.monotonic()
            while client.get_account_information()["account_kind"] != "BlobStorage":
                assert time.monotonic() - started < SECONDS_MAX
            assert client.get_service_properties()["delete_retention_policy"].days == 3
            box.upload_blob("blob", b"second", overwrite=True)
            assert len(list(box.list_blobs(include=["versions"]))) == 2
            with pytest.raises(HttpResponseError, match="BlobTypeNotSupported"):
                box.get_blob_client("pages").create_page_blob(512)


@pytest.mark.parametrize("value", ["one", "One:a2V5", "one:a2V5:a2V5:a2V5", "one:not base64", ";"])
def test_a_wrong_variable_is_told_and_not_shown(value: str) -> None:
    from localzure.config.file import ConfigurationError
    from localzure.config.load import load

    with pytest.raises(ConfigurationError) as caught:
        load({}, {"AZURITE_ACCOUNTS": value})
    assert "AZURITE_ACCOUNTS" in str(caught.value)
    assert "a2V5" not in str(caught.value)
