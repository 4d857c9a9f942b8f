"""Retention: old lines that nothing in the trail rests on leave the ledger, and say so in a line of their own.

A line that is gone leaves its leaf hash, so that every proof can still be made. Why only such lines go, and what is
kept for ever: docs/decisions/0008-pruning.md. Times are instants by our clock.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final

from tagtrail.errors import BadParameter, StorageUnavailable
from tagtrail.ledger.record import Recorder
from tagtrail.ledger.submission import Draft
from tagtrail.line import Entry
from tagtrail.store.database import Connection, Store
from tagtrail.store.lines import find_window
from tagtrail.store.pruning import count_raw, iterate_prunable, remove_lines, remove_raw
from tagtrail.store.query import Filter
from tagtrail.trail.instant import DAY, format_instant

LEAST_DAYS: Final = 30  # of age that a line has before it can be pruned
LEAST_DAYS_RAW: Final = 1  # that an event as received has: as long as a registry may send it again
LONGEST_REASON: Final = 500
RAW: Final = "raw"  # the `format` of a line that says that only events as received were deleted
_MOST_RANGES: Final = 2_000  # in one line, which has at most 60,000 bytes
_ATTEMPTS: Final = 3


@dataclass(frozen=True, slots=True)
class Plan:
    """Lines to be pruned, all of them before the line `before`; by kind, and as ranges where a line can name them."""

    before: int
    kinds: Counter[str]
    ranges: tuple[tuple[int, int], ...] | None

    @property
    def count(self) -> int:
        """How many lines."""
        return self.kinds.total()


def check_request(before: int, reason: str, *, now: int, least_days: int, parameter: str) -> None:
    """Raises BadParameter for a time that is too recent, and for a reason that cannot be taken."""
    if before > now - least_days * DAY:
        raise BadParameter(
            parameter,
            f"{parameter}: {format_instant(before, 0)} is less than {least_days} {'day' if least_days == 1 else 'days'}"
            f" ago; the latest that can be asked for is {format_instant(now - least_days * DAY, 0)}",
        )
    if not (0 < len(reason) <= LONGEST_REASON and reason.isprintable()):
        raise BadParameter("reason", f"the reason must be 1 to {LONGEST_REASON} printable characters")


def find_line_at(db: Connection, instant: int) -> int:
    """The first line that was written at or after the instant; one past the newest where there is none."""
    return find_window(db, Filter(until=instant)).last + 1


def plan(store: Store, *, before: int) -> Plan:
    """What pruning would take away of the lines before the given one."""
    kinds = Counter[str]()
    ranges = _Ranges()
    for seq, kind in iterate_prunable(store.reader(), before=before):
        kinds[kind] += 1
        ranges.add(seq)
    return Plan(before, kinds, ranges.found)


def prune(store: Store, recorder: Recorder, *, before: int, reason: str) -> tuple[int, Plan] | None:
    """Record the pruning and take the lines away, in one transaction; the number of the line that says so, and what
    was taken. None where nothing can be.

    Nothing else is recorded meanwhile. Raises StorageUnavailable.
    """
    for _ in range(_ATTEMPTS):
        planned = plan(store, before=before)
        if not planned.count:
            return None
        entry = Entry(kind="pruned", before=before, lines=planned.ranges or (), reason=reason)
        try:
            recorded = recorder.amend(Draft(entry), partial(_take, planned=planned))
        except _Moved:
            continue
        return recorded.seq, planned
    raise StorageUnavailable("late events kept changing what can be pruned; try again in a quiet hour")


def prune_raw(recorder: Recorder, *, before: int, reason: str) -> int:
    """Delete the events as received of the lines before the given one; the number of the line that says so.

    Raises StorageUnavailable.
    """
    entry = Entry(kind="pruned", before=before, format=RAW, reason=reason)
    return recorder.amend(Draft(entry), partial(remove_raw, before=before)).seq


def count_raw_before(store: Store, before: int) -> int:
    """How many events as received there are of the lines before the given one."""
    return count_raw(store.reader(), before=before)


class _Moved(Exception):
    """What can be pruned is not what it was when the line about it was drafted: a late event came in between."""


def _take(tx: Connection, planned: Plan) -> None:
    ranges = _Ranges()
    seqs = (seq for seq, _ in iterate_prunable(tx, before=planned.before))
    count = ranges.add_all(remove_lines(tx, seqs, before=planned.before))
    if (ranges.found, count) != (planned.ranges, planned.count):
        raise _Moved


class _Ranges:
    """Rising numbers as ranges; forgotten once they are more than a line can name."""

    def __init__(self) -> None:
        self._ranges: list[tuple[int, int]] | None = []

    @property
    def found(self) -> tuple[tuple[int, int], ...] | None:
        return None if self._ranges is None else tuple(self._ranges)

    def add(self, seq: int) -> None:
        if self._ranges is None:
            return
        if self._ranges and self._ranges[-1][1] == seq - 1:
            self._ranges[-1] = (self._ranges[-1][0], seq)
        else:
            self._ranges.append((seq, seq))
        if len(self._ranges) > _MOST_RANGES:
            self._ranges = None

    def add_all(self, seqs: Iterable[int]) -> int:
        count = 0
        for seq in seqs:
            self.add(seq)
            count += 1
        return count
