"""The stored hashes of the tree (leaves beside their lines, complete subtrees), the checkpoints and the keys."""

from collections.abc import Iterator
from dataclasses import dataclass

from tagtrail.store.database import Connection

_BATCH = 8_192  # rows read at a time, so that no read transaction lasts long


@dataclass(frozen=True, slots=True)
class StoredCheckpoint:
    """A signed note as it was published; `signed_at` is by our clock."""

    epoch: int
    size: int
    root: bytes
    note: str
    signed_at: int


class StoredHashes:
    """The stored hashes of the tree; without `trusting_subtrees` everything is computed from the leaves."""

    def __init__(self, db: Connection, *, trusting_subtrees: bool = True) -> None:
        self._db = db
        self._trusting_subtrees = trusting_subtrees

    def leaves(self, first: int, end: int) -> Iterator[bytes]:
        """The leaf hashes from `first` to before `end`. Raises LookupError if one is missing."""
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

    def subtrees(self, level: int, first: int, end: int) -> list[bytes]:
        """The stored hashes of these complete subtrees, in order; fewer where some are not stored."""
        if not self._trusting_subtrees:
            return []
        rows = self._db.execute(
            "SELECT hash FROM subtrees WHERE level = ? AND number >= ? AND number < ? ORDER BY number",
            (level, first, end),
        )
        return [hash for (hash,) in rows]


def count_subtrees(db: Connection, level: int) -> int:
    """How many complete subtrees of the level are stored, from the first on without a gap."""
    (number,) = db.execute("SELECT coalesce(max(number) + 1, 0) FROM subtrees WHERE level = ?", (level,)).fetchone()
    return int(number)


def add_subtree(tx: Connection, level: int, number: int, hash: bytes) -> None:
    """Store the hash of a complete subtree, replacing any present one."""
    tx.execute("INSERT OR REPLACE INTO subtrees (level, number, hash) VALUES (?, ?, ?)", (level, number, hash))


def add_checkpoint(tx: Connection, checkpoint: StoredCheckpoint) -> None:
    """Store a checkpoint; the table refuses a second one of the same size and epoch."""
    tx.execute(
        "INSERT INTO checkpoints (epoch, size, root, note, sealed_at) VALUES (?, ?, ?, ?, ?)",
        (checkpoint.epoch, checkpoint.size, checkpoint.root, checkpoint.note, checkpoint.signed_at),
    )


def clear_subtrees(tx: Connection) -> None:
    """Delete the stored subtrees, which are computed again from the leaves."""
    tx.execute("DELETE FROM subtrees")


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A verifier key of the log, as text; it counts from the first checkpoint of at least `since_size` lines."""

    epoch: int
    number: int
    key: str
    since_size: int


def add_key(tx: Connection, key: StoredKey) -> None:
    """Keep a key, for ever."""
    tx.execute(
        "INSERT INTO log_keys (epoch, number, key, since_size) VALUES (?, ?, ?, ?)",
        (key.epoch, key.number, key.key, key.since_size),
    )


def find_keys(db: Connection) -> list[StoredKey]:
    """All keys that the log ever had, oldest first."""
    rows = db.execute("SELECT epoch, number, key, since_size FROM log_keys ORDER BY epoch, number")
    return [StoredKey(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class StoredStatement:
    """A signed note that introduces the key of this epoch and number."""

    epoch: int
    number: int
    note: str


def add_statement(tx: Connection, statement: StoredStatement) -> None:
    """Keep a statement; the same one may be added again."""
    tx.execute(
        "INSERT INTO statements (epoch, number, note) SELECT ?, ?, ? WHERE NOT EXISTS"
        " (SELECT 1 FROM statements WHERE epoch = ? AND number = ? AND note = ?)",
        (statement.epoch, statement.number, statement.note, statement.epoch, statement.number, statement.note),
    )


def find_statements(db: Connection) -> list[StoredStatement]:
    """All statements about the log's keys, oldest first."""
    rows = db.execute("SELECT epoch, number, note FROM statements ORDER BY epoch, number")
    return [StoredStatement(*row) for row in rows]


def get_epoch_start(db: Connection) -> int:
    """The first line that belongs to the log's present epoch: 0, or the one that began it."""
    row = db.execute("SELECT since_size FROM log_keys WHERE number = 0 ORDER BY epoch DESC LIMIT 1").fetchone()
    return int(row[0]) if row else 0


def iterate_checkpoints(db: Connection) -> Iterator[StoredCheckpoint]:
    """All checkpoints, smallest size first, in constant memory."""
    after = (-1, -1)
    while True:
        rows = db.execute(
            "SELECT epoch, size, root, note, sealed_at FROM checkpoints WHERE (size, epoch) > (?, ?)"
            " ORDER BY size, epoch LIMIT ?",
            (*after, _BATCH),
        ).fetchall()
        if not rows:
            return
        yield from (StoredCheckpoint(*row) for row in rows)
        after = (rows[-1][1], rows[-1][0])


def find_first_checkpoint(db: Connection, *, epoch: int, size: int) -> StoredCheckpoint | None:
    """The smallest checkpoint of the epoch that has at least this size."""
    row = db.execute(
        "SELECT epoch, size, root, note, sealed_at FROM checkpoints WHERE epoch = ? AND size >= ?"
        " ORDER BY size LIMIT 1",
        (epoch, size),
    ).fetchone()
    return StoredCheckpoint(*row) if row else None


def find_checkpoint(db: Connection, *, size: int | None = None) -> StoredCheckpoint | None:
    """The newest checkpoint, or the newest one of exactly this size."""
    row = db.execute(
        "SELECT epoch, size, root, note, sealed_at FROM checkpoints WHERE ? IS NULL OR size = ?"
        " ORDER BY epoch DESC, size DESC LIMIT 1",
        (size, size),
    ).fetchone()
    return StoredCheckpoint(*row) if row else None
