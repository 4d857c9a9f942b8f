"""Counts failed authentications, and writes the counts down seldom: nobody without a token can make us write more."""

import threading
from collections import Counter
from collections.abc import Callable
from typing import Final, Literal

from tagtrail.errors import StorageUnavailable
from tagtrail.store.database import Store
from tagtrail.store.refusals import add_refusals
from tagtrail.trail.instant import format_instant, now

Door = Literal["api", "events"]
SELDOM: Final = 60.0  # seconds between a refusal and the writing of all that were counted since


def _later(flush: Callable[[], None]) -> None:
    """Call it after SELDOM seconds, in a thread that keeps no process alive."""
    timer = threading.Timer(SELDOM, flush)
    timer.daemon = True
    timer.start()


class Refusals:
    """The counts of one process. Whoever is refused is never kept waiting by them, and no answer depends on them.

    What was counted in the last minute before a process ends is lost.
    """

    def __init__(
        self,
        store: Store,
        *,
        clock: Callable[[], int] = now,
        later: Callable[[Callable[[], None]], None] | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._later = later or _later
        self._lock = threading.Lock()
        self._counted: Counter[tuple[str, str]] = Counter()
        self._is_due = False

    def count(self, door: Door) -> None:
        """Count a failed authentication at that door."""
        with self._lock:
            self._counted[format_instant(self._clock())[:10], door] += 1
            is_first, self._is_due = not self._is_due, True
        if is_first:
            self._later(self.flush)

    def flush(self) -> None:
        """Write down what was counted; what cannot be written now waits for the next time."""
        with self._lock:
            counted, self._counted, self._is_due = self._counted, Counter(), False
        try:
            with self._store.writing() as tx:
                add_refusals(tx, counted)
        except StorageUnavailable:
            with self._lock:
                self._counted.update(counted)
