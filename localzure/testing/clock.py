"""The virtual time of a server, for tests that would otherwise wait for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from localzure.client import OwnApiClient


class ServerClock:
    """Moves the time that rules locks, lifetimes, leases, visibility, schedules and retention of all services.

    Whatever comes due by a call has happened when it returns. Raises `localzure.client.ClientError`.
    """

    def __init__(self, client: Callable[[], OwnApiClient]) -> None:
        """`client` gives one for the server that runs now."""
        self._client = client

    @property
    def now(self) -> datetime:
        """The virtual time, in UTC."""
        return _moment(self._client().call("GET", "clock"))

    @property
    def is_frozen(self) -> bool:
        """Whether it stands still."""
        return bool(self._client().call("GET", "clock")["frozen"])

    def advance(self, by: timedelta | float | str) -> datetime:
        """Move it by a timedelta, seconds, or a text such as `PT5M` or `1h30m`; returns the new time."""
        amount = by.total_seconds() if isinstance(by, timedelta) else by
        return self._change({"advance": amount})

    def set(self, now: datetime | str) -> datetime:
        """Set it; a datetime without time zone is UTC."""
        return self._change({"now": _text(now)})

    def freeze(self, at: datetime | str | None = None) -> datetime:
        """Let it stand still, now or at another time."""
        return self._change({"frozen": True} | ({} if at is None else {"now": _text(at)}))

    def resume(self) -> datetime:
        """Let it go on from where it stands."""
        return self._change({"frozen": False})

    def reset(self) -> datetime:
        """Let it be the machine's time again, also for clients."""
        return self._change({"reset": True})

    def rule_clients(self, *, rules: bool = True) -> None:
        """Hold what clients date themselves (Shared Key, SAS, tokens) against the virtual time, or not any more."""
        self._change({"clients": "virtual" if rules else "machine"})

    def _change(self, wanted: dict[str, Any]) -> datetime:
        return _moment(self._client().call("POST", "clock", wanted))


def _moment(told: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(told["now"])


def _text(moment: datetime | str) -> str:
    if isinstance(moment, str):
        return moment
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat()
