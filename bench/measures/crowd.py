"""64 connections held open from outside, idle or with half a request, while a registry goes on posting."""

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from bench.clients import RegistryClient
from bench.envelopes import bodies
from bench.figures import percentile
from bench.plan import Bench
from bench.servers import ours
from bench.table import Row

_HELD = 64
_LOOK = 0.1  # seconds between two looks whether a connection was closed, and has to be opened again
_BEGINNINGS = (  # nothing at all, half a head, half a body
    b"",
    b"POST /events HT",
    b"POST /events HTTP/1.1\r\nHost: tagtrail\r\nContent-Length: 1000\r\n\r\n{",
)


def measure(bench: Bench) -> Iterator[Row]:
    """The same client first alone, then with the crowd around it."""
    seconds = bench.plan.seconds
    with bench.place("crowd") as place, ours(place) as service:
        alone = _post_for(service.port, seconds, seed=1)
        with held_open(service.port, _HELD):
            crowded = _post_for(service.port, seconds, seed=2)
    p99 = percentile(crowded.took, 99)
    yield Row(
        what=f"{_HELD} half-open or idle connections held from outside: ingest goes on",
        goal="p99 < 50 ms, none refused",
        measured=f"p99 {p99 * 1000:.1f} ms, {crowded.failed} refused",
        reached=p99 < 0.050 and not crowded.failed,
        detail=f"{len(crowded.took):,} events in {seconds:.0f} s, longest {max(crowded.took) * 1000:.0f} ms;"
        f" without them {len(alone.took):,}, p99 {percentile(alone.took, 99) * 1000:.1f} ms",
    )


def _post_for(port: int, seconds: float, *, seed: int) -> RegistryClient:
    client = RegistryClient(port)
    client.post_all(bodies(1_000_000, seed=seed), until=time.monotonic() + seconds)
    return client


@contextmanager
def held_open(port: int, count: int) -> Iterator[None]:
    """Hold so many connections, and open again each that the server closes."""
    over = threading.Event()
    with ThreadPoolExecutor(1) as threads:
        held = threads.submit(_hold, port, count, over)
        try:
            yield
        finally:
            over.set()
        held.result()  # raises what went wrong in that thread


def _hold(port: int, count: int, over: threading.Event) -> None:
    held = [_open(port, number) for number in range(count)]
    while not over.wait(_LOOK):
        for number, connection in enumerate(held):
            if _is_closed(connection):
                connection.close()
                held[number] = _open(port, number)
    for connection in held:
        connection.close()


def _open(port: int, number: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=5)
    connection.sendall(_BEGINNINGS[number % len(_BEGINNINGS)])
    connection.setblocking(False)
    return connection


def _is_closed(connection: socket.socket) -> bool:
    try:
        return not connection.recv(4_096)
    except BlockingIOError:
        return False
    except ConnectionError:
        return True
