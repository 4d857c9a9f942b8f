"""The dispatcher: one thread for each channel, so that a dead one delays no other, and one that looks for news.

It works outside the web workers. What it is to tell lies in the outbox; stopping or killing it loses nothing.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from tagtrail import logs
from tagtrail.config.channels import AnyChannelConfig
from tagtrail.config.model import Config, NotifyConfig
from tagtrail.errors import ConfigurationError, StorageUnavailable
from tagtrail.notify.absent import UnavailableChannel
from tagtrail.notify.alerts import DeliveryReports, ServiceAlerts
from tagtrail.notify.channels import make_channel
from tagtrail.notify.composer import MessageComposer
from tagtrail.notify.http import Channel
from tagtrail.notify.routes import Routes
from tagtrail.notify.worker import DeliveryWorker
from tagtrail.store.database import Store
from tagtrail.store.leases import find_expired, find_waiting_channels, give_up, release_claims, remove_expired
from tagtrail.store.lines import Changes
from tagtrail.trail.instant import DAY, SECOND, now

BUSY_PAUSE: Final = 0.02  # seconds between two looks for news
IDLE_PAUSE: Final = 0.05  # when there were none for a while
_IDLE_AFTER: Final = 5.0  # seconds without news
_LONGEST_REST: Final = 30.0  # seconds after which a thread looks at the clock again, which may have been set
_TROUBLE_REST: Final = 5.0  # seconds after the ledger could not be read or written
_LOOK_COST: Final = 20  # a look at a long queue that took a second is not taken again before so many have passed
_FAREWELL: Final = 0.8  # seconds for what is being sent when the end comes
_log = logging.getLogger(__name__)


class Dispatcher:
    """Runs workers until it is told to stop. Each of the `chores` is done `every` so many seconds, beside that.

    `pause` sleeps for so many seconds, `clock` gives our time in nanoseconds.
    """

    def __init__(
        self,
        store: Store,
        workers: Sequence[DeliveryWorker],
        *,
        chores: Sequence[Callable[[], None]],
        clock: Callable[[], int],
        every: float = 60.0,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._changes = Changes(store)
        self._runners = [_Runner(worker, clock) for worker in workers]
        self._chores = chores
        self._every = every
        self._pause = pause
        self._is_over = threading.Event()

    def run(self, must_stop: Callable[[], bool]) -> None:
        """Dispatch until `must_stop`; then let what is being sent come to its end, for less than a second."""
        logs.info(_log, "dispatching", channels=len(self._runners))
        for runner in self._runners:
            runner.start()
        threading.Thread(target=self._do_chores, name="chores", daemon=True).start()
        news_at = time.monotonic()
        while not must_stop():
            if self._has_news():
                news_at = time.monotonic()
                for runner in self._runners:
                    runner.wake()
            self._pause(BUSY_PAUSE if time.monotonic() - news_at < _IDLE_AFTER else IDLE_PAUSE)
        self._stop()

    def _has_news(self) -> bool:
        try:
            return self._changes.have_come()
        except Exception as error:  # a disk that is away may come back
            logs.error(_log, "the outbox cannot be looked at", reason=type(error).__name__)
            self._pause(_TROUBLE_REST)
            return True

    def _do_chores(self) -> None:
        while not self._is_over.is_set():
            for chore in self._chores:
                try:
                    chore()
                except Exception as error:  # the next look may succeed, and another chore
                    logs.error(_log, "a chore of the dispatcher failed", cause=error)
            self._is_over.wait(self._every)

    def _stop(self) -> None:
        self._is_over.set()
        for runner in self._runners:
            runner.stop()
        deadline = time.monotonic() + _FAREWELL
        for runner in self._runners:
            if not runner.has_ended(within=max(0.0, deadline - time.monotonic())):
                logs.warning(_log, "left while sending; it will be sent again", channel=runner.name)


class _Runner:
    """A worker's thread: it sleeps until there are news, or until the worker's next time."""

    def __init__(self, worker: DeliveryWorker, clock: Callable[[], int]) -> None:
        self.name = worker.name
        self._courier = worker
        self._clock = clock
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"channel {worker.name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        self._woken.set()

    def stop(self) -> None:
        self._stopping.set()
        self._woken.set()

    def has_ended(self, *, within: float) -> bool:
        self._thread.join(within)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._woken.wait(self._work())
            except StorageUnavailable as error:
                logs.error(_log, "the outbox cannot be written", channel=self.name, reason=str(error))
                self._stopping.wait(_TROUBLE_REST)
            except Exception as error:  # this thread has to go on
                logs.error(_log, "the dispatcher caught what nobody handled", channel=self.name, cause=error)
                self._stopping.wait(_TROUBLE_REST)

    def _work(self) -> float:
        """Deliver what is due; the seconds until something will be, unless there are news before."""
        self._woken.clear()
        while not self._stopping.is_set() and self._courier.deliver():
            pass
        began = time.perf_counter()
        next_time = self._courier.next_time()
        self._stopping.wait((time.perf_counter() - began) * _LOOK_COST)
        if next_time is None:
            return _LONGEST_REST
        return min(_LONGEST_REST, max(0.0, (next_time - self._clock()) / SECOND))


# The outbox kept in bounds: what is finished leaves it after a while, and what nobody can send any more is given up.


KEPT_SENT: Final = 30 * DAY  # after it was sent
KEPT_FAILED: Final = 90 * DAY  # after it was given up: so long it can be tried again
_EVERY: Final = 3_600 * SECOND  # one look
_MOST: Final = 500  # at once; recording waits meanwhile


class Retention:
    """Clears a store's outbox. `report` tells of what is given up; `clock` gives our time, in nanoseconds."""

    def __init__(
        self, store: Store, config: NotifyConfig, *, report: DeliveryReports, clock: Callable[[], int]
    ) -> None:
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


