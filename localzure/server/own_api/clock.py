"""The calls that read and move the virtual time."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

import msgspec

from localzure.server.own_api.routes import InvalidCallError, Route
from localzure.server.time_travel import FIRST, LAST
from localzure.services.interface import SECOND, Instant

if TYPE_CHECKING:
    from localzure.server.own_api.routes import OwnCall
    from localzure.server.time_travel import TimeTravel

_DURATION = re.compile(
    r"(?P<sign>-?)P?(?=[\dT])(?:(?P<d>\d{1,7})D)?T?"
    r"(?:(?P<h>\d{1,9})H)?(?:(?P<m>\d{1,9})M)?(?:(?P<s>\d{1,12}(?:\.\d{1,6})?)S)?",
    re.ASCII | re.IGNORECASE,
)
_SECONDS = {"d": 86_400, "h": 3600, "m": 60, "s": 1}


class Change(msgspec.Struct, forbid_unknown_fields=True):
    """What `POST clock` asks for; done in the order of the fields, but that `frozen: false` comes last."""

    reset: bool = False
    frozen: bool | None = None
    clients: Literal["machine", "virtual"] | None = None
    """Which time the dates of Shared Key, SAS and tokens are held against."""
    now: str | None = None
    """An instant, such as `2030-01-01T00:00:00Z`; without an offset it is UTC."""
    advance: str | int | float | None = None
    """A duration, such as `PT5M`, `1h30m` or a number of seconds; negative ones go back."""


class ClockCalls:
    """The calls about the clock."""

    def __init__(self, travel: TimeTravel) -> None:
        self._travel = travel

    def routes(self) -> list[Route]:
        """The calls."""
        return [Route("GET", "clock", self._show), Route("POST", "clock", self._change)]

    def _show(self, _call: OwnCall) -> dict[str, object]:
        clock = self._travel.clock
        return {
            "now": _text(clock.now()),
            "frozen": clock.is_frozen,
            "ahead_seconds": clock.ahead / SECOND,
            "clients": "virtual" if clock.rules_clients else "machine",
        }

    async def _change(self, call: OwnCall) -> dict[str, object]:
        wanted = call.read(Change)
        clock, travel = self._travel.clock, self._travel
        at = None if wanted.now is None else _instant(wanted.now)
        by = 0 if wanted.advance is None else parse_duration(wanted.advance)
        _check((at if at is not None else clock.now()) + by)
        if wanted.reset:
            clock.reset()
        if wanted.frozen:
            clock.freeze()
        if wanted.clients is not None:
            clock.rules_clients = wanted.clients == "virtual"
        if at is not None or by or wanted.reset:
            await travel.move(lambda now: Instant((now if at is None else at) + by))
        if wanted.frozen is False:
            clock.resume()
        travel.rearm()
        return self._show(call)


def parse_duration(given: str | float) -> int:
    """Read a duration as users write it, in microseconds: seconds, `PT1H30M`, `1h30m`. Raises InvalidCallError."""
    text = str(given).strip()
    try:
        return round(float(text) * SECOND)
    except (ValueError, OverflowError):
        pass
    match = _DURATION.fullmatch(text)
    if match is None or not any(match[unit] for unit in _SECONDS):
        raise InvalidCallError(f"{text!r} is no duration such as PT5M, 1h30m or 90 (seconds).")
    total = sum(float(match[unit] or 0) * seconds * SECOND for unit, seconds in _SECONDS.items())
    return -round(total) if match["sign"] else round(total)


def _instant(text: str) -> Instant:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise InvalidCallError(f"{text!r} is no instant such as 2030-01-01T00:00:00Z.") from None
    since = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - datetime.fromtimestamp(0, UTC)
    return Instant((since.days * 86_400 + since.seconds) * SECOND + since.microseconds)


def _check(instant: int) -> None:
    if not FIRST <= instant <= LAST:
        raise InvalidCallError("The clock goes from 1970 to 2999.")


def _text(instant: Instant) -> str:
    moment = datetime.fromtimestamp(instant // SECOND, UTC).replace(microsecond=instant % SECOND)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
