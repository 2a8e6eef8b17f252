"""The dialogues of docs/servicebus-http.md come about as they are printed."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from localzure.testing import LocalZure

PAGE = Path(__file__).parent.parent.parent / "docs" / "servicebus-http.md"
MARK = "--- next ---"


def dialogue() -> list[tuple[str, str]]:
    """(command, what it prints) of all console blocks, in their order; `…` stands for anything."""
    found: list[tuple[str, str]] = []
    for block in re.findall(r"```console\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            found.append((command, output.strip()))
    return found


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
def test_the_dialogues_come_about_as_printed() -> None:
    expected = dialogue()
    assert len(expected) > 15
    script = "\n".join(f"{command}\necho '{MARK}'" for command, _ in expected)
    with LocalZure() as azure:
        for port, name in ((8080, "gateway"), (5300, "servicebus")):
            script = script.replace(f"http://localhost:{port}", azure.endpoints[name].rstrip("/"))
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60, check=False)
        printed = done.stdout
        for port, name in ((8080, "gateway"), (5300, "servicebus")):
            printed = printed.replace(azure.endpoints[name].rstrip("/"), f"http://localhost:{port}")
    *answers, rest = printed.split(f"{MARK}\n")
    assert rest == ""
    for (command, output), got in zip(expected, answers, strict=True):
        pattern = ".*?".join(re.escape(part) for part in output.split("…"))
        text = got.replace("\r\n", "\n").strip()
        assert re.fullmatch(pattern, text, re.DOTALL), f"{command}\nprints\n{text}\nand not\n{output}"
