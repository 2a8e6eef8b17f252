"""ISO 8601 durations, as Azure writes them in its administration API and its configuration files.

Held as whole microseconds. Years and months are refused: Azure knows no calendar here.
"""

from __future__ import annotations

import re

MICROSECONDS = 1_000_000
"""Microseconds in a second."""

FOREVER = 922_337_203_685_477_580
"""TimeSpan.MaxValue, `P10675199DT2H48M5.4775807S`, cut to microseconds: Azure's way of saying never."""

_FORM = re.compile(
    r"P(?=.)(?:(?P<days>\d+)D)?(?:T(?=.)(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+)(?:\.(?P<fraction>\d+))?S)?)?",
    re.ASCII,
)


def parse_duration(text: str) -> int:
    """Read an ISO 8601 duration of days, hours, minutes and seconds; longer ones than `FOREVER` are cut to it.

    So is what falls short of it by less than a second: Python's SDK computes it in floating point, and sends back some
    microseconds less than it got. Raises ValueError for anything else.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not an ISO 8601 duration such as PT30S, PT1H or P14D")
    days, hours, minutes, seconds = (int(match[name] or 0) for name in ("days", "hours", "minutes", "seconds"))
    fraction = int((match["fraction"] or "")[:6].ljust(6, "0"))
    duration = (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * MICROSECONDS + fraction
    return FOREVER if duration > FOREVER - MICROSECONDS else duration


def format_duration(microseconds: int) -> str:
    """Write a duration in the form that Azure gives: `PT1M`, `P14D`, `P10675199DT2H48M5.4775807S`."""
    if microseconds >= FOREVER:
        return "P10675199DT2H48M5.4775807S"
    seconds, fraction = divmod(microseconds, MICROSECONDS)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    exact_seconds = f"{seconds}.{fraction:06}".rstrip("0") if fraction else str(seconds)
    time = "".join(
        f"{amount}{unit}"
        for amount, unit in ((hours, "H"), (minutes, "M"), (exact_seconds, "S"))
        if amount not in {0, "0"}
    )
    if not days and not time:
        return "PT0S"
    return "P" + (f"{days}D" if days else "") + (f"T{time}" if time else "")


def format_time_span(microseconds: int) -> str:
    """Write a duration as .NET does in Azure's error texts: `00:05:00`, `7.00:00:00`."""
    if microseconds >= FOREVER:
        return "10675199.02:48:05.4775807"
    seconds, fraction = divmod(microseconds, MICROSECONDS)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return (
        (f"{days}." if days else "")
        + f"{hours:02}:{minutes:02}:{seconds:02}"
        + (f".{fraction:06}0" if fraction else "")
    )
