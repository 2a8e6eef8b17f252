"""Things in memory that end at an instant."""

from __future__ import annotations

from localzure.services.servicebus.engine.deadlines import Deadlines


def test_what_ends_first_comes_first() -> None:
    deadlines: Deadlines[str] = Deadlines()
    assert deadlines.first() is None
    for at, name in ((30, "c"), (10, "a"), (20, "b"), (10, "a too")):
        deadlines.add(at, name)
    assert deadlines.first() == 10
    assert deadlines.due(9, 10) == []
    assert deadlines.due(10, 10) == ["a", "a too"]
    assert deadlines.due(29, 10) == ["a", "a too", "b"]
    assert deadlines.due(29, 1) == ["a"]


def test_what_is_removed_does_not_end() -> None:
    deadlines: Deadlines[str] = Deadlines()
    ticket = deadlines.add(10, "a")
    deadlines.add(10, "b")
    deadlines.remove(ticket)
    deadlines.remove(ticket)
    assert deadlines.due(10, 10) == ["b"]
    assert len(deadlines) == 1
