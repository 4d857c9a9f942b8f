"""The accepting threads, and who serves what they accept: no client can hold one of them.

Each thread blocks in `accept()`: an exclusive wake-up by the kernel, without a selector and without handing over. It
serves a request itself only when all of it has arrived and it begins with one of `Terms.prompt`, so that nothing is
left to wait for. Everything else goes to the parking thread, or to a lane for its own kind.
"""

import logging
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterable

from tagtrail import logs
from tagtrail.server.answers import Answers, refuse
from tagtrail.server.connections import Address, Connection, Progress, timeval
from tagtrail.server.lanes import Lane
from tagtrail.server.parking import Parking
from tagtrail.server.terms import Terms

_log = logging.getLogger(__name__)
_LOOK_UP = 0.5  # seconds after which an idle accepting thread looks whether it should stop
_BREATH = 0.5  # seconds to wait when the kernel has no descriptor, or no memory, for another connection
_DEFERRED = 1  # seconds for which the kernel itself waits for the first bytes of a connection


class Reception:
    """`threads` accepting threads per listener, the parking thread and the lanes of one process."""

    def __init__(self, answers: Answers, *, terms: Terms, threads: int) -> None:
        self._answers = answers
        self._terms = terms
        self._threads = threads
        self._patience = threading.Semaphore(max(1, threads // 2))
        self._late = Lane("late", answers.at_once, threads=terms.late_threads, queued=terms.queued)
        self._others = Lane("others", answers.at_length, threads=terms.answer_threads, queued=terms.queued)
        self._uploads = Lane("uploads", answers.while_reading, threads=terms.upload_threads, queued=terms.queued)
        self._parking = Parking(
            hand_over=self._hand_over,
            seconds=terms.request,
            places=min(terms.parked, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2),
            size=terms.parked_bytes,
        )
        self._accepting = True
        self._listeners: list[socket.socket] = []
        self._acceptors: list[threading.Thread] = []

    def open(self, listeners: list[socket.socket]) -> None:
        """Start every thread; to be called after the fork."""
        self._parking.start()
        for lane in (self._late, self._others, self._uploads):
            lane.start()
        self._listeners = listeners
        for listener in listeners:
            _prepare(listener)
            self._acceptors += [self._acceptor(listener, number) for number in range(self._threads)]
        for thread in self._acceptors:
            thread.start()

    def close(self, wait_for: Callable[[Iterable[threading.Thread]], None]) -> None:
        """Accept nothing more, drop what has not arrived, and let `wait_for` see the rest answered."""
        self._accepting = False
        wait_for(self._acceptors)
        for listener in self._listeners:
            listener.close()
        self._parking.close()
        wait_for([*self._late.finish(), *self._others.finish(), *self._uploads.finish()])

    def _acceptor(self, listener: socket.socket, number: int) -> threading.Thread:
        server = listener.getsockname()
        return threading.Thread(target=self._accept, args=(listener, server), name=f"accept-{number}", daemon=True)

    def _accept(self, listener: socket.socket, server: Address) -> None:
        while self._accepting:
            try:
                sock, address = listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                continue
            except OSError as error:
                logs.error(_log, "no connection could be accepted", reason=str(error))
                time.sleep(_BREATH)
            else:
                self._receive(Connection(sock, address, server, held=self._terms.held))

    def _receive(self, connection: Connection) -> None:
        try:
            progress = connection.receive()
            if progress is Progress.PARTIAL:
                progress = self._wait_a_little(connection)
            if progress is Progress.WHOLE and connection.begins_with(self._terms.prompt):
                self._answers.at_once(connection)
            else:
                self._hand_over(connection, progress)
        except Exception as error:  # whatever it is, this thread has to go on accepting
            logs.error(_log, "an accepting thread caught what nobody handled", cause=error)
            connection.close()

    def _wait_a_little(self, connection: Connection) -> Progress:
        """Be patient with half of the threads; while all of these are waiting, the others park at once."""
        if not self._patience.acquire(blocking=False):
            return Progress.PARTIAL
        try:
            return connection.wait(self._terms.patience)
        finally:
            self._patience.release()

    def _hand_over(self, connection: Connection, progress: Progress) -> None:
        """Give a connection to whom it now belongs; called by accepting threads and by the parking thread."""
        if progress is Progress.PARTIAL:
            self._parking.park(connection)
        elif progress is Progress.GONE:
            connection.close()
        elif progress is Progress.BROKEN:
            logs.info(_log, "a malformed request", address=connection.address[0], problem="NotHttp")
            _send_away(connection, "400 Bad Request")
        elif not self._lane_for(connection, progress).put(connection):
            _send_away(connection, "503 Service Unavailable", header="Retry-After: 1\r\n")

    def _lane_for(self, connection: Connection, progress: Progress) -> Lane[Connection]:
        if progress is Progress.STREAM:
            return self._uploads
        return self._late if connection.begins_with(self._terms.prompt) else self._others


def _send_away(connection: Connection, status: str, *, header: str = "") -> None:
    refuse(connection, status, header=header)
    connection.close()


def _prepare(listener: socket.socket) -> None:
    """Let accept() return from time to time, and let the kernel keep idle connections to itself.

    TCP_DEFER_ACCEPT (tcp(7), Linux) wakes a thread when a connection's first bytes are here: one system call and one
    wake-up less, a tenth of a request's cost.
    """
    listener.setblocking(True)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeval(_LOOK_UP))
    if hasattr(socket, "TCP_DEFER_ACCEPT"):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, _DEFERRED)
