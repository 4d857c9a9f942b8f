"""Retention: finished deliveries leave the outbox after a while, those of a removed channel are given up."""

from collections.abc import Callable
from typing import Final

from tagtrail.config.model import NotifyConfig
from tagtrail.notify.alerts import DeliveryReports
from tagtrail.store.database import Store
from tagtrail.store.leases import find_expired, find_waiting_channels, give_up, remove_expired
from tagtrail.trail.instant import DAY, SECOND

KEPT_SENT: Final = 30 * DAY  # after a delivery was sent
KEPT_FAILED: Final = 90 * DAY  # after it was given up; until then it can be retried
_INTERVAL: Final = 3_600 * SECOND  # between two runs
_BATCH: Final = 500  # deliveries in one transaction, during which nothing can be recorded


class Retention:
    """Keeps a store's outbox small.

    `report` reports the deliveries that are given up. `clock` gives our time, in nanoseconds.
    """

    def __init__(
        self, store: Store, config: NotifyConfig, *, report: DeliveryReports, clock: Callable[[], int]
    ) -> None:
        self._store = store
        self._channels = frozenset(channel.name for channel in config.channels)
        self._give_up_after = int(config.give_up_after * SECOND)
        self._report = report
        self._clock = clock
        self._last_run: int | None = None

    def run(self) -> None:
        """Give up deliveries of channels that are no longer configured, and remove old ones; at most once an hour.

        Raises StorageUnavailable.
        """
        at = self._clock()
        if self._last_run is not None and 0 <= at - self._last_run < _INTERVAL:
            return
        while self._give_up(at):
            pass
        while self._remove(at):
            pass
        self._last_run = at

    def _give_up(self, at: int) -> int:
        if find_waiting_channels(self._store.reader()) <= self._channels:
            return 0
        with self._store.writing() as tx:
            given_up = give_up(tx, at=at, due_before=at - self._give_up_after, configured=self._channels, most=_BATCH)
            for delivery in {each.channel: each for each in given_up}.values():
                self._report(tx, "given up", delivery)
            return len(given_up)

    def _remove(self, at: int) -> int:
        sent_before, failed_before = at - KEPT_SENT, at - KEPT_FAILED
        if not find_expired(self._store.reader(), sent_before=sent_before, failed_before=failed_before, most=1):
            return 0
        with self._store.writing() as tx:
            return remove_expired(tx, sent_before=sent_before, failed_before=failed_before, most=_BATCH)
