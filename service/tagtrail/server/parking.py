"""Where requests wait that have not arrived yet: one thread per process, however many of them there are."""

import os
import selectors
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue

from tagtrail.server.connections import Connection, Progress

_LOOK_UP = 1.0  # seconds between two looks at the deadlines


class Parking:
    """Reads on from slow clients and hands over each request that has become whole, or must be streamed.

    A connection belongs to this thread from `park` until it is handed over or closed. The oldest is closed when there
    are more than `places`, or when they hold more than `size` bytes together; each is closed `seconds` after it came.
    """

    def __init__(
        self, *, hand_over: Callable[[Connection, Progress], None], seconds: float, places: int, size: int
    ) -> None:
        self._hand_over = hand_over
        self._seconds = seconds
        self._places = places
        self._size = size
        self._deadlines: dict[Connection, float] = {}  # the oldest first
        self._held = 0
        self._arriving: SimpleQueue[Connection] = SimpleQueue()
        self._closing = False
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = os.pipe()
        self._thread = threading.Thread(target=self._run, name="parking", daemon=True)

    def start(self) -> None:
        """Start waiting; after the fork."""
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self._selector.register(self._wake_read, selectors.EVENT_READ, None)
        self._thread.start()

    def park(self, connection: Connection) -> None:
        """Take over a connection, from any thread."""
        self._arriving.put(connection)
        self._wake()

    def close(self) -> None:
        """Close every connection that is parked, and stop; returns when the thread has ended."""
        self._closing = True
        self._wake()
        self._thread.join()

    def _wake(self) -> None:
        with suppress(BlockingIOError):  # it is full of wake-ups already
            os.write(self._wake_write, b"\0")

    def _run(self) -> None:
        while not self._closing:
            for key, _ in self._selector.select(self._until_next_deadline()):
                if key.data is None:
                    os.read(self._wake_read, 4096)
                elif key.data in self._deadlines:  # not closed a moment ago, to make room
                    self._receive(key.data)
            self._admit()
            self._close_expired()
        self._admit()
        for connection in list(self._deadlines):
            self._close(connection)

    def _until_next_deadline(self) -> float:
        oldest = next(iter(self._deadlines.values()), None)
        return _LOOK_UP if oldest is None else min(_LOOK_UP, max(0.0, oldest - time.monotonic()))

    def _admit(self) -> None:
        while True:
            try:
                connection = self._arriving.get_nowait()
            except Empty:
                return
            self._deadlines[connection] = time.monotonic() + self._seconds
            self._held += len(connection.received)
            self._selector.register(connection.socket, selectors.EVENT_READ, connection)
            self._make_room()

    def _make_room(self) -> None:
        while len(self._deadlines) > self._places or (self._held > self._size and self._deadlines):
            self._close(next(iter(self._deadlines)))

    def _close_expired(self) -> None:
        now = time.monotonic()
        while self._deadlines and next(iter(self._deadlines.values())) <= now:
            self._close(next(iter(self._deadlines)))

    def _receive(self, connection: Connection) -> None:
        before = len(connection.received)
        progress = connection.receive()
        self._held += len(connection.received) - before
        if progress is Progress.GONE:
            self._close(connection)
        elif progress is not Progress.PARTIAL:
            self._release(connection)
            self._hand_over(connection, progress)
        else:
            self._make_room()

    def _release(self, connection: Connection) -> None:
        self._selector.unregister(connection.socket)
        self._held -= len(connection.received)
        del self._deadlines[connection]

    def _close(self, connection: Connection) -> None:
        self._release(connection)
        connection.close()
