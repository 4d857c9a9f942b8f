"""Erasing: what disclosures hold of a person, taken out of the tables, and out of the files that had them."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tagtrail.store.database import DATABASE_NAME, Connection, Store, sqlite3
from tagtrail.store.lines import StoredLine

_WINDOW = 5_000  # lines looked at in one read transaction
_PATIENCE = 3_000  # milliseconds that readers have for letting go of the write-ahead log
_USUAL_PATIENCE = 10_000
_PIECE = 1 << 20  # bytes of a file that are searched at once


@dataclass(frozen=True, slots=True)
class Holding:
    """What of a line's disclosures is to be erased."""

    seq: int
    who: bool
    raw: bool


def iterate_suspects(db: Connection, part: bytes, *, last: int) -> Iterator[StoredLine]:
    """The lines up to `last` whose disclosures can hold a name with this part, among them all that do.

    A part can hide only behind a backslash of JSON, in the Base64 of what was quarantined, or in the query of what
    was asked for.
    """
    for first in range(0, last + 1, _WINDOW):
        rows = db.execute(
            "SELECT d.seq, l.line, d.who, d.raw FROM disclosures d JOIN lines l ON l.seq = d.seq"
            " JOIN entries e ON e.seq = d.seq WHERE d.seq >= ? AND d.seq < ? AND (instr(d.who, ?) OR instr(d.raw, ?)"
            " OR instr(d.who, x'5c') OR instr(d.raw, x'5c') OR e.kind IN ('quarantined', 'exported')) ORDER BY d.seq",
            (first, min(first + _WINDOW, last + 1), part, part),
        ).fetchall()
        for row in rows:
            yield StoredLine(*row)


def erase_disclosures(tx: Connection, holdings: Iterable[Holding]) -> None:
    """Delete the disclosures, and all that was derived from them."""
    for holding in holdings:
        if holding.who:
            tx.execute("UPDATE disclosures SET who = NULL WHERE seq = ?", (holding.seq,))
            tx.execute("UPDATE entries SET actor_id = NULL WHERE seq = ?", (holding.seq,))
        if holding.raw:
            tx.execute("UPDATE disclosures SET raw = NULL WHERE seq = ?", (holding.seq,))
            tx.execute("DELETE FROM quarantine WHERE seq = ?", (holding.seq,))
        tx.execute("DELETE FROM disclosures WHERE seq = ? AND who IS NULL AND raw IS NULL", (holding.seq,))
    # A chat server may have answered with the message itself, which may have named anybody whom a line discloses.
    tx.execute("UPDATE attempts SET detail = '' WHERE detail <> ''")
    remove_unnamed_actors(tx)


def remove_unnamed_actors(tx: Connection) -> None:
    """Forget the names of actors that no line discloses any more."""
    tx.execute("DELETE FROM actors WHERE NOT EXISTS (SELECT 1 FROM entries e WHERE e.actor_id = actors.id)")


@dataclass(frozen=True, slots=True)
class Remainder:
    """How many lines, disclosures and other actors' names hold any of some texts as a part of something kept."""

    lines: int
    disclosures: int
    actors: int


def count_remainder(db: Connection, texts: Sequence[str]) -> Remainder:
    """Where any of the texts still stands in the tables. Reads all of them once."""
    octets = [text.encode() for text in texts]

    def count(table: str, columns: Sequence[str], values: Sequence[str | bytes]) -> int:
        condition = " OR ".join(f"instr({column}, ?)" for column in columns for _ in values)
        rows = db.execute(f"SELECT count(*) FROM {table} WHERE {condition}", [*values] * len(columns))
        return int(rows.fetchone()[0])

    return Remainder(
        lines=count("lines", ["line"], octets),
        disclosures=count("disclosures", ["who", "raw"], octets),
        actors=count("actors", ["name"], texts),
    )


def write_back(store: Store) -> bool:
    """Write the write-ahead log back and empty it; false where a reader did not let go of it. Raises as `alone`."""
    with store.alone() as db:
        return _write_back(db)


def rewrite(store: Store) -> bool:
    """Write the whole database anew, without what old pages keep, and then as `write_back`.

    Not by a plain VACUUM, which would take as much memory as the database is large. Nothing is recorded meanwhile, and
    it takes room on the disk for two copies besides the database. Raises StorageUnavailable.
    """
    fresh = store.directory / f"{DATABASE_NAME}.rewritten"
    with store.alone() as db:
        try:
            fresh.unlink(missing_ok=True)
            os.close(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            db.execute("VACUUM INTO ?", (str(fresh),))
            with closing(sqlite3.connect(fresh)) as copy:
                copy.backup(db, pages=-1)  # in one transaction, as every process sees it
        finally:
            fresh.unlink(missing_ok=True)
        return _write_back(db)


def _write_back(db: Connection) -> bool:
    db.execute(f"PRAGMA busy_timeout = {_PATIENCE}")
    try:
        busy, _, _ = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        db.execute(f"PRAGMA busy_timeout = {_USUAL_PATIENCE}")
    return not busy


def find_files_with(directory: Path, texts: Iterable[bytes]) -> list[Path]:
    """The files of the directory, and of those in it, in which any of the texts stands."""
    wanted = tuple(texts)
    return [path for path in sorted(directory.rglob("*")) if path.is_file() and _stands_in(path, wanted)]


def _stands_in(path: Path, texts: tuple[bytes, ...]) -> bool:
    overlap = max(map(len, texts)) - 1
    kept = b""
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            kept += piece
            if any(text in kept for text in texts):
                return True
            kept = kept[-overlap:] if overlap else b""
    return False
