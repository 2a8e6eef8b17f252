"""The dates that clients give and get: RFC 1123 text of HTTP headers, and the ISO 8601 text of signatures.

Clients date their requests in this form, and replies carry it in several headers each, so both directions remember
what they did last: a second's text is made once, and most requests of a second bear the same date.
"""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache

from localzure.services.interface import SECOND, Instant

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_EPOCH = date(1970, 1, 1).toordinal()
_DAY_SECONDS = 86_400

_FORM = re.compile(rf"(?:{'|'.join(_DAYS)}), (\d\d) ({'|'.join(_MONTHS)}) (\d{{4}}) (\d\d):(\d\d):(\d\d) GMT", re.ASCII)


_ISO_FORM = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,7}))?)?(?:Z|\+00:00))?", re.ASCII)


@lru_cache(maxsize=1024)
def parse_iso_date(text: str) -> Instant | None:
    """Return the instant of a UTC date, date and minute, or date and time; None for any other text.

    The forms are those of "Create a service SAS": `YYYY-MM-DD`, `YYYY-MM-DDThh:mmZ`, `YYYY-MM-DDThh:mm:ssZ`, and the
    last with a fraction, of which what is below a microsecond is cut off.
    """
    match = _ISO_FORM.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction = match.groups()
    try:
        ordinal = date(int(year), int(month), int(day)).toordinal()
    except ValueError:
        return None
    clock = (int(hour or 0), int(minute or 0), int(second or 0))
    if clock[0] > 23 or clock[1] > 59 or clock[2] > 59:
        return None
    seconds = (ordinal - _EPOCH) * _DAY_SECONDS + clock[0] * 3600 + clock[1] * 60 + clock[2]
    return Instant(seconds * SECOND + int((fraction or "")[:6].ljust(6, "0")))


@lru_cache(maxsize=256)
def parse_http_date(text: str) -> Instant | None:
    """Return the instant of `Sun, 06 Nov 1994 08:49:37 GMT`, or None for any other form (RFC 9110, section 5.6.7)."""
    match = _FORM.fullmatch(text)
    if match is None:
        return None
    day, month, year, hour, minute, second = match.groups()
    if int(hour) > 23 or int(minute) > 59 or int(second) > 59:
        return None
    try:
        ordinal = date(int(year), _MONTHS.index(month) + 1, int(day)).toordinal()
    except ValueError:
        return None
    seconds = (ordinal - _EPOCH) * _DAY_SECONDS + int(hour) * 3600 + int(minute) * 60 + int(second)
    return Instant(seconds * SECOND)


def http_date(instant: Instant) -> str:
    """Return the text of an instant, its fraction of a second cut off."""
    return _second_text(instant // SECOND)


@lru_cache(maxsize=4096)
def _second_text(second: int) -> str:
    days, rest = divmod(second, _DAY_SECONDS)
    day = date.fromordinal(_EPOCH + days)
    return (
        f"{_DAYS[day.weekday()]}, {day.day:02} {_MONTHS[day.month - 1]} {day.year:04} "
        f"{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02} GMT"
    )
