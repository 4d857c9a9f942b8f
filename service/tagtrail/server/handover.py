"""Connections handed from the front to the reading processes, over a Unix socket, with the bytes read so far.

Each kind of request has a socket pair of its own, made before the processes are forked: a thread that reads from it
takes the next connection of its kind, whichever process it is in. What no thread has taken waits in the socket's
buffer; if that is full, the front answers 503.
"""

import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from tagtrail.server.connections import ClientConnection, timeval
from tagtrail.server.limits import ServerLimits

_LARGEST: Final = 160 * 1024  # bytes of a message: less than the buffer of a socket (net.core.wmem_default)
_LOOK_UP: Final = 0.2  # seconds after which a thread that waits for a connection looks whether it should stop


class Handover:
    """One kind of connection on its way from the front to a thread."""

    def __init__(self) -> None:
        self._giving, self._taking = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._giving.setblocking(False)
        self._taking.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeval(_LOOK_UP))

    def give(self, connection: ClientConnection) -> bool:
        """Hand the connection over, and close it here; False, and it stays open, when too many wait already."""
        try:
            socket.send_fds(self._giving, [bytes(connection.received)], [connection.socket.fileno()])
        except OSError:
            return False
        connection.close()
        return True

    def take(self, *, wait: bool = True, held: int) -> ClientConnection | None:
        """The next connection; None if none has come for a moment, or without `wait` if none is there."""
        try:
            received, descriptors, _, _ = socket.recv_fds(self._taking, _LARGEST, 1, 0 if wait else socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None
        sock = socket.socket(fileno=descriptors[0])
        with suppress(OSError):  # the client has gone meanwhile
            return ClientConnection(sock, sock.getpeername(), sock.getsockname(), held=held, received=received)
        sock.close()
        return None


class Handovers:
    """The three kinds of connections that the front does not serve."""

    def __init__(self, limits: ServerLimits) -> None:
        self._prompt_paths = limits.prompt
        self.prompt = Handover()
        self.answers = Handover()
        self.uploads = Handover()

    def of(self, connection: ClientConnection, *, is_whole: bool) -> Handover:
        """The kind of a connection whose request is whole, or whose body is to be read while it is served."""
        if not is_whole:
            return self.uploads
        return self.prompt if connection.begins_with(self._prompt_paths) else self.answers

    def __iter__(self) -> Iterator[Handover]:
        return iter((self.prompt, self.answers, self.uploads))
