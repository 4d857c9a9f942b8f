"""The outbox kept in bounds: what is finished leaves it after a while, and what nobody can send any more is given up.

The ledger is not concerned: deliveries only point at its lines.
"""

from collections.abc import Callable
from typing import Final

from tagtrail.config.model import NotifyConfig
from tagtrail.notify.reports import Reports
from tagtrail.store.clearing import find_expired, find_waiting_channels, give_up, remove_expired
from tagtrail.store.database import Store
from tagtrail.trail.instant import DAY, SECOND

KEPT_SENT: Final = 30 * DAY  # after it was sent
KEPT_FAILED: Final = 90 * DAY  # after it was given up: so long it can be tried again
_EVERY: Final = 3_600 * SECOND  # one look
_MOST: Final = 500  # at once; recording waits meanwhile


class Clearing:
    """Clears a store's outbox. `report` tells of what is given up; `clock` gives our time, in nanoseconds."""

    def __init__(self, store: Store, config: NotifyConfig, *, report: Reports, clock: Callable[[], int]) -> None:
        self._store = store
        self._channels = frozenset(channel.name for channel in config.channels)
        self._give_up_after = int(config.give_up_after * SECOND)
        self._report = report
        self._clock = clock
        self._looked_at: int | None = None

    def look(self) -> None:
        """Give up what waits for a channel that is gone, and remove what was finished long ago; once in an hour.

        Raises StorageUnavailable.
        """
        at = self._clock()
        if self._looked_at is not None and 0 <= at - self._looked_at < _EVERY:
            return
        while self._give_up(at):
            pass
        while self._remove(at):
            pass
        self._looked_at = at

    def _give_up(self, at: int) -> int:
        if find_waiting_channels(self._store.reader()) <= self._channels:
            return 0
        with self._store.writing() as tx:
            given_up = give_up(tx, at=at, due_before=at - self._give_up_after, configured=self._channels, most=_MOST)
            for delivery in {each.channel: each for each in given_up}.values():
                self._report(tx, "given up", delivery)
            return len(given_up)

    def _remove(self, at: int) -> int:
        sent_before, failed_before = at - KEPT_SENT, at - KEPT_FAILED
        if not find_expired(self._store.reader(), sent_before=sent_before, failed_before=failed_before, most=1):
            return 0
        with self._store.writing() as tx:
            return remove_expired(tx, sent_before=sent_before, failed_before=failed_before, most=_MOST)
