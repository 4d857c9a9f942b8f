"""From our clock to line numbers: the lines that were written within a time."""

from dataclasses import dataclass

from tagtrail.store.answers import Filter
from tagtrail.store.database import Connection
from tagtrail.store.lines import get_last_seq


@dataclass(frozen=True, slots=True)
class Window:
    """Lines from `first` to `last`, both included."""

    first: int
    last: int


def find_window(db: Connection, asked: Filter) -> Window:
    """The lines written within the filter's time, found by halving: our clock never runs back along the ledger."""
    last = get_last_seq(db)
    if asked.last_seq is not None:
        last = min(last, asked.last_seq)
    first = 0 if asked.since is None else _find_first_at(db, asked.since, last)
    if asked.until is not None:
        last = _find_first_at(db, asked.until, last) - 1
    return Window(first, last)


def _find_first_at(db: Connection, instant: int, last: int) -> int:
    """The first line written at or after the instant; `last` + 1 if there is none."""
    low, high = 0, last + 1
    while low < high:
        middle = (low + high) // 2
        row = db.execute("SELECT received_at FROM entries WHERE seq >= ? ORDER BY seq LIMIT 1", (middle,)).fetchone()
        if row is not None and row[0] < instant:
            low = middle + 1
        else:
            high = middle
    return low
