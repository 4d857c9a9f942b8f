"""Read a time as people write it.

No library is used: those that read "last tuesday" also read a dozen other languages, guess where they do not
understand, and bring time zone tables and regular expression engines of their own.
"""

import calendar
import re
from collections import Counter
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo

from tagtrail.trail.instant import LATEST, SECOND, parse_instant

EXAMPLES = "2026-04-20T14:03:00Z, '2026-04-20 14:03', 'yesterday 14:03', 'last tuesday 14:03', '3 days ago' or 2h"

_WEEKDAYS = tuple(day.lower() for day in calendar.day_name)
_SPELLINGS = {
    "second": "s sec secs second seconds",
    "minute": "m min mins minute minutes",
    "hour": "h hr hrs hour hours",
    "day": "d day days",
    "week": "w week weeks",
    "month": "month months",
    "year": "y year years",
}
_UNITS = {spelling: unit for unit, spellings in _SPELLINGS.items() for spelling in spellings.split()}
_SECONDS = {"second": 1, "minute": 60, "hour": 3_600}  # the longer units are counted on the calendar

_AMOUNT = re.compile(rf"(\d{{1,6}}) ?({'|'.join(_UNITS)})(?![a-z])")
_AGO = re.compile(rf"{_AMOUNT.pattern}(?: ?{_AMOUNT.pattern})*(?: ago)?")
_CLOCK = re.compile(
    r"(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,9}))?)?(?: ?(?P<half>[ap]m)\b)?"
    r"|(?P<bare>\d{1,2}) ?(?P<bare_half>[ap]m)\b|\b(?P<word>noon|midnight)\b"
)
_ZONED = re.compile(r"(.*\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?: ?[ap]m)?) ?(?:(z|utc|gmt)|([+-])(\d\d):?(\d\d))")


def parse_when(text: str, *, now: int) -> int:
    """The instant (nanoseconds, UTC) that the text means at the instant `now`.

    A time without an offset is local (the variable TZ, else the machine's zone). Where clocks are set back, the
    earlier of two equal times is meant. A day without a time is its beginning. `last tuesday` is the latest Tuesday
    before today; `tuesday 14:03` and `14:03` are the latest such times that have passed. Days, weeks, months and
    years ago keep the time of day. Raises ValueError, in one sentence with examples, for any other text and outside
    1970 to 2262.
    """
    try:
        return parse_instant(text.strip())
    except ValueError:
        words = " ".join(re.sub(r"\b(?:at|on)\b", " ", text.lower()).split())
    try:
        instant = _parse(words, now)
        if 0 <= instant <= LATEST:
            return instant
    except (ValueError, OverflowError, OSError):
        pass  # no such date, or one that this machine's calendar does not reach
    raise ValueError(f"{text[:60]!r} is no time that tagtrail understands; write {EXAMPLES}")


def end_of_second(instant: int) -> int:
    """The last instant of the second, where the instant is a whole second.

    Output shows whole seconds, and registries stamp nanoseconds. A query for the second in which a tag moved, as the
    output shows it, means after the move.
    """
    return instant if instant % SECOND else instant + SECOND - 1


def _parse(words: str, now: int) -> int:
    if words == "now":
        return now
    amounts = re.sub(r"^an? ", "1 ", words)
    if _AGO.fullmatch(amounts):
        return _ago(amounts, now)
    zoned = _ZONED.fullmatch(words)
    zone = _zone(zoned) if zoned else None
    return _latest(zoned[1] if zoned else words, now, zone)


def _ago(words: str, now: int) -> int:
    amounts: Counter[str] = Counter()
    for number, spelling in _AMOUNT.findall(words):
        amounts[_UNITS[spelling]] += int(number)
    seconds = now // SECOND
    if amounts.keys() - _SECONDS.keys():
        local = datetime.fromtimestamp(seconds)  # noqa: DTZ006 - the local calendar
        local = _months_before(local, amounts["month"] + 12 * amounts["year"])
        seconds = int((local - timedelta(days=amounts["day"], weeks=amounts["week"])).timestamp())
    return (seconds - sum(_SECONDS[unit] * amounts[unit] for unit in _SECONDS)) * SECOND + now % SECOND


def _months_before(local: datetime, months: int) -> datetime:
    """The same day that many months before, or that month's last day where it is shorter."""
    year, month = divmod(local.year * 12 + local.month - 1 - months, 12)
    if year < 1:
        raise ValueError("before the calendar")
    return local.replace(year=year, month=month + 1, day=min(local.day, calendar.monthrange(year, month + 1)[1]))


def _zone(zoned: re.Match[str]) -> tzinfo:
    if zoned[2]:
        return UTC
    ahead = timedelta(hours=int(zoned[4]), minutes=int(zoned[5]))
    return timezone(-ahead if zoned[3] == "-" else ahead)


def _latest(words: str, now: int, zone: tzinfo | None) -> int:
    """A day in words with a time of day before or after it; either may be missing, not both."""
    clock = _CLOCK.search(words)
    named = (f"{words[: clock.start()]} {words[clock.end() :]}" if clock else words).strip().removesuffix("t")
    if not clock and not named:
        raise ValueError("nothing is said")
    day, period = _day(named, datetime.fromtimestamp(now // SECOND, zone).date())
    instant = _at(day, clock, zone)
    return _at(day - timedelta(period), clock, zone) if period and instant > now else instant


def _day(words: str, today: date) -> tuple[date, int]:
    """The day, and after how many days such a day comes again (0: never)."""
    if words in ("", "today"):
        return today, 0 if words else 1
    if words == "yesterday":
        return today - timedelta(1), 0
    weekday = words.removeprefix("last ")
    if weekday not in _WEEKDAYS:
        return date.fromisoformat(words), 0
    ago = (today.weekday() - _WEEKDAYS.index(weekday)) % 7
    return (today - timedelta(ago or 7), 0) if weekday != words else (today - timedelta(ago), 7)


def _at(day: date, clock: re.Match[str] | None, zone: tzinfo | None) -> int:
    """The instant of a time of day, midnight without one, on that day; no zone is local time."""
    seconds = int(datetime.combine(day, _time_of_day(clock), zone).timestamp())
    return seconds * SECOND + int((clock["fraction"] or "0" if clock else "0").ljust(9, "0"))


def _time_of_day(clock: re.Match[str] | None) -> time:
    if clock is None or clock["word"] == "midnight":
        return time(0)
    if clock["word"] == "noon":
        return time(12)
    hour = int(clock["hour"] or clock["bare"])
    if half := clock["half"] or clock["bare_half"]:
        if not 1 <= hour <= 12:
            raise ValueError("no such hour")
        hour = hour % 12 + (12 if half == "pm" else 0)
    return time(hour, int(clock["minute"] or 0), int(clock["second"] or 0))
