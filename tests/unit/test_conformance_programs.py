"""Reading what the programs of other languages say, and that there are scenarios to read."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.conformance import test_go, test_java, test_javascript
from tests.conformance.programs import Outcome, Run, read_report


def test_a_report_is_read_with_what_went_wrong() -> None:
    report = read_report("some noise\nok - first\nnot ok - second - of two\n# because\n#   of this\nok - third\n")
    assert report == {
        "first": Outcome(True),
        "second - of two": Outcome(False, ["because", "  of this"]),
        "third": Outcome(True),
    }


def test_what_failed_and_what_was_not_run_fails() -> None:
    run = Run(1, "all of the output", read_report("ok - good\nnot ok - bad\n# why\n"))
    run.check("good")
    with pytest.raises(pytest.fail.Exception, match="why"):
        run.check("bad")
    with pytest.raises(pytest.fail.Exception, match="all of the output"):
        run.check("gone")


@pytest.mark.parametrize("module", [test_go, test_java, test_javascript])
def test_each_program_has_scenarios_of_different_names(module: object) -> None:
    scenarios: list[tuple[str, str]] = module.SCENARIOS  # type: ignore[attr-defined]  # each of the modules has it
    assert len(scenarios) > 30
    assert max(Counter(scenarios).values()) == 1
