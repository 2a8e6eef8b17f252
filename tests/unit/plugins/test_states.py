"""The states of a service: every step from every state, and who hears of it."""

from __future__ import annotations

import pytest

from localzure.plugins.states import TRANSITIONS, IllegalStepError, ServiceState, StateChange, StateMachine, Step
from tests.twins import START, ManualClock


def machine_in(state: ServiceState, told: list[StateChange]) -> StateMachine:
    machine = StateMachine("notes", ManualClock().wall, told.append)
    machine.state = state
    return machine


@pytest.mark.parametrize("state", ServiceState)
@pytest.mark.parametrize("step", Step)
def test_only_what_the_table_has_can_happen(state: ServiceState, step: Step) -> None:
    told: list[StateChange] = []
    machine = machine_in(state, told)
    after = TRANSITIONS.get((state, step))
    if after is None:
        with pytest.raises(IllegalStepError, match=f"notes is {state}"):
            machine.step(step)
        assert (machine.state, told) == (state, [])
    else:
        machine.step(step, "why")
        assert machine.state is after
        assert told == [StateChange("notes", state, after, START, "why")]


def test_every_state_can_be_reached_and_left() -> None:
    assert {ServiceState.UNINITIALIZED, *TRANSITIONS.values()} == set(ServiceState)
    assert {before for before, _ in TRANSITIONS} == set(ServiceState)


def test_a_service_that_failed_starts_again_and_its_reason_goes() -> None:
    machine = machine_in(ServiceState.STARTING, [])
    machine.step(Step.FAIL, "no room")
    assert machine.reason == "no room"
    machine.step(Step.START)
    machine.step(Step.STARTED)
    assert (machine.state, machine.reason) == ("running", "")
