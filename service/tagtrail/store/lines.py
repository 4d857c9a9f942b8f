"""The evidence: lines with their leaf hashes, and the disclosures beside them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import msgspec

from tagtrail.line import disclosed_value, read_line
from tagtrail.store.database import Connection, Store
from tagtrail.store.query import Filter
from tagtrail.trail.instant import parse_instant

_BATCH = 2_000  # lines read at a time, so that no read transaction lasts long


@dataclass(frozen=True, slots=True)
class StoredLine:
    """A stored line with the disclosures that were not erased."""

    seq: int
    line: bytes
    who: bytes | None
    raw: bytes | None


def append_line(
    tx: Connection, seq: int, line: bytes, leaf: bytes, *, who: bytes | None = None, raw: bytes | None = None
) -> None:
    """Write a line, which must have the next seq, and its disclosures."""
    tx.execute("INSERT INTO lines (seq, line, leaf) VALUES (?, ?, ?)", (seq, line, leaf))
    if who is not None or raw is not None:
        tx.execute("INSERT INTO disclosures (seq, who, raw) VALUES (?, ?, ?)", (seq, who, raw))


_NEWEST = "coalesce((SELECT max(seq) FROM lines), (SELECT before_seq FROM pruned) - 1)"


@dataclass(frozen=True, slots=True)
class LedgerEnd:
    """The newest line's seq (-1 before the first), the seq up to which lines are projected, and the generation.

    The generation changes when the projection is changed by anything but new lines.
    """

    seq: int
    projected: int
    generation: int


def get_end(db: Connection) -> LedgerEnd:
    """The end of the ledger as it is now."""
    return LedgerEnd(*db.execute(f"SELECT {_NEWEST}, projected, generation FROM derivation").fetchone())


def get_size(db: Connection) -> int:
    """The number of lines that were ever appended: what can be signed and verified."""
    (newest,) = db.execute(f"SELECT {_NEWEST}").fetchone()
    return int(newest) + 1


def get_last_seq(db: Connection) -> int:
    """The seq of the newest projected line, the end of what queries see; -1 before the first."""
    (seq,) = db.execute("SELECT projected FROM derivation").fetchone()
    return int(seq)


def set_projected(tx: Connection, seq: int) -> None:
    """Move the mark: every line up to `seq` is projected."""
    tx.execute("UPDATE derivation SET projected = ?", (seq,))


def begin_generation(tx: Connection) -> None:
    """Make every process forget the ids and rules that it remembers."""
    tx.execute("UPDATE derivation SET generation = generation + 1")


def get_newest_time(db: Connection) -> int:
    """When the newest line was appended, by our clock; 0 before the first."""
    row = db.execute("SELECT line FROM lines ORDER BY seq DESC LIMIT 1").fetchone()
    return parse_instant(read_line(row[0]).at) if row else 0


def get_line(db: Connection, seq: int) -> StoredLine | None:
    """The line at this seq with its disclosures, if there is one."""
    return next(iterate_lines(db, first=seq, last=seq), None)


def iterate_lines(db: Connection, *, first: int = 0, last: int | None = None) -> Iterator[StoredLine]:
    """The lines from `first` up to `last` (None: to the end), in order, in constant memory."""
    while last is None or first <= last:
        rows = db.execute(
            "SELECT seq, line, who, raw FROM lines LEFT JOIN disclosures USING (seq)"
            " WHERE seq >= ? AND seq <= ? ORDER BY seq LIMIT ?",
            (first, 2**62 if last is None else last, _BATCH),
        ).fetchall()
        if not rows:
            return
        for row in rows:
            yield StoredLine(*row)
        first = rows[-1][0] + 1


@dataclass(frozen=True, slots=True)
class HashedLine:
    """A line with its stored leaf hash; `line` is None if it was pruned."""

    seq: int
    line: bytes | None
    leaf: bytes
    who: bytes | None = None
    raw: bytes | None = None


def iterate_hashed(db: Connection, *, first: int, end: int, disclosed: bool = False) -> Iterator[HashedLine]:
    """The lines from `first` to before `end`, including pruned ones, in order, in constant memory.

    Disclosures are read only on request.
    """
    kept = "who, raw FROM lines LEFT JOIN disclosures USING (seq)" if disclosed else "NULL, NULL FROM lines"
    while first < end:
        batch = min(end, first + _BATCH)
        rows = db.execute(
            f"SELECT seq, line, leaf, {kept} WHERE seq >= ? AND seq < ?"
            " UNION ALL SELECT seq, NULL, leaf, NULL, NULL FROM pruned_leaves WHERE seq >= ? AND seq < ? ORDER BY seq",
            (first, batch, first, batch),
        ).fetchall()
        for row in rows:
            yield HashedLine(*row)
        first = batch


def find_lines_of_kind(db: Connection, kind: str) -> list[StoredLine]:
    """The lines of a rare kind, oldest first, without disclosures."""
    rows = db.execute(
        "SELECT seq, line, NULL, NULL FROM entries JOIN lines USING (seq)"
        " WHERE kind = ? AND kind <> 'push' ORDER BY seq",
        (kind,),
    )
    return [StoredLine(*row) for row in rows]


# The evidence of one line: its bytes, its leaf hash, and the beginning of the event as it was received.


MOST_RAW: Final = 20_000  # shown bytes of an event as received; a quarantined body may be as large as a request


@dataclass(frozen=True, slots=True)
class Received:
    """An event as received, as JSON: its first `raw` bytes of `size`."""

    raw: bytes
    size: int

    @property
    def is_cut(self) -> bool:
        """Whether the event is longer."""
        return len(self.raw) < self.size

    @property
    def text(self) -> str:
        """The event formatted for reading; a quarantined body as text, if it was text."""
        if self.is_cut:
            return self.raw.decode("utf-8", "replace")
        if self.raw.startswith(b'"'):
            return msgspec.json.decode(self.raw, type=str)
        try:
            return msgspec.json.format(self.raw, indent=2).decode()  # not decoded: it may have numbers beyond all types
        except RecursionError:  # nested as deeply as was just possible when it arrived
            return self.raw.decode()


@dataclass(frozen=True, slots=True)
class Evidence:
    """A line's leaf hash and bytes; `line` is None if it was pruned, `received` if nothing is disclosed."""

    seq: int
    leaf: bytes
    line: bytes | None
    received: Received | None


