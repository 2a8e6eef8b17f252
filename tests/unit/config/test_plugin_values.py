"""What the configuration says of plugins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from localzure.config import values
from localzure.config.load import load
from localzure.config.settings import PluginOptions

HERE = Path()


def test_plugins_are_named_switched_off_and_have_options(tmp_path: Path) -> None:
    assert values.plugins("a, b-2", HERE) == ("a", "b-2")
    assert values.plugins(["a"], HERE) == ("a",)
    assert values.plugins(False, HERE) == values.plugins("OFF", HERE) == ()
    (file := tmp_path / "x.yaml").write_text(
        "plugins:\n  run: [a, b]\n  options:\n    a: {enabled: false, port: off}\n    b: {port: 90, x: [1]}\n"
    )
    settings = load({"--config": str(file), "--plugins": "b"}, {})
    assert settings.plugins == ("b",)
    assert settings.plugin_options == {
        "a": PluginOptions(is_enabled=False, has_port=False),
        "b": PluginOptions(port=90, settings={"x": [1]}),
    }
    assert load({}, {}).plugins is None


@pytest.mark.parametrize(
    ("read", "raw", "words"),
    [
        (values.plugins, "A", "the name of a plugin"),
        (values.plugins, "a,,b", "the name of a plugin"),
        (values.plugins, 7, "names of plugins, or off"),
        (values.plugin_options, ["a"], "a mapping from a plugin's name"),
        (values.plugin_options, {"a": True}, "a mapping of options"),
        (values.plugin_options, {"a": {"enabled": 1}}, "true or false"),
        (values.plugin_options, {"a": {"port": 70_000}}, "an integer from 0 to 65535, or off"),
        (values.plugin_options, {"_": {}}, "the name of a plugin"),
    ],
)
def test_what_is_wrong_is_told(read: Any, raw: object, words: str) -> None:
    with pytest.raises(values.RefusedError, match=words):
        read(raw, HERE)
