"""What takes longer than a tick is done a step at a time, each in an event of its own."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from localzure.services.interface import Instant

if TYPE_CHECKING:
    from collections.abc import Callable

    from localzure.services.interface import Alarm

    Step = Callable[[], bool]
    """Does a few milliseconds of work; True while there is more. Never raises."""

AT_ONCE = Instant(0)
"""An instant that every clock has passed."""


class Jobs:
    """The work of one service. What a stop or a restart of the service interrupts is for nobody any more."""

    def __init__(self, alarm: Alarm) -> None:
        """`alarm` is the service's own: nothing else sets it."""
        self._alarm = alarm
        self._steps: deque[Step] = deque()

    def start(self, step: Step) -> None:
        """Do a job from the next event on."""
        self._steps.append(step)
        self._alarm.set(AT_ONCE)

    def run(self) -> None:
        """Do one step of the job whose turn it is."""
        if self._steps:
            step = self._steps.popleft()
            if step():
                self._steps.append(step)
        if self._steps:
            self._alarm.set(AT_ONCE)
