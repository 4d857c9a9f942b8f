"""The unsigned lag: how many lines wait for a checkpoint, and a sentence if they wait too long.

The reason (a key or a journal that cannot be used) is only in the service's log, because `/readyz` shows the sentence
without a token.
"""

from dataclasses import dataclass
from typing import Final

from tagtrail.store.database import Connection
from tagtrail.store.events import get_received_at
from tagtrail.store.lines import get_size
from tagtrail.store.tree import find_checkpoint
from tagtrail.trail.instant import SECOND, format_instant

SEVERAL: Final = 5  # a line may wait this many times `checkpoint_every`


@dataclass(frozen=True, slots=True)
class UnsignedLag:
    """The number of lines without a checkpoint, and when the first of them was written (None without such a line).

    The age of the newest checkpoint does not count, because it may be old for lack of new lines.
    """

    lines: int
    since: int | None


def find_unsigned_lag(db: Connection) -> UnsignedLag:
    """The lines that wait to be signed."""
    newest = find_checkpoint(db)
    signed = newest.size if newest is not None else 0
    waiting = get_size(db) - signed
    return UnsignedLag(max(0, waiting), get_received_at(db, signed) if waiting > 0 else None)


def describe_unsigned_lag(lag: UnsignedLag, *, at: int, checkpoint_every: float) -> str | None:
    """A sentence if lines wait too long at the instant; None while a checkpoint may still come in time."""
    if lag.since is None or at - lag.since <= SEVERAL * checkpoint_every * SECOND:
        return None
    wait = "line waits" if lag.lines == 1 else "lines wait"
    return (
        f"the ledger is no longer signed: {lag.lines} {wait} for a checkpoint, since"
        f" {format_instant(lag.since, 0)}; the service's own log says why"
    )
