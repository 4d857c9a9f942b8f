"""A chat server on loopback: it records the requests, and replies as the test says."""

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

import pytest

ReplyMode = Literal["answer", "hang", "close", "drip", "drip body"]
_DRIP = 0.02  # seconds between two bytes


@dataclass(frozen=True)
class Reply:
    """A reply. Its mode: answer, hang without an answer, close the connection after reading, or send byte by byte."""

    status: int = 200
    body: bytes = b"ok"
    headers: dict[str, str] = field(default_factory=dict)
    mode: ReplyMode = "answer"


@dataclass(frozen=True)
class Request:
    """A request that was posted."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class ChatRoom:
    """The server. `will` sets the replies to the next requests, `otherwise` the reply to all others."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Request] = []
        self.otherwise = Reply()
        self.arrived = threading.Condition()
        self.is_over = threading.Event()
        self._next: list[Reply] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._scheme = "http" if tls is None else "https"
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Its root URL, without a slash at the end."""
        return f"{self._scheme}://127.0.0.1:{self._server.server_port}"

    def will(self, *replies: Reply) -> None:
        """Set the replies to the next requests, in this order."""
        with self.arrived:
            self._next.extend(replies)

    def wait_for(self, count: int, *, seconds: float = 40) -> list[Request]:
        """Wait until this number of requests has arrived; for senders in other threads and processes."""
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.requests) >= count, seconds), self.requests
            return list(self.requests)

    def close(self) -> None:
        """Release hanging requests, and stop."""
        self.is_over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def take(self, request: Request) -> Reply:
        """Record the request; returns the reply to it."""
        with self.arrived:
            self.requests.append(request)
            self.arrived.notify_all()
            return self._next.pop(0) if self._next else self.otherwise

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        room = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                reply = room.take(Request(self.command, self.path, dict(self.headers.items()), body))
                self.close_connection = True
                with suppress(OSError):  # the client is gone
                    self._reply(reply)

            do_POST = do_PUT = do_GET = _serve  # noqa: N815

            def _reply(self, reply: Reply) -> None:
                head = f"HTTP/1.1 {reply.status} Reply\r\nContent-Length: {len(reply.body)}\r\nConnection: close\r\n"
                head += "".join(f"{name}: {value}\r\n" for name, value in reply.headers.items())
                if reply.mode == "hang":
                    room.is_over.wait()
                elif reply.mode == "drip":
                    self._drip(f"{head}X-Slow: {'y' * 60_000}\r\n\r\n".encode())
                elif reply.mode == "drip body":
                    self.wfile.write(f"{head}\r\n".encode())
                    self._drip(reply.body)
                elif reply.mode == "answer":
                    self.wfile.write(f"{head}\r\n".encode() + reply.body)

            def _drip(self, octets: bytes) -> None:
                for octet in octets:
                    self.wfile.write(bytes([octet]))
                    self.wfile.flush()
                    if room.is_over.wait(_DRIP):
                        return

            def log_message(self, *_: object) -> None:
                pass

        return Handler


@pytest.fixture
def chat_room() -> Iterator[ChatRoom]:
    """A chat server whose replies the test sets."""
    room = ChatRoom()
    yield room
    room.close()
