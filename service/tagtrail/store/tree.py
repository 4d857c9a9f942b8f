"""The tree's hashes as they lie in the database: leaves beside their lines, complete subtrees, and what was signed."""

from collections.abc import Iterator
from dataclasses import dataclass

from tagtrail.store.database import Connection

_BATCH = 8_192  # leaves read at a time, so that no read transaction lasts long


@dataclass(frozen=True, slots=True)
class StoredCheckpoint:
    """A signed note as it was published; `sealed_at` is by our clock."""

    epoch: int
    size: int
    root: bytes
    note: str
    sealed_at: int


class StoredHashes:
    """What the database knows of the tree; without `trusting_subtrees` everything is computed from the leaves."""

    def __init__(self, db: Connection, *, trusting_subtrees: bool = True) -> None:
        self._db = db
        self._trusting_subtrees = trusting_subtrees

    def leaves(self, first: int, end: int) -> Iterator[bytes]:
        """The leaf hashes from `first` up to and without `end`. Raises LookupError where one is missing."""
        while first < end:
            rows = self._db.execute(
                "SELECT seq, leaf FROM lines WHERE seq >= ? AND seq < ?"
                " UNION ALL SELECT seq, leaf FROM pruned_leaves WHERE seq >= ? AND seq < ? ORDER BY seq",
                (first, min(end, first + _BATCH)) * 2,
            ).fetchall()
            for expected, (seq, leaf) in enumerate(rows, start=first):
                if seq != expected:
                    raise LookupError(f"line {expected} is missing from the ledger")
                yield leaf
            if len(rows) < min(end - first, _BATCH):
                raise LookupError(f"line {first + len(rows)} is missing from the ledger")
            first += len(rows)

    def subtree(self, level: int, number: int) -> bytes | None:
        """The stored hash of a complete subtree, if there is one."""
        if not self._trusting_subtrees:
            return None
        row = self._db.execute("SELECT hash FROM subtrees WHERE level = ? AND number = ?", (level, number)).fetchone()
        return row[0] if row else None


def count_subtrees(db: Connection, level: int) -> int:
    """How many complete subtrees of the level are stored, from the first on without a gap."""
    (number,) = db.execute("SELECT coalesce(max(number) + 1, 0) FROM subtrees WHERE level = ?", (level,)).fetchone()
    return int(number)


def add_subtree(tx: Connection, level: int, number: int, hash: bytes) -> None:
    """Keep the hash of a complete subtree."""
    tx.execute("INSERT INTO subtrees (level, number, hash) VALUES (?, ?, ?)", (level, number, hash))


def add_checkpoint(tx: Connection, checkpoint: StoredCheckpoint) -> None:
    """Keep what was signed; a size that was signed before in its epoch is refused by the table."""
    tx.execute(
        "INSERT INTO checkpoints (epoch, size, root, note, sealed_at) VALUES (?, ?, ?, ?, ?)",
        (checkpoint.epoch, checkpoint.size, checkpoint.root, checkpoint.note, checkpoint.sealed_at),
    )


def find_checkpoint(db: Connection, *, size: int | None = None) -> StoredCheckpoint | None:
    """The newest checkpoint, or the newest one of exactly this size."""
    row = db.execute(
        "SELECT epoch, size, root, note, sealed_at FROM checkpoints WHERE ? IS NULL OR size = ?"
        " ORDER BY epoch DESC, size DESC LIMIT 1",
        (size, size),
    ).fetchone()
    return StoredCheckpoint(*row) if row else None
