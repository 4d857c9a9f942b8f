"""How the ledger is doing, in numbers."""

from dataclasses import dataclass

from tagtrail.store.database import Connection
from tagtrail.store.lines import get_last_seq
from tagtrail.store.tree import StoredCheckpoint, find_checkpoint
from tagtrail.store.verification import Verification, find_verification


@dataclass(frozen=True, slots=True)
class Status:
    """How many lines there are and how many of them are in quarantine, what was signed, and what was verified last.

    `refusals` are failed authentications, ever.
    """

    lines: int
    quarantined: int
    refusals: int
    checkpoint: StoredCheckpoint | None
    verification: Verification | None


def get_status(db: Connection) -> Status:
    """The numbers as they are now."""
    (quarantined,) = db.execute("SELECT count(*) FROM quarantine").fetchone()
    (refusals,) = db.execute("SELECT coalesce(sum(refusals), 0) FROM refusals").fetchone()
    return Status(get_last_seq(db) + 1, quarantined, refusals, find_checkpoint(db), find_verification(db))
