"""The gunicorn worker: one process of the service. One of the workers is the front, the others read.

Whichever worker holds the front's lock is the front; the others wait for the lock, and the kernel gives it to one of
them when the front's process ends, however it ends. A single worker is both.
"""

import gc
import logging
import os
import select
import signal
import threading
import time
from collections.abc import Iterable
from queue import SimpleQueue
from threading import Thread

from gunicorn.workers.base import Worker

from tagtrail import logs
from tagtrail.locks import open_lock, release_lock, take_lock
from tagtrail.server.answers import Answers, Settings
from tagtrail.server.front import Front
from tagtrail.server.readers import Readers

_HEARTBEAT = 1.0  # seconds between two signs of life to the master
_STOPPING = 0.1  # seconds between two looks at a thread that has to end
_log = logging.getLogger(__name__)


class FrontWorker(Worker):  # type: ignore[misc]  # gunicorn has no types
    """Serves `app`, the `Application` of `gunicorn.py`.

    The hooks `pre_request` and `post_request` are not called, `max_requests` is not counted and there is no access
    log: nothing uses them, and each would cost every request.
    """

    early: "SimpleQueue[int] | None" = None  # what the master's handlers caught in this process, after the fork

    def init_signals(self) -> None:
        """Handle signals ourselves from now on, and mind a stop that came before: it is not sent again."""
        super().init_signals()
        while self.early is not None and not self.early.empty():
            if self.early.get_nowait() in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
                self.alive = False

    def run(self) -> None:
        """Serve until SIGTERM or until the master is gone, then finish what was begun."""
        gc.collect()
        gc.freeze()  # what is here now stays: no full collection needs to look at it again
        limits, handovers = self.app.limits, self.app.handovers
        answers = Answers(self.wsgi, settings=Settings(self.cfg), limits=limits)
        self._readers = Readers(answers, handovers, limits=limits)
        self._lock = open_lock(self.app.front_lock)
        self._front: Front | None = None
        self._turn = threading.Lock()  # guards the decision whether to become the front
        self._is_stopping = False
        front = Thread(target=self._be_front, name="front", daemon=True)
        if take_lock(self._lock, patience=0) and self.cfg.workers > 1:
            self._readers.rest()
        self._readers.start()
        front.start()
        while self.alive and self.ppid == os.getppid():
            self._rest()
        self._stop(front)

    def _be_front(self) -> None:
        """Wait for the lock, then be the front until the end; or give the lock on where this process stops, too."""
        take_lock(self._lock)
        try:
            with self._turn:
                if not self._is_stopping:
                    listeners = [listener.sock for listener in self.sockets]
                    intake = self.app.make_intake(self.wsgi)
                    self._front = Front(listeners, intake=intake, handovers=self.app.handovers, limits=self.app.limits)
            if self._front is not None:
                if self.cfg.workers > 1:
                    self._readers.rest()
                self._front.run()
        except Exception as error:  # a process that holds the lock and is no front would stop the service
            logs.error(_log, "the front ended, and its process ends with it", cause=error)
            self.alive = False
        finally:
            release_lock(self._lock)

    def _rest(self) -> None:
        """Tell the master that we live, then sleep until a signal comes or the next sign of life is due."""
        self.notify()
        if select.select([self.PIPE[0]], [], [], _HEARTBEAT)[0]:
            os.read(self.PIPE[0], 4096)

    def _stop(self, front: Thread) -> None:
        """The front ends first, here or in another process, then the readers: it may still hand something over."""
        deadline = time.monotonic() + self.cfg.graceful_timeout
        with self._turn:
            self._is_stopping = True
        if self._front is not None:
            self._front.close()
        self._wait_for([front], deadline)  # it ends as the front, or once it gets the lock of a front that has ended
        self._readers.end()
        self._wait_for(self._readers.threads, deadline)

    def _wait_for(self, threads: Iterable[Thread], deadline: float) -> None:
        for thread in threads:
            while thread.is_alive() and time.monotonic() < deadline:
                self.notify()
                thread.join(_STOPPING)
