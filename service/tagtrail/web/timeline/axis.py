"""The time axis: a few round instants in UTC and their labels."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from tagtrail.trail.instant import DAY, SECOND
from tagtrail.web.timeline.pieces import Frame

_MOST: Final = 6  # labels, so that they fit side by side on the narrowest screen
_MINUTE, _HOUR = 60 * SECOND, 3_600 * SECOND
_STEPS: Final = tuple(n * SECOND for n in (1, 2, 5, 10, 30)) + tuple(
    n * unit for unit, numbers in (
        (_MINUTE, (1, 2, 5, 10, 30)), (_HOUR, (1, 2, 3, 6, 12)), (DAY, (1, 2, 7, 14)),
    ) for n in numbers
)  # fmt: skip
_MONTHS: Final = (1, 3, 6, 12, 24, 60, 120, 600)
_MONTH: Final = 61 * DAY // 2  # about
_NAMES: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONDAY: Final = 4 * DAY  # 1970 began with a Thursday
_EDGE: Final = 6.0  # percent


TickFormat = Literal["second", "minute", "day", "month", "year"]


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on the axis, `x` percent from the left; `anchor` keeps labels near an edge inside."""

    instant: int
    x: float
    label: str
    anchor: Literal["start", "middle", "end"]


def make_ticks(frame: Frame) -> tuple[Tick, ...]:
    """The marks within the frame, at most 7."""
    for step in _STEPS:
        if frame.span <= _MOST * step:
            return tuple(_tick(frame, instant, _form(step)) for instant in _every(frame, step))
    months = next((n for n in _MONTHS if frame.span <= _MOST * n * _MONTH), _MONTHS[-1])
    written: TickFormat = "year" if months >= 12 else "month"
    return tuple(_tick(frame, instant, written) for instant in _every_months(frame, months))


def _form(step: int) -> TickFormat:
    if step >= DAY:
        return "day"
    return "minute" if step >= _MINUTE else "second"


def _every(frame: Frame, step: int) -> range:
    start = _MONDAY if step >= 7 * DAY else 0
    first = -(-(frame.since - start) // step) * step + start
    return range(first, frame.until, step)


def _every_months(frame: Frame, months: int) -> Iterator[int]:
    year, month = time.gmtime(frame.since // SECOND)[:2]
    number = year * 12 + month - 1
    number -= number % months
    while (instant := _begin_of(number)) < frame.until:
        if instant >= frame.since:
            yield instant
        number += months


def _begin_of(number: int) -> int:
    return int(datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC).timestamp()) * SECOND


def _tick(frame: Frame, instant: int, format_: TickFormat) -> Tick:
    x = frame.percent(instant)
    return Tick(instant, x, _write(instant, format_), "start" if x < _EDGE else "end" if x > 100 - _EDGE else "middle")


def _write(instant: int, format_: TickFormat) -> str:
    """The label of an instant; midnight is labelled with its day."""
    at = time.gmtime(instant // SECOND)
    if format_ == "minute" and instant % DAY == 0:
        format_ = "day"
    month = _NAMES[at.tm_mon - 1]
    return {
        "second": f"{at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02}",
        "minute": f"{at.tm_hour:02}:{at.tm_min:02}",
        "day": f"{at.tm_mday} {month}",
        "month": f"{month} {at.tm_year}",
        "year": str(at.tm_year),
    }[format_]
