"""The front: one thread of one process that accepts every connection and answers the ordinary POST of a registry.

What is whole at one look is recorded in one transaction and then answered. Nothing is handed to another thread on the
way, and nothing waits for a client: a connection whose request has not arrived is an entry with a deadline. Every other
request goes to the reading processes, with the bytes read so far.
"""

import hashlib
import logging
import os
import resource
import select
import socket
import time
from collections.abc import Iterable, Sequence
from typing import Any, Final, Protocol

from gunicorn.util import http_date

from tagtrail import logs
from tagtrail.server.answers import refuse
from tagtrail.server.connections import LONGEST_HEAD, Address, ClientConnection, Progress, parse_plain_head
from tagtrail.server.handover import Handovers
from tagtrail.server.limits import ServerLimits

_ACCEPTED_AT_ONCE: Final = 64  # connections, so that those accepted first are not kept waiting
_RECORDED_AT_ONCE: Final = 64  # requests in one transaction
_KNOWN_HEADS: Final = 256  # that are remembered: a registry sends the same head for each body of one length
_IDLE: Final = 0.002  # seconds without a request, after which lines are projected
_RETRY: Final = 0.001  # seconds until the ledger is tried again while another writer has its turn
_BREATH: Final = 0.05  # seconds without accepting when the kernel has no descriptor for another connection
_DEFERRED: Final = 1  # seconds for which the kernel itself waits for the first bytes of a connection
_HEADERS: Final = "Server: tagtrail\r\nDate: {date}\r\nConnection: close\r\n"
_TYPE: Final = "Content-Type: text/plain; charset=utf-8\r\nContent-Length: "
_RECORDED: Final = "HTTP/1.1 202 Accepted\r\n" + _HEADERS + _TYPE + "0\r\n\r\n"
_NOT_STORED: Final = (
    "HTTP/1.1 503 Service Unavailable\r\n"
    + _HEADERS
    + "Retry-After: 5\r\n"
    + _TYPE
    + "26\r\n\r\nnot stored, send it again\n"
)

_log = logging.getLogger(__name__)


class Intake(Protocol):
    """Records events, for one thread."""

    def find_sender(self, authorization: str) -> Any:
        """The sender that the Authorization header identifies, or None."""

    def record(self, requests: Sequence[tuple[Any, bytes]]) -> list[bool] | None:
        """Record bodies, each with its sender; whether each is durable. None while another writer has its turn."""

    @property
    def is_behind(self) -> bool:
        """Whether recorded lines wait to be projected."""

    @property
    def is_far_behind(self) -> bool:
        """Whether they must not wait any longer."""

    def project(self) -> None:
        """Project recorded lines, unless another writer has its turn. What fails is tried again."""


class _Request:
    """A whole request, which is recorded and answered next."""

    __slots__ = ("body", "deadline", "sender", "socket")

    def __init__(self, sock: socket.socket, sender: Any, body: bytes, deadline: float) -> None:
        self.socket = sock
        self.sender = sender
        self.body = body
        self.deadline = deadline