# From what is configured to a dispatcher: a worker for each channel, and what it tells and reports.


_chance = random.SystemRandom().random


def make_dispatcher(
    config: Config, store: Store, *, reread: Callable[[], Config] | None = None, clock: Callable[[], int] = now
) -> Dispatcher:
    """The dispatcher of a prepared store, whose turn it is: what others had claimed is to be sent by this one.

    A channel that cannot be made is tried again by what `reread` gives, and delays no other. Without `reread` it raises
    ConfigurationError. Raises StorageUnavailable.
    """
    channels = find_channels(config, reread)
    workers = make_workers(config, store, channels=channels, clock=clock, random=_chance)
    with store.writing() as tx:
        release_claims(tx)
    troubles = ServiceAlerts(store, config, find_unavailable=lambda: find_unavailable(channels), clock=clock)
    clearing = Retention(store, config.notify, report=DeliveryReports(config.notify, clock=clock), clock=clock)
    return Dispatcher(store, workers, chores=[troubles.look, clearing.look], clock=clock)


def find_channels(config: Config, reread: Callable[[], Config] | None = None) -> list[Channel]:
    """The channels, in order. Raises ConfigurationError for one that cannot be made, unless it may be made later."""
    return [_find_channel(channel, reread) for channel in config.notify.channels]


def _find_channel(config: AnyChannelConfig, reread: Callable[[], Config] | None) -> Channel:
    try:
        return make_channel(config)
    except ConfigurationError:
        if reread is None:
            raise
        return UnavailableChannel(config.name, lambda: make_channel(_same(config, reread)))


def _same(config: AnyChannelConfig, reread: Callable[[], Config]) -> AnyChannelConfig:
    """The channel as it is written by now; the one that is known, where there is no such channel any more.

    Raises ConfigurationError, which will be told in a chat, and quotes nothing of the file.
    """
    try:
        read = reread().notify.channels
    except ConfigurationError:
        raise ConfigurationError("the configuration cannot be read; `tagtrail check` says why") from None
    return next((one for one in read if (one.name, one.kind) == (config.name, config.kind)), config)


def find_unavailable(channels: Sequence[Channel]) -> dict[str, str]:
    """The names of channels that cannot be made at the moment, each with the reason."""
    reasons = {one.name: one.find_reason() for one in channels if isinstance(one, UnavailableChannel)}
    return {name: reason for name, reason in reasons.items() if reason is not None}


def make_workers(
    config: Config,
    store: Store,
    *,
    channels: Sequence[Channel] | None = None,
    clock: Callable[[], int],
    random: Callable[[], float],
) -> list[DeliveryWorker]:
    """A worker for each channel. Raises ConfigurationError for one that has to be made, and cannot be."""
    teller = MessageComposer(store, public_url=config.public_url, routes=Routes(config.notify), clock=clock)
    reports = DeliveryReports(config.notify, clock=clock)
    return [
        DeliveryWorker(
            store,
            channel,
            made,
            tell=teller.tell,
            report=reports,
            give_up_after=config.notify.give_up_after,
            clock=clock,
            random=random,
        )
        for channel, made in zip(config.notify.channels, channels or find_channels(config), strict=True)
    ]
