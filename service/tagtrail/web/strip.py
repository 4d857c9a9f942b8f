"""The strip of the last weeks: for each day how often something was published, and whether that went back."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from tagtrail.store.answers import Recent
from tagtrail.trail.instant import DAY

WEEKS: Final = 8


@dataclass(frozen=True, slots=True)
class Day:
    """A UTC day on which something was published: `place` counts from 0, the oldest day of the strip."""

    place: int
    began_at: int
    count: int
    went_back: bool
    withdrew: bool


def make_strip(recent: Sequence[Recent], *, today: int) -> tuple[Day, ...]:
    """The days, out of WEEKS weeks until `today` (days since 1970), on which anything was published."""
    first = today - 7 * WEEKS + 1
    days = groupby(recent, key=lambda each: each.occurred_at // DAY)
    return tuple(_make_day(day, day - first, list(changes)) for day, changes in days if first <= day <= today)


def _make_day(day: int, place: int, changes: Sequence[Recent]) -> Day:
    directions = [change.direction for change in changes]
    return Day(place, day * DAY, len(changes), "back" in directions, None in directions)
