"""A lane: a few threads that serve what is put into their queue, so that one kind of client cannot hold up another."""

import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Generic, TypeVar

from tagtrail import logs

_log = logging.getLogger(__name__)
Work = TypeVar("Work")


class Lane(Generic[Work]):
    """Calls `serve` on each piece of work, in `threads` threads, with at most `queued` pieces waiting."""

    def __init__(self, name: str, serve: Callable[[Work], None], *, threads: int, queued: int) -> None:
        self._serve = serve
        self._queue: SimpleQueue[Work | None] = SimpleQueue()
        self._queued = queued
        self._threads = [
            threading.Thread(target=self._run, name=f"{name}-{number}", daemon=True) for number in range(threads)
        ]

    def start(self) -> None:
        """Start the threads; after the fork."""
        for thread in self._threads:
            thread.start()

    def put(self, work: Work) -> bool:
        """Queue a piece of work; False when the lane is full."""
        if self._queue.qsize() >= self._queued:
            return False
        self._queue.put(work)
        return True

    def finish(self) -> list[threading.Thread]:
        """Let the threads end when all that is queued has been served, and give them to be waited for."""
        for _ in self._threads:
            self._queue.put(None)
        return self._threads

    def _run(self) -> None:
        while (work := self._queue.get()) is not None:
            try:
                self._serve(work)
            except Exception as error:
                logs.error(_log, "a thread caught what nobody handled", cause=error)
