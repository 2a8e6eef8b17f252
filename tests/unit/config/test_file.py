"""Reading configuration files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from localzure.config.file import FILE_BYTES_MAX, ConfigurationError, read_file

if TYPE_CHECKING:
    from pathlib import Path

KNOWN = ["host", "ports.blob", "ports.queue"]


def read(folder: Path, text: str | bytes, name: str = "c.yaml") -> dict[str, object]:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_file(path, name, KNOWN)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("c.yaml", "host: h\nports:\n  blob: 1\n  queue: null\n"),
        ("c.yml", "# a comment\nhost: h\nports: {blob: 1}"),
        ("c.json", '{"host": "h", "ports": {"blob": 1, "queue": null}}'),
        ("c.conf", '{"host": "h", "ports": {"blob": 1}}'),
    ],
)
def test_yaml_and_json_give_the_same(name: str, text: str, tmp_path: Path) -> None:
    assert read(tmp_path, text, name) == {"host": "h", "ports.blob": 1}
    assert read(tmp_path, b"\xef\xbb\xbf" + text.encode(), name) == {"host": "h", "ports.blob": 1}


@pytest.mark.parametrize(("name", "text"), [("c.yaml", ""), ("c.yaml", "# nothing\n"), ("c.json", "{}")])
def test_an_empty_file_sets_nothing(name: str, text: str, tmp_path: Path) -> None:
    assert read(tmp_path, text, name) == {}


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("c.yaml", "prots: {blob: 1}", "c.yaml: at prots: unknown key; did you mean 'ports'?"),
        ("c.yaml", "ports: {blbo: 1}", "c.yaml: at ports.blbo: unknown key; did you mean 'blob'?"),
        ("c.yaml", "ports: {zzz: 1}", "c.yaml: at ports.zzz: unknown key; known: blob, queue"),
        ("c.yaml", '"a\\nb\\e": x', "c.yaml: at a?b?: unknown key; known: host, ports"),
        ("c.yaml", "1: x", "c.yaml: at 1: unknown key; known: host, ports"),
        ("c.yaml", "ports: 5", "c.yaml: at ports: expected a mapping with the keys blob, queue"),
        ("c.yaml", "- a", "c.yaml: expected a mapping with the keys host, ports"),
        ("c.json", "[]", "c.json: expected a mapping with the keys host, ports"),
        ("c.yaml", "host: a\nhost: b", "c.yaml: line 1, column 1: the key 'host' is given twice in one mapping"),
        ("c.json", '{"host": 1, "host": 2}', "c.json: the key 'host' is given twice in one mapping"),
        ("c.json", '{"host": 1,\n 5}', "c.json: line 2, column 2: Expecting property name enclosed in double quotes"),
        ("c.yaml", "host: [", "c.yaml: line 1, column 8: expected the node content, but found '<stream end>'"),
        ("c.yaml", "host: !!python/object:os.system x", "c.yaml: line 1, column 7: could not determine a constructor"),
        ("c.yaml", "? [a]\n: b", "c.yaml: line 1, column 3: found unhashable key"),
        ("c.yaml", b"host: \xff", "c.yaml: not UTF-8 text (byte 6)"),
        ("c.yaml", b"host: \x00", "c.yaml: unacceptable character #x0000"),
        ("c.json", "[" * 200_000, "c.json: "),
        ("c.yaml", "[" * 5_000, "c.yaml: "),
        ("c.yaml", "#" * (FILE_BYTES_MAX + 1), f"c.yaml: larger than {FILE_BYTES_MAX} bytes"),
    ],
)
def test_what_is_wrong_is_told_in_one_line_with_its_place(
    name: str, text: str | bytes, said: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(tmp_path, text, name)
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_or_is_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"^x\.yaml: no such file or directory$"):
        read_file(tmp_path / "x.yaml", "x.yaml", KNOWN)
    with pytest.raises(ConfigurationError, match=r"^folder: is a directory$"):
        read_file(tmp_path, "folder", KNOWN)
