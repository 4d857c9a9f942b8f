"""When the whole ledger was verified last, and what was found."""

from dataclasses import dataclass

from tagtrail.store.database import Connection


@dataclass(frozen=True, slots=True)
class Verification:
    """`size` lines were verified at `verified_at`, by our clock; `trouble` is a sentence, None where all was well."""

    verified_at: int
    size: int
    trouble: str | None


def keep_verification(tx: Connection, found: Verification) -> None:
    """Remember it in the place of the last."""
    tx.execute(
        "INSERT OR REPLACE INTO verification (id, verified_at, size, trouble) VALUES (1, ?, ?, ?)",
        (found.verified_at, found.size, found.trouble),
    )


def find_verification(db: Connection) -> Verification | None:
    """The last one; None before the first."""
    row = db.execute("SELECT verified_at, size, trouble FROM verification").fetchone()
    return Verification(*row) if row else None
