"""The folding of a lane: what is too narrow to be seen becomes one piece with its neighbours, and nothing overlaps."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

LEAST: Final = 40  # a piece takes at least the 40th part of the width, however short it lasted
_BLOCK: Final = 20  # what is folded takes about the 20th part, so that each block leads to a range of its own


@dataclass(frozen=True, slots=True)
class Frame:
    """The range of time that is drawn, in nanoseconds: `since` inclusive, `until` exclusive."""

    since: int
    until: int

    @property
    def span(self) -> int:
        """How long it is."""
        return self.until - self.since

    @property
    def least(self) -> int:
        """How long the narrowest piece is drawn."""
        return max(1, self.span // LEAST)

    def percent(self, instant: int) -> float:
        """Where an instant lies, from the left."""
        return 100 * (instant - self.since) / self.span


@dataclass(frozen=True, slots=True)
class Run:
    """Stretches from `first` up to (not including) `last`, drawn as one from `began` until `ended`."""

    first: int
    last: int
    began: int
    ended: int


def fold(edges: Sequence[int], frame: Frame) -> tuple[Run, ...]:
    """The stretches of a lane as they are drawn, left to right.

    Stretch n lasts from edges[n] to edges[n + 1]; all edges lie within the frame, the last at its end. A stretch that
    is wide enough is a run of its own; narrow ones that follow one another are one. A narrow one alone is drawn as
    wide as the narrowest may be, and what follows begins that much later: never more than a 40th part of the width.
    """
    runs: list[Run] = []
    least, most = frame.least, frame.span // _BLOCK
    at, count = edges[0], len(edges) - 1
    taken = 0
    while taken < count:
        first, began = taken, at
        taken += 1
        ended = max(edges[taken], began + least)
        if edges[taken] - began < least:
            while taken < count and edges[taken] - began < most and edges[taken + 1] - ended < least:
                taken += 1
                ended = max(edges[taken], began + least)
        runs.append(Run(first, taken, began, ended))
        at = ended
    return tuple(_draw_within(runs, frame))


def _draw_within(runs: list[Run], frame: Frame) -> list[Run]:
    """The same where the last run would reach over the end: it is moved back, at the cost of those before it."""
    if not runs or runs[-1].ended <= frame.until:
        return runs
    last = replace(runs.pop(), began=frame.until - frame.least, ended=frame.until)
    while runs and runs[-1].ended > last.began:
        before = runs.pop()
        if last.began - before.began >= frame.least:
            runs.append(replace(before, ended=last.began))
            break
        last = replace(last, first=before.first, began=min(before.began, last.began))
    return [*runs, replace(last, began=max(last.began, frame.since))]
