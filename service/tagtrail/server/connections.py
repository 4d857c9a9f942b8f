"""One accepted connection: how much of its request has arrived, and the head of an ordinary event."""

import re
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias

Address: TypeAlias = tuple[str, int] | tuple[str, int, int, int]

_PIECE = 64 * 1024  # bytes asked of the kernel at once
_FRAMING = re.compile(rb"\r\n(content-length|transfer-encoding|expect):[ \t]*([^\r]*)", re.IGNORECASE)
_LENGTH = re.compile(rb"\d{1,15}")
_NO_METHOD = re.compile(rb"[^A-Z\r\n]")
_BARE_LINE_FEED = re.compile(rb"(?<!\r)\n")
_LONGEST = 1_000_000  # seconds; the kernel takes no infinity


class Progress(Enum):
    """How far a request has arrived."""

    PARTIAL = "more must arrive"
    WHOLE = "the whole request is here"
    STREAM = "its head is here, and its body is to be read while it is served"
    BROKEN = "no continuation makes it a request"
    GONE = "the client closed the connection"


def timeval(seconds: float) -> bytes:
    """Seconds as `struct timeval`, for SO_RCVTIMEO and SO_SNDTIMEO; never zero, which would mean for ever."""
    microseconds = max(1, int(min(seconds, _LONGEST) * 1_000_000))
    return struct.pack("ll", *divmod(microseconds, 1_000_000))


class ClientConnection:
    """A socket in blocking mode and the bytes read from it; used by one thread at a time.

    Only the framing is looked at here. gunicorn's parser judges the request afterwards, from the bytes held: if the two
    disagree about its length, the parser finds too few bytes and does not wait for more.
    """

    __slots__ = ("_held", "_verdict", "_whole", "address", "received", "server", "socket")

    def __init__(
        self, sock: socket.socket, address: Address, server: Address, *, held: int, received: bytes = b""
    ) -> None:
        self.socket = sock
        self.address = address  # the client's
        self.server = server  # the listener's
        self.received = bytearray(received)
        self._held = held
        self._whole: int | None = None  # bytes of the whole request, once its head is here
        self._verdict: Progress | None = None  # what its head says, when that is all one has to know

    def receive(self) -> Progress:
        """Take what has arrived, without waiting for it."""
        try:
            piece = self.socket.recv(_PIECE, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return Progress.PARTIAL
        except OSError:
            return Progress.GONE
        return self.take_in(piece) if piece else Progress.GONE

    def begins_with(self, beginnings: tuple[bytes, ...]) -> bool:
        """Whether the request starts with one of these methods and paths."""
        return self.received.startswith(beginnings)

    def pieces(self, seconds: float) -> Iterator[bytes]:
        """The bytes received so far, then those that arrive. Raises TimeoutError after so many seconds in all."""
        deadline = time.monotonic() + seconds
        yield bytes(self.received)
        self.received.clear()
        while piece := self._next_piece(deadline):
            yield piece

    def limit_sending(self, seconds: float) -> None:
        """Let sending fail once the client has taken nothing at all for so long."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeval(seconds))

    def close(self) -> None:
        """Close at once; an error of the network no longer matters."""
        with suppress(OSError):
            self.socket.close()

    def take_in(self, piece: bytes) -> Progress:
        """Add bytes that were received."""
        searched = max(0, len(self.received) - 3)
        self.received += piece
        if self._whole is None:
            self._read_head(searched)
        if self._verdict is not None:
            return self._verdict
        if len(self.received) >= self._held:
            return Progress.STREAM
        return Progress.PARTIAL if self._whole is None or len(self.received) < self._whole else Progress.WHOLE

    def _read_head(self, searched: int) -> None:
        end = self.received.find(b"\r\n\r\n", searched)
        if end < 0:
            self._verdict = Progress.BROKEN if _is_not_http(self.received, searched) else None
            return
        framing = _FRAMING.findall(self.received, 0, end + 2)
        self._whole = end + 4
        if len(framing) == 1 and framing[0][0].lower() == b"content-length":
            length = framing[0][1].strip()
            self._whole += int(length) if _LENGTH.fullmatch(length) else 0
        elif framing:  # chunked, or a client that waits for 100 Continue, or a contradiction for the parser to refuse
            self._verdict = Progress.STREAM

    def _next_piece(self, deadline: float) -> bytes:
        remaining = deadline - time.monotonic()
        if remaining > 0:
            self._wait_at_most(remaining)
            try:
                return self.socket.recv(self._held)
            except BlockingIOError:
                pass
        raise TimeoutError("the request did not arrive in time")

    def _wait_at_most(self, seconds: float) -> None:
        """Let the kernel watch the time: `settimeout` would cost a poll for every receive."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeval(seconds))


def _is_not_http(received: bytearray, searched: int) -> bool:
    """Whether nothing that could follow makes this a request: TLS on a plain port, or lines that end without CR."""
    return bool(_NO_METHOD.match(received) or _BARE_LINE_FEED.search(received, searched))


# The head of an ordinary `POST /events`, read strictly: it means the same to every reader of HTTP/1.1. Every other head
# is left to gunicorn's parser.


LONGEST_HEAD: Final = 8_190  # bytes of a head that is read here

# RFC 9110, section 5: a token, a colon, and a value without control characters, which begins and ends with no space.
_HEAD: Final = re.compile(
    rb"POST /events/? HTTP/1\.1\r\n"
    rb"(?:[!#$%&'*+.^`|~0-9A-Za-z-]+:[ \t]*"
    rb"[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?[ \t]*\r\n)+"
    rb"\r\n"
)
_BODY_LENGTH: Final = re.compile(rb"\d{1,9}")
# Fields that change nothing about how the request is read or recorded, besides those that are read here.
_PLAIN: Final = frozenset(
    {
        b"accept", b"accept-encoding", b"authorization", b"connection", b"content-length", b"content-type",
        b"forwarded", b"host", b"traceparent", b"tracestate", b"user-agent", b"via", b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-port", b"x-forwarded-proto", b"x-forwarded-server", b"x-real-ip", b"x-request-id",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PlainHead:
    """The head of an ordinary POST; `length` is the length of the body, in bytes."""

    authorization: str
    length: int


def parse_plain_head(head: bytes) -> PlainHead | None:
    """Read a head, given with the empty line that ends it; None for every head that is not ordinary."""
    if len(head) > LONGEST_HEAD or not _HEAD.fullmatch(head):
        return None
    fields: dict[bytes, bytes] = {}
    for line in head[:-4].split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        name = name.lower()
        if name not in _PLAIN or name in fields:
            return None
        fields[name] = value.strip(b" \t")
    length = fields.get(b"content-length", b"")
    if not _BODY_LENGTH.fullmatch(length):
        return None
    return PlainHead(fields.get(b"authorization", b"").decode("latin-1"), int(length))
