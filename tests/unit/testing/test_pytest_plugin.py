"""The pytest plugin as a user's project has it: a pytest process of its own, in a folder with nothing of ours."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

DOCUMENTATION = Path(__file__).parents[3] / "docs" / "testing.md"

SHARED = """
    import urllib.error
    import urllib.request

    def create(server):
        url = server.endpoints["blob"] + "/devstoreaccount1/pictures?restype=container"
        try:
            with urllib.request.urlopen(urllib.request.Request(url, method="PUT")) as reply:
                return reply.status
        except urllib.error.HTTPError as error:
            with error:
                return error.code
"""

CONFTEST = """
    import pytest

    @pytest.fixture(scope="session")
    def localzure_options():
        return {"extra_args": ["--auth", "off"], "config": {"services": ["blob"]}}
"""


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The runs inside get no option from the run outside."""
    for name in ("PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER", "PYTEST_DISABLE_PLUGIN_AUTOLOAD"):
        monkeypatch.delenv(name, raising=False)


def run(pytester: pytest.Pytester, tests: str, *arguments: str, conftest: str = "") -> pytest.RunResult:
    pytester.makeconftest(conftest)
    pytester.makepyfile(shared=SHARED, test_mine=tests)
    return pytester.runpytest_subprocess("--strict-markers", "-Werror", *arguments)


def test_one_server_a_test_and_one_for_the_session(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        import os
        import pytest
        from shared import create

        pids = []

        @pytest.mark.parametrize("time", [1, 2])
        def test_each_is_empty_and_gone_after_its_test(localzure, time):
            assert create(localzure) == 201
            for pid in pids:
                with pytest.raises(ProcessLookupError):
                    os.kill(pid, 0)
            pids.append(localzure.pid)

        @pytest.mark.parametrize("status", [201, 409])
        def test_the_one_of_the_session_keeps(localzure_server, status):
            assert create(localzure_server) == status
            assert localzure_server.pid not in pids

        def test_one_that_was_stopped(localzure):
            localzure.stop()
        """,
        conftest=CONFTEST,
    )
    result.assert_outcomes(passed=5)


def test_options_for_all_and_marks_for_one(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        import pytest

        pytestmark = pytest.mark.localzure(env={"LOCALZURE_LOG_LEVEL": "error"}, queues=["a"])

        def seeded(server):
            return "--seed" in server.command

        def test_options(localzure_server):
            assert set(localzure_server.endpoints) == {"gateway", "blob"}
            assert not seeded(localzure_server)

        @pytest.mark.localzure(config={"services": ["blob", "servicebus"]})
        def test_both(localzure):
            assert "amqp" in localzure.endpoints
            assert seeded(localzure)

        @pytest.mark.localzure(queues=[])
        def test_the_closest_mark_wins(localzure):
            assert not seeded(localzure)
        """,
        conftest=CONFTEST,
    )
    result.assert_outcomes(passed=3)


def test_failures_show_the_log_of_their_server_and_no_other(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        import pytest

        def test_failing(localzure):
            localzure.stop()
            assert False

        def test_failing_without():
            assert False

        @pytest.mark.localzure(extra_args=["--nope"])
        def test_that_has_none(localzure):
            pass
        """,
    )
    result.assert_outcomes(failed=2, errors=1)
    result.stdout.fnmatch_lines(["*localzure: No such option '--nope'*", "*- Log of localzure -*", "*stopped*"])
    assert result.stdout.str().count("Log of localzure") == 1


def test_workers_of_xdist_have_a_server_each(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        import os
        from pathlib import Path
        import pytest

        @pytest.mark.parametrize("time", range(4))
        def test_one(localzure_server, localzure, time):
            assert localzure.pid != localzure_server.pid
            worker = os.environ["PYTEST_XDIST_WORKER"]
            Path(__file__).with_name(f"{worker}.{localzure_server.pid}.pid").touch()
        """,
        "-n2",
    )
    result.assert_outcomes(passed=4)
    servers = [path.name.split(".")[:2] for path in pytester.path.glob("*.pid")]
    assert sorted(worker for worker, _ in servers) == ["gw0", "gw1"]
    assert len({pid for _, pid in servers}) == 2


def test_nothing_starts_before_a_test_asks(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        import sys

        def test_one():
            assert "localzure.testing.server" in sys.modules
            assert not {"localzure.server", "uvloop", "lmdb", "cryptography"} & set(sys.modules)
        """,
    )
    result.assert_outcomes(passed=1)


def test_the_examples_of_the_documentation(pytester: pytest.Pytester) -> None:
    blocks = re.findall(r"```python\n# (\w+)\.py\n(.*?)```", DOCUMENTATION.read_text("utf-8"), re.DOTALL)
    for name, content in blocks:
        pytester.path.joinpath(f"{name}.py").write_text(content)
    result = pytester.runpytest_subprocess("--strict-markers")
    result.assert_outcomes(passed=3)
    done = pytester.run(sys.executable, "with_unittest.py")
    assert done.ret == 0
    done.stdout.fnmatch_lines(["DefaultEndpointsProtocol=http;*UseDevelopmentEmulator=true;"])
