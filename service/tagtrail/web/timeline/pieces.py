"""The pieces of a lane: segments of one digest, gaps after a deletion, blocks of many moves."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from tagtrail.store.timeline import Change

LEAST: Final = 40  # a piece is drawn at least one 40th of the width wide, however short it lasted
_BLOCK: Final = 20  # a block of folded moves is about one 20th wide, so that each block links to its own range


@dataclass(frozen=True, slots=True)
class Frame:
    """The range of time that is drawn, in nanoseconds: `since` inclusive, `until` exclusive."""

    since: int
    until: int

    @property
    def span(self) -> int:
        """Its length."""
        return self.until - self.since

    @property
    def least(self) -> int:
        """The drawn length of the narrowest piece."""
        return max(1, self.span // LEAST)

    def percent(self, instant: int) -> float:
        """The position of an instant, in percent from the left."""
        return 100 * (instant - self.since) / self.span


@dataclass(frozen=True, slots=True)
class Run:
    """Stretches `first` up to (not including) `last`, drawn as one piece from `began` to `ended`."""

    first: int
    last: int
    began: int
    ended: int


def fold(edges: Sequence[int], frame: Frame) -> tuple[Run, ...]:
    """The stretches of a lane as runs, left to right.

    Stretch n lasts from edges[n] to edges[n + 1]; all edges lie within the frame, the last at its end. A stretch that
    is wide enough is a run of its own; consecutive narrow stretches form one run. A single narrow stretch is drawn with
    the least width, and the next run begins later: by at most one 40th of the width.
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
    """The same runs within the frame. A last run that ends after the frame moves back, and runs before it shrink.

    A move may then lie to the right of its piece, by at most the least width.
    """
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


COLOURS: Final = 7  # a prime, so that digests that come in groups (an index after its images) differ too
PATTERNS: Final = 4

PieceKind = Literal["digest", "gone", "many", "unread"]


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a lane, drawn from `began` until `ended`.

    changes[first : first + count] of its lane begin in it; none if it shows the digest from before the range.
    `manifest_id` is the tag's digest, if it is only one, and `cause` the move to it. `since` and `until` are the true
    times (None: until now). The kind `unread` stands for moves that were not read.
    """

    kind: PieceKind
    began: int
    ended: int
    first: int
    count: int
    since: int
    until: int | None
    manifest_id: int | None = None
    cause: Change | None = None
    violations: int = 0
    deletions: int = 0

    @property
    def colour(self) -> int:
        """The number of its colour: a digest has the same colour in every range."""
        return (self.manifest_id or 0) % COLOURS

    @property
    def pattern(self) -> int:
        """The number of its pattern, which distinguishes digests of one colour."""
        return (self.manifest_id or 0) // COLOURS % PATTERNS


@dataclass(frozen=True, slots=True)
class Strand:
    """The moves of a lane within the frame, oldest first, and the move in force before them (`standing`).

    If `is_whole` is false, older moves within the frame were not read. `starts` are the indexes of the moves that begin
    a stretch: all of them, or for a lane of many tags those to another digest than the move before.
    """

    changes: Sequence[Change]
    standing: Change | None = None
    is_whole: bool = True
    starts: Sequence[int] | None = None


def make_pieces(strand: Strand, frame: Frame) -> tuple[Piece, ...]:
    """The pieces of a lane, left to right. Each move is in exactly one piece, and pieces do not overlap."""
    starts = list(range(len(strand.changes)) if strand.starts is None else strand.starts)
    edges = [strand.changes[at].occurred_at for at in starts]
    leads = not strand.is_whole or (strand.standing is not None and strand.standing.manifest_id is not None)
    if leads:
        starts, edges = [0, *starts], [frame.since, *edges]
    if not edges:
        return ()
    cutting = _Cutting(strand, frame, (*starts, len(strand.changes)), leads=leads)
    return tuple(cutting.cut(run) for run in fold([*edges, frame.until], frame))


class _Cutting:
    """Cuts one lane into pieces."""

    def __init__(self, strand: Strand, frame: Frame, starts: Sequence[int], *, leads: bool) -> None:
        self._strand = strand
        self._frame = frame
        self._starts = starts
        self._leads = leads

    def cut(self, run: Run) -> Piece:
        if run.last - run.first > 1:
            return self._many(run)
        if self._leads and run.first == 0:
            return self._leading(run)
        cause = self._strand.changes[self._starts[run.first]]
        return self._single(run, cause, "gone" if cause.manifest_id is None else "digest")

    def _leading(self, run: Run) -> Piece:
        """The piece of the digest from before the range, or of moves that were not read."""
        if self._strand.is_whole and self._strand.standing is not None:
            return self._single(run, self._strand.standing, "digest")
        return Piece("unread", run.began, run.ended, 0, 0, self._frame.since, self._strand.changes[0].occurred_at)

    def _single(self, run: Run, cause: Change, kind: PieceKind) -> Piece:
        first, count, violations, deletions = self._count(run)
        return Piece(
            kind, run.began, run.ended, first, count, cause.occurred_at, cause.until, cause.manifest_id, cause,
            violations, deletions,
        )  # fmt: skip

    def _many(self, run: Run) -> Piece:
        first, count, violations, deletions = self._count(run)
        since, until = self._strand.changes[first].occurred_at, self._strand.changes[first + count - 1].until
        return Piece(
            "many", run.began, run.ended, first, count, since, until, violations=violations, deletions=deletions
        )

    def _count(self, run: Run) -> tuple[int, int, int, int]:
        """The moves that begin in the run, and the number of violations and deletions among them."""
        first, last = self._starts[run.first], self._starts[run.last]
        begun = self._strand.changes[first:last]
        violations = sum(1 for change in begun if change.violates)
        return first, last - first, violations, sum(1 for change in begun if change.manifest_id is None)
