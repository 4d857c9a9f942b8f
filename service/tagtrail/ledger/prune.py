"""Retention: removes old lines that nothing in the trail depends on, and records this in a new line.

A removed line leaves its leaf hash, so every proof can still be made. docs/decisions/0008-pruning.md explains which
lines are kept for ever, and why. Times are instants by our clock.
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

LEAST_DAYS: Final = 30  # the age of a line before it can be pruned
LEAST_DAYS_RAW: Final = 1  # the age of an event as received; a registry may repeat younger ones
LONGEST_REASON: Final = 500
RAW: Final = "raw"  # the `format` of a line about deleted events as received
_MOST_RANGES: Final = 2_000  # in one line, which has at most 60,000 bytes
_ATTEMPTS: Final = 3


@dataclass(frozen=True, slots=True)
class Plan:
    """Lines to prune, all before the line `before`; counted by kind, and as ranges if one line can hold them."""

    before: int
    kinds: Counter[str]
    ranges: tuple[tuple[int, int], ...] | None

    @property
    def count(self) -> int:
        """The number of lines."""
        return self.kinds.total()


def check_request(before: int, reason: str, *, now: int, least_days: int, parameter: str) -> None:
    """Raises BadParameter for a time that is too recent or an invalid reason."""
    if before > now - least_days * DAY:
        raise BadParameter(
            parameter,
            f"{parameter}: {format_instant(before, 0)} is less than {least_days} {'day' if least_days == 1 else 'days'}"
            f" ago; the latest that can be asked for is {format_instant(now - least_days * DAY, 0)}",
        )
    if not (0 < len(reason) <= LONGEST_REASON and reason.isprintable()):
        raise BadParameter("reason", f"the reason must be 1 to {LONGEST_REASON} printable characters")


def find_line_at(db: Connection, instant: int) -> int:
    """The first line written at or after the instant; one past the newest line if there is none."""
    return find_window(db, Filter(until=instant)).last + 1


def plan(store: Store, *, before: int) -> Plan:
    """The prunable lines before the given one."""
    kinds = Counter[str]()
    ranges = _Ranges()
    for seq, kind in iterate_prunable(store.reader(), before=before):
        kinds[kind] += 1
        ranges.add(seq)
    return Plan(before, kinds, ranges.found)


def prune(store: Store, recorder: Recorder, *, before: int, reason: str) -> tuple[int, Plan] | None:
    """Record the pruning and remove the lines, in one transaction; returns the new line's number and the plan.

    Returns None if no line is prunable.

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
    """Delete the events as received of the lines before the given one; returns the number of the new line.

    Raises StorageUnavailable.
    """
    entry = Entry(kind="pruned", before=before, format=RAW, reason=reason)
    return recorder.amend(Draft(entry), partial(remove_raw, before=before)).seq


def count_raw_before(store: Store, before: int) -> int:
    """The number of events as received of the lines before the given one."""
    return count_raw(store.reader(), before=before)


class _Moved(Exception):
    """A late event changed the prunable lines after the line about them was drafted."""


def _take(tx: Connection, planned: Plan) -> None:
    ranges = _Ranges()
    seqs = (seq for seq, _ in iterate_prunable(tx, before=planned.before))
    count = ranges.add_all(remove_lines(tx, seqs, before=planned.before))
    if (ranges.found, count) != (planned.ranges, planned.count):
        raise _Moved


class _Ranges:
    """Rising numbers as ranges; dropped when they are more than one line can hold."""

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
