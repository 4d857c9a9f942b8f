"""The state of the ledger in numbers."""

from dataclasses import dataclass

from tagtrail.store.database import Connection
from tagtrail.store.lines import get_last_seq
from tagtrail.store.tree import StoredCheckpoint, find_checkpoint

# The last verification of the whole ledger.


@dataclass(frozen=True, slots=True)
class Verification:
    """`size` lines were verified at `verified_at`, by our clock; `trouble` is a sentence, or None without an error."""

    verified_at: int
    size: int
    trouble: str | None


def keep_verification(tx: Connection, found: Verification) -> None:
    """Store it in place of the last one."""
    tx.execute(
        "INSERT OR REPLACE INTO verification (id, verified_at, size, trouble) VALUES (1, ?, ?, ?)",
        (found.verified_at, found.size, found.trouble),
    )


def find_verification(db: Connection) -> Verification | None:
    """The last one; None before the first."""
    row = db.execute("SELECT verified_at, size, trouble FROM verification").fetchone()
    return Verification(*row) if row else None


@dataclass(frozen=True, slots=True)
class Status:
    """How many lines there are and how many of them are in quarantine, what was signed, and what was verified last.

    `failed_authentications` counts all, ever.
    """

    lines: int
    quarantined: int
    failed_authentications: int
    checkpoint: StoredCheckpoint | None
    verification: Verification | None


def get_status(db: Connection) -> Status:
    """The numbers as they are now."""
    (quarantined,) = db.execute("SELECT count(*) FROM quarantine").fetchone()
    (failed,) = db.execute("SELECT coalesce(sum(refusals), 0) FROM refusals").fetchone()
    return Status(get_last_seq(db) + 1, quarantined, failed, find_checkpoint(db), find_verification(db))