def get_evidence(db: Connection, seq: int, *, with_received: bool) -> Evidence | None:
    """The evidence of the line; None for an unknown number. `seq` lies within the ledger."""
    row = db.execute("SELECT leaf, line FROM lines WHERE seq = ?", (seq,)).fetchone()
    if row is None:
        pruned = db.execute("SELECT leaf FROM pruned_leaves WHERE seq = ?", (seq,)).fetchone()
        return Evidence(seq, pruned[0], None, None) if pruned else None
    return Evidence(seq, row[0], row[1], _read_received(db, seq) if with_received else None)


def _read_received(db: Connection, seq: int) -> Received | None:
    row = db.execute(
        "SELECT substr(raw, 1, ?), length(raw) FROM disclosures WHERE seq = ? AND raw IS NOT NULL", (MOST_RAW, seq)
    ).fetchone()
    if row is None:
        return None
    beginning, size = row
    closed = beginning if size <= MOST_RAW else beginning + b"]"  # as if the document ended here
    value = disclosed_value(closed)
    return Received(value, size - (len(closed) - len(value)))


# The line numbers of a period by our clock.


@dataclass(frozen=True, slots=True)
class Window:
    """Lines from `first` to `last`, both included."""

    first: int
    last: int


def find_window(db: Connection, filters: Filter) -> Window:
    """The lines written within the filter's time, found by halving: our clock never runs back along the ledger."""
    last = get_last_seq(db)
    if filters.last_seq is not None:
        last = min(last, filters.last_seq)
    first = 0 if filters.since is None else _find_first_at(db, filters.since, last)
    if filters.until is not None:
        last = _find_first_at(db, filters.until, last) - 1
    return Window(first, last)


def _find_first_at(db: Connection, instant: int, last: int) -> int:
    """The first line written at or after the instant; `last` + 1 if there is none."""
    low, high = 0, last + 1
    while low < high:
        middle = (low + high) // 2
        row = db.execute("SELECT received_at FROM entries WHERE seq >= ? ORDER BY seq LIMIT 1", (middle,)).fetchone()
        if row is not None and row[0] < instant:
            low = middle + 1
        else:
            high = middle
    return low


# Detects commits at the lowest possible cost, for pollers.


class Changes:
    """Watches a store for commits of other connections, on the calling thread's connection."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._version = -1

    def have_come(self) -> bool:
        """Whether something was committed since the last call; true at the first call.

        Reads shared memory and no page of the database (https://www.sqlite.org/pragma.html#pragma_data_version).
        """
        (version,) = self._store.reader().execute("PRAGMA data_version").fetchone()
        have_come = version != self._version
        self._version = version
        return bool(have_come)
