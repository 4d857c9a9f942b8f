"""Whether the log keeps up with the ledger: lines that wait for a checkpoint for too long, told in a sentence.

What keeps it from being signed (a key or a journal that cannot be used) is known to the service's log only: the
sentence is for everybody who may see whether the service is well.
"""

from dataclasses import dataclass
from typing import Final

from tagtrail.store.database import Connection
from tagtrail.store.events import get_received_at
from tagtrail.store.lines import get_size
from tagtrail.store.tree import find_checkpoint
from tagtrail.trail.instant import SECOND, format_instant

SEVERAL: Final = 5  # times `checkpoint_every` that a line may wait before something must be wrong


@dataclass(frozen=True, slots=True)
class Arrears:
    """How many lines are under no checkpoint yet, and when the first of them was written (None where there is none).

    It goes by that line and not by the checkpoint, which may be old because nothing happened.
    """

    lines: int
    since: int | None


def find_arrears(db: Connection) -> Arrears:
    """What waits to be signed."""
    newest = find_checkpoint(db)
    signed = newest.size if newest is not None else 0
    waiting = get_size(db) - signed
    return Arrears(max(0, waiting), get_received_at(db, signed) if waiting > 0 else None)


def describe_arrears(arrears: Arrears, *, at: int, checkpoint_every: float) -> str | None:
    """What is wrong at the instant, in a sentence; None while a checkpoint (every so many seconds) may still come."""
    if arrears.since is None or at - arrears.since <= SEVERAL * checkpoint_every * SECOND:
        return None
    wait = "line waits" if arrears.lines == 1 else "lines wait"
    return (
        f"the ledger is not being signed any more: {arrears.lines} {wait} for a checkpoint, since"
        f" {format_instant(arrears.since, 0)}; the service's own log says why"
    )