class Front:
    """Accepts from `listeners`, records with `intake`, and hands over the rest."""

    def __init__(
        self, listeners: Iterable[socket.socket], *, intake: Intake, handovers: Handovers, limits: ServerLimits
    ) -> None:
        self._listeners = {listener.fileno(): listener for listener in listeners}
        self._intake = intake
        self._handovers = handovers
        self._limits = limits
        self._places = min(limits.waiting, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2)
        self._known: dict[bytes, tuple[Any, int]] = {}  # by the hash of a head: its sender, and the body's length
        self._waiting: dict[int, tuple[ClientConnection, float]] = {}  # with the deadline, the oldest first
        self._held = 0  # bytes, of all that wait
        self._whole: list[_Request] = []
        self._is_open = True
        self._poll = select.epoll()
        self._wake_read, self._wake_write = os.pipe()
        self._second = 0  # of the date in both answers
        self._recorded = self._not_stored = b""

    def close(self) -> None:
        """Accept nothing more; `run` returns when everything whole is answered and everything recorded is projected."""
        self._is_open = False
        os.write(self._wake_write, b"\0")

    def run(self) -> None:
        """Serve until `close` is called."""
        self._poll.register(self._wake_read, select.EPOLLIN)
        for fd, listener in self._listeners.items():
            prepare(listener)
            self._poll.register(fd, select.EPOLLIN)
        while self._is_open:
            try:
                self._look()
            except Exception as error:  # whatever it is, the front has to go on
                logs.error(_log, "the front caught what nothing handled", cause=error)
                self._drop()
        self._finish()

    def _look(self) -> None:
        """Take what has come, record it, answer it; project when there is time for it, or no more time to lose."""
        ready = self._poll.poll(self._pause())
        for fd, _ in ready:
            if fd in self._waiting:
                self._receive(fd)
            elif fd in self._listeners:
                self._accept(self._listeners[fd])
        if self._whole:
            self._record()
        if self._waiting:
            self._expire()
        if self._intake.is_far_behind or (not ready and self._intake.is_behind):
            self._intake.project()

    def _pause(self) -> float:
        """Seconds to wait for something to come."""
        if self._whole:
            return _RETRY
        if self._intake.is_behind:
            return _IDLE
        if not self._waiting:
            return -1
        return max(0.0, next(iter(self._waiting.values()))[1] - time.monotonic())

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(_ACCEPTED_AT_ONCE):
            try:
                sock, address = listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                logs.error(_log, "no connection could be accepted", reason=str(error))
                time.sleep(_BREATH)
                return
            self._begin(sock, address, listener)

    def _begin(self, sock: socket.socket, address: Address, listener: socket.socket) -> None:
        """The usual request is all there at once; no other costs more than this."""
        try:
            received = sock.recv(self._limits.held, socket.MSG_DONTWAIT)
        except BlockingIOError:
            received = None
        except OSError:
            received = b""
        if received and self._take(sock, received):
            return
        connection = ClientConnection(sock, address, listener.getsockname(), held=self._limits.held)
        if received is None:
            self._wait(connection)
        else:
            self._sort(connection, connection.take_in(received) if received else Progress.GONE)

    def _take(self, sock: socket.socket, received: bytes) -> bool:
        """Whether this is all of an ordinary POST by a known sender, which is then recorded next."""
        end = received.find(b"\r\n\r\n", 0, LONGEST_HEAD) + 4
        if end < 4:
            return False
        head = received[:end]
        digest = hashlib.sha256(head).digest()  # so that the time of the look-up says nothing about a token
        known = self._known.get(digest) or self._read_head(head, digest)
        if known is None or len(received) - end != known[1]:
            return False
        self._whole.append(_Request(sock, known[0], received[end:], time.monotonic() + self._limits.storing))
        return True

    def _read_head(self, head: bytes, digest: bytes) -> tuple[Any, int] | None:
        plain = parse_plain_head(head)
        sender = self._intake.find_sender(plain.authorization) if plain is not None else None
        if plain is None or sender is None:
            return None
        if len(self._known) >= _KNOWN_HEADS:
            self._known.clear()
        self._known[digest] = sender, plain.length
        return sender, plain.length

    def _sort(self, connection: ClientConnection, progress: Progress) -> None:
        """Give the connection to where its request is served, or keep it until the rest has come."""
        if progress is Progress.PARTIAL:
            self._wait(connection)
        elif progress is Progress.GONE:
            connection.close()
        elif progress is Progress.BROKEN:
            logs.info(_log, "a malformed request", address=connection.address[0], problem="NotHttp")
            refuse(connection, "400 Bad Request")
            connection.close()
        elif not (progress is Progress.WHOLE and self._take(connection.socket, bytes(connection.received))):
            self._hand_over(connection, is_whole=progress is Progress.WHOLE)

    def _hand_over(self, connection: ClientConnection, *, is_whole: bool) -> None:
        if not self._handovers.of(connection, is_whole=is_whole).give(connection):
            refuse(connection, "503 Service Unavailable", header="Retry-After: 1\r\n")
            connection.close()

    def _wait(self, connection: ClientConnection) -> None:
        fd = connection.socket.fileno()
        self._waiting[fd] = connection, time.monotonic() + self._limits.request
        self._held += len(connection.received)
        self._poll.register(fd, select.EPOLLIN)
        self._make_room()

    def _receive(self, fd: int) -> None:
        connection = self._waiting[fd][0]
        before = len(connection.received)
        progress = connection.receive()
        self._held += len(connection.received) - before
        if progress is Progress.PARTIAL:
            self._make_room()
        else:
            self._release(fd)
            self._sort(connection, progress)

    def _release(self, fd: int) -> ClientConnection:
        connection, _ = self._waiting.pop(fd)
        self._held -= len(connection.received)
        self._poll.unregister(fd)
        return connection

    def _make_room(self) -> None:
        while len(self._waiting) > self._places or self._held > self._limits.waiting_bytes:
            self._release(next(iter(self._waiting))).close()

    def _expire(self) -> None:
        now = time.monotonic()
        while self._waiting and next(iter(self._waiting.values()))[1] <= now:
            self._release(next(iter(self._waiting))).close()

    def _record(self) -> None:
        """Record what is whole and answer it; while another writer has its turn, everything waits."""
        while self._whole:
            group = self._whole[:_RECORDED_AT_ONCE]
            stored = self._intake.record([(request.sender, request.body) for request in group])
            if stored is None and time.monotonic() < group[0].deadline:
                return
            del self._whole[: len(group)]
            for request, is_stored in zip(group, stored or [False] * len(group), strict=True):
                self._answer(request, is_stored=is_stored)

    def _answer(self, request: _Request, *, is_stored: bool) -> None:
        second = int(time.time())
        if self._second != second:
            self._second, date = second, http_date()
            self._recorded, self._not_stored = (text.format(date=date).encode() for text in (_RECORDED, _NOT_STORED))
        with request.socket as sock:
            try:
                sock.send(self._recorded if is_stored else self._not_stored, socket.MSG_DONTWAIT)
            except OSError:  # the client has gone; it sends the event again
                return

    def _drop(self) -> None:
        """Close what an unforeseen error has left unanswered: its senders send it again."""
        for request in self._whole:
            request.socket.close()
        self._whole.clear()

    def _finish(self) -> None:
        for fd, listener in self._listeners.items():
            self._poll.unregister(fd)
            listener.close()
        while self._waiting:
            self._release(next(iter(self._waiting))).close()
        deadline = time.monotonic() + self._limits.storing
        while (self._whole or self._intake.is_behind) and time.monotonic() < deadline:
            try:
                self._record()
                self._intake.project()
            except Exception as error:
                logs.error(_log, "the front caught what nothing handled", cause=error)
            if self._whole or self._intake.is_behind:
                time.sleep(_RETRY)
        self._drop()
        self._poll.close()


def prepare(listener: socket.socket) -> None:
    """Let the kernel keep idle connections to itself.

    TCP_DEFER_ACCEPT (tcp(7), Linux) lets a connection be accepted when its first bytes are here: one system call and
    one wake-up less, a tenth of a request's cost.
    """
    listener.setblocking(False)
    if hasattr(socket, "TCP_DEFER_ACCEPT"):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, _DEFERRED)
