"""`gaps.csv`: known times without observation, a row for each line in the bundle that records one.

Unknown gaps are missing: a registry that could not reach the service and was not restarted reports nothing later.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tagtrail.export.selection import Reading, Selection
from tagtrail.line import Entry, read_line
from tagtrail.store.events import get_received_at
from tagtrail.store.export import (
    Seen,
    find_gap_closed,
    find_last_alive,
    find_last_heard,
    find_last_of_life,
    iterate_of_registry,
    read_plain,
)
from tagtrail.trail.instant import format_instant
from tagtrail.wording.spreadsheet import MARK, write_row

_COLUMNS: Final = ("registry", "from", "until", "cause", "seq", "explanation")


@dataclass(frozen=True, slots=True)
class Gap:
    """A time without observation, by our clock; empty for an unknown begin or a gap that has not ended.

    `seq` is the line that records it.
    """

    registry: str
    since: str
    until: str
    cause: str
    seq: int
    explanation: str

    def write(self) -> str:
        """The row."""
        return write_row([self.registry, self.since, self.until, self.cause, str(self.seq), self.explanation])


class Gaps:
    """The gaps of a range; `count` is the number written so far."""

    def __init__(self, reading: Reading, selection: Selection) -> None:
        self.count = 0
        self._reading = reading
        self._selection = selection
        self._stopped: Entry | None = None
        self._has_begun = selection.first > 0  # an unknown begin lies before the range

    def write(self) -> Iterator[bytes]:
        """The table, in pieces, in the order of the lines."""
        yield MARK + write_row(_COLUMNS).encode()
        for window in self._selection.windows():
            with self._reading.page() as db:
                lines = read_plain(db, window.first, window.end)
            gaps = [gap for line in lines for gap in self._tell(read_line(line))]
            self.count += len(gaps)
            yield "".join([gap.write() for gap in gaps]).encode()

    def _tell(self, entry: Entry) -> Iterator[Gap]:
        if entry.kind == "stopped":
            self._stopped = entry
        elif entry.kind == "started":
            yield from self._tell_start(entry)
        elif entry.kind == "registry":
            yield from self._tell_registry(entry)
        elif entry.kind == "quarantined":
            yield _quarantined(entry)
        elif entry.kind == "gap_opened":
            yield self._opened(entry)

    def _tell_start(self, entry: Entry) -> Iterator[Gap]:
        if self._stopped is not None:
            yield _stopped(self._stopped.at, entry)
        elif self._has_begun:
            with self._reading.page() as db:
                last, alive = find_last_of_life(db, before=entry.seq), find_last_alive(db, before=entry.seq)
            yield _stopped(_at(last), entry) if last and last.kind == "stopped" else _ended(_at(alive), entry)
        self._stopped, self._has_begun = None, True

    def _tell_registry(self, entry: Entry) -> Iterator[Gap]:
        registry, first = entry.registry or "", self._selection.first
        with self._reading.page() as db:
            last = find_last_heard(db, registry, before=entry.seq)
            was_here = any(map(self._selection.includes, iterate_of_registry(db, registry, first, entry.seq)))
        if first or was_here:
            yield _restarted(_at(last), entry) if last else _first_heard(entry)

    def _opened(self, entry: Entry) -> Gap:
        with self._reading.page() as db:
            if entry.origin is not None:
                return _began_anew(get_received_at(db, (entry.kept or 0) - 1), entry)
            closed = find_gap_closed(db, entry.registry, entry.seq, self._selection.end)
        until = format_instant(closed, 6) if closed is not None else ""
        return Gap(entry.registry or "", entry.at, until, "gap", entry.seq, entry.reason or "no reason was given")


def _at(seen: Seen | None) -> str:
    return format_instant(seen.received_at, 6) if seen is not None else ""


def _stopped(since: str, entry: Entry) -> Gap:
    return Gap("", since, entry.at, "stopped", entry.seq, "the service was stopped, and received nothing")


def _ended(since: str, entry: Entry) -> Gap:
    said = "the service ended without an orderly stop, at some time after the last line that it wrote"
    return Gap("", since, entry.at, "ended", entry.seq, said)


def _restarted(since: str, entry: Entry) -> Gap:
    said = (
        "a new process of the registry began to send; if it came in the place of the one before, what that one had not"
        " delivered is lost"
    )
    return Gap(entry.registry or "", since, entry.at, "restarted", entry.seq, said)


def _first_heard(entry: Entry) -> Gap:
    said = "the registry was heard of for the first time; what it did before is not known"
    return Gap(entry.registry or "", "", entry.at, "first heard of", entry.seq, said)


def _began_anew(last_kept: int | None, entry: Entry) -> Gap:
    since = format_instant(last_kept, 6) if last_kept is not None else ""
    said = (
        f"the log began anew as {entry.origin}; of the lines signed before, only the first {entry.kept or 0} are known"
        f" to be here: {entry.reason or 'no reason was given'}"
    )
    return Gap("", since, entry.at, "gap", entry.seq, said)


def _quarantined(entry: Entry) -> Gap:
    said = f"something that was sent could not be understood: {entry.reason or 'no reason was given'}"
    return Gap(entry.registry or "", entry.at, entry.at, "quarantined", entry.seq, said)
