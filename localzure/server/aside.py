"""What takes longer than a tick may runs in a thread, and comes back to the loop."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

Result = TypeVar("Result")

_log = logging.getLogger(__name__)


class LoopAside:
    """`localzure.services.interface.Aside` on an event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """The threads are those of the loop's own executor: there is little to do in them."""
        self._loop = loop
        self._is_closed = False

    def __call__(self, work: Callable[[], Result], done: Callable[[Result | None], None]) -> None:
        """See `Aside`."""

        def finish(future: asyncio.Future[Result]) -> None:
            if self._is_closed or future.cancelled():
                return
            error = future.exception()
            if error is not None:
                _log.error("work beside the loop failed", exc_info=error)
            done(None if error is not None else future.result())

        self._loop.run_in_executor(None, work).add_done_callback(finish)

    def close(self) -> None:
        """The server stops: whatever is still being done is for nobody."""
        self._is_closed = True
