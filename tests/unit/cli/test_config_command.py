"""`localzure config`: the settings as people and programs read them, without what is secret."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import yaml

from localzure import __version__
from localzure.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

CONFIG = """
auth: any
admin: {token: hush-hush}
servicebus: {key: top-secret}
storage: {accounts: {mine: bXkga2V5}}
limits: [{requests_per_second: 5}]
"""


def test_settings_are_shown_with_their_origin_and_without_secrets(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (file := tmp_path / "localzure.yaml").write_text(CONFIG)
    assert main(["config", "show", "--config", str(file), "--blob-port", "7"]) == 0
    out = capsys.readouterr().out
    assert not any(secret in out for secret in ("hush-hush", "top-secret", "bXkga2V5"))
    shown = yaml.safe_load(out)
    assert (shown["auth"], shown["ports"]["blob"], shown["admin_token"]) == ("any", 7, "(hidden)")
    assert shown["accounts"][0]["name"] == "mine"
    assert shown["rate_limits"] == [{"requests_per_second": 5.0, "burst": None, "per": "account", "service": None}]
    assert "#   ports.blob: --blob-port" in out
    assert main(["config", "show", "--json", "--config", str(file)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["origins"]["auth"] == f"{file}: at auth"


def test_a_file_is_validated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (file := tmp_path / "localzure.yaml").write_text(CONFIG)
    assert main(["config", "validate", str(file)]) == 0
    assert capsys.readouterr().out == "valid\n"
    file.write_text("auth: everybody")
    assert main(["config", "validate", str(file)]) == 2
    assert "at auth: expected one of off, any, verify" in capsys.readouterr().err


def test_version_and_completion(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version"]) == 0
    assert capsys.readouterr().out == f"{__version__}\n"
    assert main(["version", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"version": __version__}
    for shell in ("bash", "zsh", "fish"):
        assert main(["completion", shell]) == 0
        assert "_LOCALZURE_COMPLETE" in capsys.readouterr().out
