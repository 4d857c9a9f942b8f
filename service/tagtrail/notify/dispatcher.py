"""The dispatcher: one thread for each channel, so that one that is down delays no other, and one for periodic tasks.

It runs outside the web workers. Its input is the outbox, so stopping or killing it loses nothing.
`make_dispatcher` is where the parts meet.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from tagtrail import logs
from tagtrail.config.model import Config
from tagtrail.errors import StorageUnavailable
from tagtrail.notify.alerts import DeliveryReports, ServiceAlerts
from tagtrail.notify.channels import find_unavailable, make_channels
from tagtrail.notify.composer import MessageComposer
from tagtrail.notify.http import Channel
from tagtrail.notify.retention import Retention
from tagtrail.notify.routes import Routes
from tagtrail.notify.worker import DeliveryWorker
from tagtrail.store.database import Store
from tagtrail.store.leases import release_claims
from tagtrail.store.lines import Changes
from tagtrail.trail.instant import SECOND, now

BUSY_PAUSE: Final = 0.02  # seconds between two looks for changes
IDLE_PAUSE: Final = 0.05  # the same when there were none for a while
_IDLE_AFTER: Final = 5.0  # seconds without changes
_LONGEST_SLEEP: Final = 30.0  # seconds, after which a thread reads the clock again, which may have been set
_PAUSE_AFTER_ERROR: Final = 5.0  # seconds after the outbox could not be read or written
_QUERY_COST: Final = 20  # a look at a long queue that took a second is repeated after this many seconds
_GRACE: Final = 0.8  # seconds in which messages that are being sent may finish when the dispatcher stops
_log = logging.getLogger(__name__)


def make_dispatcher(
    config: Config, store: Store, *, reread: Callable[[], Config] | None = None, clock: Callable[[], int] = now
) -> "Dispatcher":
    """The dispatcher of a prepared store; the caller holds the leader lock, so earlier claims are released.

    With `reread`, which reads the configuration again, a channel that cannot be made waits until it can. Without it
    such a channel raises ConfigurationError. Raises StorageUnavailable.
    """
    channels = make_channels(config, reread)
    workers = make_workers(config, store, channels=channels, clock=clock, random=random.SystemRandom().random)
    with store.writing() as tx:
        release_claims(tx)
    alerts = ServiceAlerts(store, config, find_unavailable=lambda: find_unavailable(channels), clock=clock)
    retention = Retention(store, config.notify, report=DeliveryReports(config.notify, clock=clock), clock=clock)
    return Dispatcher(store, workers, tasks=[alerts.check, retention.run], clock=clock)


def make_workers(
    config: Config,
    store: Store,
    *,
    channels: Sequence[Channel],
    clock: Callable[[], int],
    random: Callable[[], float],
) -> list[DeliveryWorker]:
    """A delivery worker for each configured channel; `channels` are in the order of the configuration."""
    composer = MessageComposer(store, public_url=config.public_url, routes=Routes(config.notify), clock=clock)
    reports = DeliveryReports(config.notify, clock=clock)
    return [
        DeliveryWorker(
            store,
            channel_config,
            channel,
            compose=composer.compose,
            report=reports,
            give_up_after=config.notify.give_up_after,
            clock=clock,
            random=random,
        )
        for channel_config, channel in zip(config.notify.channels, channels, strict=True)
    ]


class Dispatcher:
    """Runs delivery workers until it is stopped, and each of the `tasks` every `interval` seconds.

    `pause` sleeps for the given number of seconds, `clock` gives our time in nanoseconds.
    """

    def __init__(
        self,
        store: Store,
        workers: Sequence[DeliveryWorker],
        *,
        tasks: Sequence[Callable[[], None]],
        clock: Callable[[], int],
        interval: float = 60.0,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._changes = Changes(store)
        self._threads = [_WorkerThread(worker, clock) for worker in workers]
        self._tasks = tasks
        self._interval = interval
        self._pause = pause
        self._is_stopping = threading.Event()

    def run(self, must_stop: Callable[[], bool]) -> None:
        """Dispatch until `must_stop` returns true, then let messages that are being sent finish for under a second."""
        logs.info(_log, "dispatching", channels=len(self._threads))
        for thread in self._threads:
            thread.start()
        threading.Thread(target=self._run_tasks, name="tasks", daemon=True).start()
        changed_at = time.monotonic()
        while not must_stop():
            if self._has_changes():
                changed_at = time.monotonic()
                for thread in self._threads:
                    thread.wake()
            self._pause(BUSY_PAUSE if time.monotonic() - changed_at < _IDLE_AFTER else IDLE_PAUSE)
        self._stop()

    def _has_changes(self) -> bool:
        try:
            return self._changes.have_come()
        except Exception as error:  # a disk that is away may come back
            logs.error(_log, "the outbox cannot be read", reason=type(error).__name__)
            self._pause(_PAUSE_AFTER_ERROR)
            return True

    def _run_tasks(self) -> None:
        while not self._is_stopping.is_set():
            for task in self._tasks:
                try:
                    task()
                except Exception as error:  # the next run may succeed, and so may the other task
                    logs.error(_log, "a periodic task of the dispatcher failed", cause=error)
            self._is_stopping.wait(self._interval)

    def _stop(self) -> None:
        self._is_stopping.set()
        for thread in self._threads:
            thread.stop()
        deadline = time.monotonic() + _GRACE
        for thread in self._threads:
            if not thread.has_ended(within=max(0.0, deadline - time.monotonic())):
                logs.warning(_log, "stopped while sending; the message will be sent again", channel=thread.name)


class _WorkerThread:
    """A delivery worker's thread: it sleeps until the outbox changes, or until the worker's next attempt is due."""

    def __init__(self, worker: DeliveryWorker, clock: Callable[[], int]) -> None:
        self.name = worker.name
        self._worker = worker
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
                self._stopping.wait(_PAUSE_AFTER_ERROR)
            except Exception as error:  # the thread must not end
                logs.error(_log, "unexpected error while delivering", channel=self.name, cause=error)
                self._stopping.wait(_PAUSE_AFTER_ERROR)

    def _work(self) -> float:
        """Deliver what is due; returns the seconds to sleep unless the outbox changes before."""
        self._woken.clear()
        while not self._stopping.is_set() and self._worker.deliver():
            pass
        began = time.perf_counter()
        next_time = self._worker.next_time()
        self._stopping.wait((time.perf_counter() - began) * _QUERY_COST)
        if next_time is None:
            return _LONGEST_SLEEP
        return min(_LONGEST_SLEEP, max(0.0, (next_time - self._clock()) / SECOND))
