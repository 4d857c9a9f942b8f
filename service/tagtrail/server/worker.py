"""The gunicorn worker: one process of the service, its signs of life and its end."""

import gc
import os
import select
import signal
import time
from collections.abc import Iterable
from queue import SimpleQueue
from threading import Thread

from gunicorn.workers.base import Worker

from tagtrail.server.answers import Answers, Settings
from tagtrail.server.reception import Reception

_HEARTBEAT = 1.0  # seconds between two signs of life to the master


class LaneWorker(Worker):  # type: ignore[misc]  # gunicorn has no types
    """Serves `app`, the `Application` of `gunicorn.py`, in its lanes.

    The hooks `pre_request` and `post_request` are not called, `max_requests` is not counted and there is no access
    log: nothing uses them, and each would cost every request.
    """

    early: "SimpleQueue[int] | None" = None  # what the master's handlers caught in this process, after the fork

    def init_signals(self) -> None:
        """Handle signals ourselves from now on, and mind a stop that came before: nobody would send it again."""
        super().init_signals()
        while self.early is not None and not self.early.empty():
            if self.early.get_nowait() in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
                self.alive = False

    def run(self) -> None:
        """Serve until SIGTERM or until the master is gone, then finish what was begun."""
        gc.collect()
        gc.freeze()  # what is here now stays: no full collection needs to look at it again
        answers = Answers(self.wsgi, settings=Settings(self.cfg), terms=self.app.terms)
        reception = Reception(answers, terms=self.app.terms, threads=self.cfg.threads)
        reception.open([listener.sock for listener in self.sockets])
        while self.alive and self.ppid == os.getppid():
            self._rest()
        deadline = time.monotonic() + self.cfg.graceful_timeout
        reception.close(lambda threads: self._wait_for(threads, deadline))

    def _rest(self) -> None:
        """Tell the master that we live, then sleep until a signal comes or the next sign of life is due."""
        self.notify()
        if select.select([self.PIPE[0]], [], [], _HEARTBEAT)[0]:
            os.read(self.PIPE[0], 4096)

    def _wait_for(self, threads: Iterable[Thread], deadline: float) -> None:
        for thread in threads:
            while thread.is_alive() and time.monotonic() < deadline:
                self.notify()
                thread.join(_HEARTBEAT)
