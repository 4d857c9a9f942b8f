"""The strip of the last weeks: a bar for each day on which something was published, the higher the more it was."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final, Literal

from tagtrail.store.answers import Recent
from tagtrail.trail.instant import DAY

WEEKS: Final = 8
STEP: Final = 6  # units of the picture from day to day
HEIGHT: Final = 17
_LEAST: Final = 7  # of a bar; each further change of the day adds
_MORE: Final = 3

Kind = Literal["moved", "back", "withdrawn"]


@dataclass(frozen=True, slots=True)
class Bars:
    """All bars of one kind as the path of an SVG picture: days that went on, that also went back, or withdrew."""

    kind: Kind
    path: str


def make_strip(recent: Sequence[Recent], *, today: int) -> tuple[Bars, ...]:
    """The bars of WEEKS weeks until `today` (days since 1970), by UTC days; `recent` is oldest first."""
    first = today - 7 * WEEKS + 1
    drawn: dict[Kind, str] = {}
    for day, changes in groupby(recent, key=lambda each: each.occurred_at // DAY):
        directions = [change.direction for change in changes]
        if first <= day <= today:
            kind = _kind(directions)
            drawn[kind] = drawn.get(kind, "") + _bar(day - first, len(directions))
    return tuple(Bars(kind, path) for kind, path in sorted(drawn.items()))


def _kind(directions: Sequence[str | None]) -> Kind:
    if None in directions:
        return "withdrawn"
    return "back" if "back" in directions else "moved"


def _bar(place: int, count: int) -> str:
    height = min(_LEAST + _MORE * (count - 1), HEIGHT - 1)
    return f"M{place * STEP} {HEIGHT}v-{height}h{STEP - 1}v{height}z"
