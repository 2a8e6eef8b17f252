"""The states of a service and how it gets from one to the next, as a table; what is not in it cannot happen."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from localzure.services.interface import Instant


class ServiceState(StrEnum):
    """Where a service is in its life."""

    UNINITIALIZED = "uninitialized"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"


class Step(StrEnum):
    """What brings a service from one state to the next."""

    START = "start"
    STARTED = "started"
    STOP = "stop"
    STOPPED = "stopped"
    FAIL = "fail"


TRANSITIONS: dict[tuple[ServiceState, Step], ServiceState] = {
    (ServiceState.UNINITIALIZED, Step.START): ServiceState.STARTING,
    (ServiceState.UNINITIALIZED, Step.FAIL): ServiceState.FAILED,
    (ServiceState.STARTING, Step.STARTED): ServiceState.RUNNING,
    (ServiceState.STARTING, Step.FAIL): ServiceState.FAILED,
    (ServiceState.RUNNING, Step.STOP): ServiceState.STOPPING,
    (ServiceState.RUNNING, Step.FAIL): ServiceState.FAILED,
    (ServiceState.STOPPING, Step.STOPPED): ServiceState.STOPPED,
    (ServiceState.STOPPING, Step.FAIL): ServiceState.FAILED,
    (ServiceState.STOPPED, Step.START): ServiceState.STARTING,
    (ServiceState.FAILED, Step.START): ServiceState.STARTING,
}


class IllegalStepError(Exception):
    """A step that the state does not allow."""


@dataclass(frozen=True, slots=True)
class StateChange:
    """A service has changed its state."""

    service: str
    before: ServiceState
    after: ServiceState
    at: Instant
    """On the machine's clock."""
    reason: str = ""
    """Why it failed."""


class StateMachine:
    """The state of one service."""

    def __init__(self, service: str, wall: Callable[[], Instant], tell: Callable[[StateChange], None]) -> None:
        """`tell` hears of every change, after it."""
        self._service = service
        self._wall = wall
        self._tell = tell
        self.state = ServiceState.UNINITIALIZED
        self.since = wall()
        self.reason = ""
        """Why the service failed; empty unless it did."""

    def step(self, step: Step, reason: str = "") -> None:
        """Go to the next state. Raises IllegalStepError, and stays."""
        after = TRANSITIONS.get((self.state, step))
        if after is None:
            raise IllegalStepError(f"{self._service} is {self.state}: {step} is no way on from there")
        before, self.state, self.since, self.reason = self.state, after, self._wall(), reason
        self._tell(StateChange(self._service, before, after, self.since, reason))
