"""Points in time as integers: nanoseconds since 1970-01-01T00:00:00Z, always UTC.

Registries stamp their events with nine decimals, which `datetime` cannot hold; an integer sorts, compares and
fits an SQLite column without losing a digit.
"""

import re
import time
from datetime import date
from functools import lru_cache
from typing import ClassVar, Self

SECOND = 1_000_000_000
MICROSECOND = 1_000
DAY = 86_400 * SECOND
LATEST = 2**63 - 1  # the last instant that a signed 64-bit column holds: the year 2262

_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9})\d*)?(?:([Zz])|([+-])(\d\d):(\d\d))",
    re.ASCII,
)
_FIRST_DAY = date(1970, 1, 1).toordinal()


class Instant(int):
    """A point in time, in nanoseconds UTC, that JSON shows as RFC 3339 text with nine decimals."""

    __slots__ = ()
    DECIMALS: ClassVar = 9

    @classmethod
    def maybe(cls, nanoseconds: int | None) -> Self | None:
        """The instant of a column that may be null."""
        return None if nanoseconds is None else cls(nanoseconds)

    @property
    def text(self) -> str:
        """The instant in RFC 3339, UTC."""
        return format_instant(self, self.DECIMALS)


class ServiceInstant(Instant):
    """A point in time by this service's clock, which is exact to the microsecond: its text has six decimals."""

    __slots__ = ()
    DECIMALS = 6


def seconds_between(since: int, until: int | None) -> float | None:
    """The duration in seconds, to the millisecond; None while it lasts."""
    return None if until is None else round((until - since) / SECOND, 3)


def now() -> int:
    """The present instant by this machine's clock, in whole microseconds."""
    return time.time_ns() // MICROSECOND * MICROSECOND


def parse_instant(text: str) -> int:
    """Read an RFC 3339 date-time with any offset and up to nine decimals.

    Raises ValueError for any other text, for a date that does not exist, and outside 1970 to 2262.
    """
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:40]!r} is not an RFC 3339 time such as 2026-04-20T14:03:00Z")
    year, month, day, hour, minute, second = map(int, match.group(1, 2, 3, 4, 5, 6))
    if second > 60 or hour > 23 or minute > 59:
        raise ValueError(f"{text[:40]!r} has no such time of day")
    days = date(year, month, day).toordinal() - _FIRST_DAY  # raises ValueError: no such date
    seconds = days * 86_400 + hour * 3_600 + minute * 60 + second - (0 if match[8] else _offset(match))
    instant = seconds * SECOND + int((match[7] or "").ljust(9, "0"))
    if not 0 <= instant < LATEST:  # so that a column can hold the next one, too
        raise ValueError(f"{text[:40]!r} lies outside the years 1970 to 2262")
    return instant


def _offset(match: re.Match[str]) -> int:
    """Seconds that the matched time is ahead of UTC."""
    hours, minutes = int(match[10]), int(match[11])
    if hours > 23 or minutes > 59:
        raise ValueError(f"{match[0][:40]!r} has no such offset")
    seconds = hours * 3_600 + minutes * 60
    return -seconds if match[9] == "-" else seconds


def format_instant(instant: int, digits: int = 9) -> str:
    """Write an instant as RFC 3339 in UTC with a fixed number of decimals, so that texts sort as times do."""
    seconds, nanoseconds = divmod(instant, SECOND)
    fraction = f".{nanoseconds:09d}"[: digits + 1] if digits else ""
    return f"{_format_second(seconds)}{fraction}Z"


@lru_cache(maxsize=256)  # what happens now happens within a few seconds
def _format_second(seconds: int) -> str:
    year, month, day, hour, minute, second = time.gmtime(seconds)[:6]
    return f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}"


def day_of(instant: int) -> str:
    """The UTC calendar day of an instant, as `2026-04-20`."""
    return format_instant(instant, 0)[:10]
