"""The dispatcher: one thread for each channel, so that a dead one delays no other, and one that looks for news.

It works outside the web workers. What it is to tell lies in the outbox; stopping or killing it loses nothing.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from tagtrail import logs
from tagtrail.errors import StorageUnavailable
from tagtrail.notify.courier import Courier
from tagtrail.store.changes import Changes
from tagtrail.store.database import Store
from tagtrail.trail.instant import SECOND

BUSY_PAUSE: Final = 0.02  # seconds between two looks for news
IDLE_PAUSE: Final = 0.05  # when there were none for a while
_IDLE_AFTER: Final = 5.0  # seconds without news
_LONGEST_REST: Final = 30.0  # seconds after which a thread looks at the clock again, which may have been set
_TROUBLE_REST: Final = 5.0  # seconds after the ledger could not be read or written
_LOOK_COST: Final = 20  # a look at a long queue that took a second is not taken again before so many have passed
_FAREWELL: Final = 0.8  # seconds for what is being sent when the end comes
_log = logging.getLogger(__name__)


class Dispatcher:
    """Runs couriers until it is told to stop. Each of the `chores` is done `every` so many seconds, beside that.

    `pause` sleeps for so many seconds, `clock` gives our time in nanoseconds.
    """

    def __init__(
        self,
        store: Store,
        couriers: Sequence[Courier],
        *,
        chores: Sequence[Callable[[], None]],
        clock: Callable[[], int],
        every: float = 60.0,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._changes = Changes(store)
        self._runners = [_Runner(courier, clock) for courier in couriers]
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
    """A courier's thread: it sleeps until there are news, or until the courier's next time."""

    def __init__(self, courier: Courier, clock: Callable[[], int]) -> None:
        self.name = courier.name
        self._courier = courier
        self._clock = clock
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"channel {courier.name}", daemon=True)

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
