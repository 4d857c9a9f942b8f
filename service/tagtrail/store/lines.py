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


def find_configuration_lines(db: Connection) -> list[StoredLine]:
    """The lines that put rules in force, oldest first."""
    rows = db.execute(
        "SELECT seq, line, NULL, NULL FROM entries JOIN lines USING (seq) WHERE kind = 'configuration' ORDER BY seq"
    )
    return [StoredLine(*row) for row in rows]
