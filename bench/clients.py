"""A client that posts as a registry does: one event at a time, a new connection for each, and again after a timeout."""

import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.real import TOKEN

_HEAD = (
    "POST /events HTTP/1.1\r\nHost: tagtrail\r\nConnection: close\r\nAuthorization: Bearer " + TOKEN + "\r\n"
    "Content-Type: application/vnd.docker.distribution.events.v1+json\r\nContent-Length: %d\r\n\r\n"
)


@dataclass(slots=True)
class RegistryClient:
    """`took` holds the seconds of each answered POST, `failed` counts those that had to be sent again."""

    port: int
    timeout: float = 1.0
    took: list[float] = field(default_factory=list)
    failed: int = 0

    def post_all(self, bodies: Iterable[bytes], *, until: float = float("inf")) -> None:
        """Post one body after the other, each until it is accepted; stop at the monotonic time `until`."""
        for body in bodies:
            while not self._post(body):
                self.failed += 1
            if time.monotonic() >= until:
                return

    def _post(self, body: bytes) -> bool:
        started = time.perf_counter()
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=self.timeout) as connection:
                connection.sendall((_HEAD % len(body)).encode() + body)
                accepted = connection.recv(4_096).startswith(b"HTTP/1.1 202")
        except OSError:
            return False
        if accepted:
            self.took.append(time.perf_counter() - started)
        return accepted
