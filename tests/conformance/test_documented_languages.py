"""The JavaScript, Go and Java programs of docs/ run as they are printed, and print what the pages say."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from localzure.testing import LocalZure
from tests.documents import Block, blocks, pointed_at, programs

HERE = Path(__file__).parent
CLASSPATH = HERE / "java" / "target" / "classpath"


def node(program: Path) -> list[str]:
    """How to run a program of Node.js, which looks for packages in the folders above it."""
    if not shutil.which("node") or not (HERE / "js" / "node_modules").exists():
        pytest.skip("the JavaScript SDKs are not installed: `make conformance` does it, with Node.js 20 or newer")
    (program.parent / "node_modules").symlink_to(HERE / "js" / "node_modules")
    return ["node", str(program)]


def go(program: Path) -> list[str]:
    """How to run a program of Go, with the modules that the other programs have."""
    if not shutil.which("go") or not (HERE / "go" / "build" / "conformance").exists():
        pytest.skip("the Go SDKs are not installed: `make conformance` does it, with Go 1.25 or newer")
    return ["go", "run", "-C", str(HERE / "go"), str(program)]


def java(program: Path) -> list[str]:
    """How to run a program of Java from its source."""
    if not shutil.which("java") or not CLASSPATH.exists():
        pytest.skip("the Java SDKs are not installed: `make conformance` does it, with Java 17 or newer and Maven")
    return ["java", "-cp", CLASSPATH.read_text("utf-8"), str(program)]


RUNNERS = {"js": node, "go": go, "java": java}


PARSE = """
import com.sun.source.util.JavacTask;
import javax.tools.DiagnosticCollector;
import javax.tools.JavaFileObject;
import javax.tools.ToolProvider;

class Parse {
    public static void main(String[] paths) throws Exception {
        var compiler = ToolProvider.getSystemJavaCompiler();
        var found = new DiagnosticCollector<JavaFileObject>();
        var files = compiler.getStandardFileManager(found, null, null);
        ((JavacTask) compiler.getTask(null, files, found, null, null, files.getJavaFileObjects(paths))).parse();
        found.getDiagnostics().forEach(System.err::println);
        System.exit(found.getDiagnostics().size());
    }
}
"""
"""Takes files of Java for what they are, whatever they import."""


@pytest.fixture(scope="module")
def azure() -> Iterator[LocalZure]:
    with LocalZure() as server:
        yield server


@pytest.mark.parametrize(
    "program", [block for language in RUNNERS for block in programs(language)], ids=lambda block: block.place
)
def test_the_program_runs_as_printed(program: Block, azure: LocalZure, tmp_path: Path) -> None:
    path = tmp_path / program.title
    command = RUNNERS[program.language](path)
    azure.reset()
    path.write_text(pointed_at(program.text, azure), "utf-8")
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (0, program.prints), done.stderr


def fragments(language: str) -> list[Block]:
    """Blocks that nobody runs, because they need what is not installed here."""
    return [block for block in blocks(language) if not block.title]


@pytest.mark.skipif(not shutil.which("javac"), reason="there is no Java compiler here")
def test_java_that_is_not_run_is_java(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.java" for number, _ in enumerate(fragments("java"))]
    for path, block in zip(paths, fragments("java"), strict=True):
        path.write_text(block.text, "utf-8")
    (tmp_path / "Parse.java").write_text(PARSE, "utf-8")
    command = ["java", str(tmp_path / "Parse.java"), *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (len(paths) > 0, done.returncode, done.stderr) == (True, 0, "")


@pytest.mark.skipif(not shutil.which("node"), reason="there is no Node.js here")
@pytest.mark.parametrize("block", fragments("js"), ids=lambda block: block.place)
def test_javascript_that_is_not_run_is_javascript(block: Block, tmp_path: Path) -> None:
    (tmp_path / "fragment.mjs").write_text(block.text, "utf-8")
    command = ["node", "--check", str(tmp_path / "fragment.mjs")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
