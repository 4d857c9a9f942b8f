"""The evidence: lines with their leaf hashes, and the disclosures beside them."""

from collections.abc import Iterator
from dataclasses import dataclass

from tagtrail.store.database import Connection

_BATCH = 2_000  # lines read at a time, so that no read transaction lasts long


@dataclass(frozen=True, slots=True)
class StoredLine:
    """A line as it lies in the ledger, with the disclosures that were not erased."""

    seq: int
    line: bytes
    who: bytes | None
    raw: bytes | None


def append_line(
    tx: Connection, seq: int, line: bytes, leaf: bytes, *, who: bytes | None = None, raw: bytes | None = None
) -> None:
    """Write a line, which must have the next seq, and what its commitments disclose."""
    tx.execute("INSERT INTO lines (seq, line, leaf) VALUES (?, ?, ?)", (seq, line, leaf))
    if who is not None or raw is not None:
        tx.execute("INSERT INTO disclosures (seq, who, raw) VALUES (?, ?, ?)", (seq, who, raw))


def get_last_seq(db: Connection) -> int:
    """The seq of the newest line; -1 before the first, or the last pruned one where all were pruned."""
    (seq,) = db.execute("SELECT coalesce((SELECT max(seq) FROM lines), (SELECT before_seq FROM pruned) - 1)").fetchone()
    return int(seq)


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
    """A line with the leaf hash that was stored with it; `line` is None where it was pruned."""

    seq: int
    line: bytes | None
    leaf: bytes
    who: bytes | None = None
    raw: bytes | None = None


def iterate_hashed(db: Connection, *, first: int, end: int, disclosed: bool = False) -> Iterator[HashedLine]:
    """The lines from `first` up to and without `end`, the pruned ones among them, in order, in constant memory.

    What they disclose is read only where it is asked for.
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
    """The lines of a kind of which there are few, oldest first, without what they disclose."""
    rows = db.execute(
        "SELECT seq, line, NULL, NULL FROM entries JOIN lines USING (seq)"
        " WHERE kind = ? AND kind <> 'push' ORDER BY seq",
        (kind,),
    )
    return [StoredLine(*row) for row in rows]
