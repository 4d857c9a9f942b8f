"""Erasing: removes a person's disclosures from the tables and from the files."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tagtrail.store.database import DATABASE_NAME, Connection, Store, sqlite3
from tagtrail.store.lines import StoredLine

_WINDOW = 5_000  # lines read in one transaction
_PATIENCE = 3_000  # milliseconds for readers to release the write-ahead log
_USUAL_PATIENCE = 10_000
_PIECE = 1 << 20  # bytes of a file searched at once


@dataclass(frozen=True, slots=True)
class Holding:
    """The disclosures of a line that are to be erased."""

    seq: int
    who: bool
    raw: bool


def iterate_suspects(db: Connection, part: bytes, *, last: int) -> Iterator[StoredLine]:
    """A superset of the lines up to `last` whose disclosures contain a name with this part.

    A part can be hidden only by a backslash of JSON, in the Base64 of a quarantined body, or in a recorded query.
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
    """Delete the disclosures and everything derived from them."""
    for holding in holdings:
        if holding.who:
            tx.execute("UPDATE disclosures SET who = NULL WHERE seq = ?", (holding.seq,))
            tx.execute("UPDATE entries SET actor_id = NULL WHERE seq = ?", (holding.seq,))
        if holding.raw:
            tx.execute("UPDATE disclosures SET raw = NULL WHERE seq = ?", (holding.seq,))
            tx.execute("DELETE FROM quarantine WHERE seq = ?", (holding.seq,))
        tx.execute("DELETE FROM disclosures WHERE seq = ? AND who IS NULL AND raw IS NULL", (holding.seq,))
    # A chat server's answer may repeat the message, which may name any person that a line discloses.
    tx.execute("UPDATE attempts SET detail = '' WHERE detail <> ''")
    remove_unnamed_actors(tx)


def remove_unnamed_actors(tx: Connection) -> None:
    """Remove the names of actors that no line discloses any more."""
    tx.execute("DELETE FROM actors WHERE NOT EXISTS (SELECT 1 FROM entries e WHERE e.actor_id = actors.id)")


@dataclass(frozen=True, slots=True)
class Remainder:
    """The numbers of kept lines, disclosures and other actors' names that contain one of the texts."""

    lines: int
    disclosures: int
    actors: int


def count_remainder(db: Connection, texts: Sequence[str]) -> Remainder:
    """Count where the tables still contain one of the texts. Reads all tables once."""
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
    """Write the write-ahead log back and empty it; false if a reader held it. Raises as `alone` does."""
    with store.alone() as db:
        return _write_back(db)


def rewrite(store: Store) -> bool:
    """Rewrite the whole database without the remains in old pages, and then do as `write_back`.

    A plain VACUUM would take as much memory as the database is large. Nothing is recorded meanwhile, and the disk needs
    room for two more copies. Raises StorageUnavailable.
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
    """The files below the directory that contain one of the texts."""
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
