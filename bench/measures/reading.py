"""Reading what was just written, while 32 clients post: how soon it is projected, and that no answer is stale."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import requests
from tests.real import TOKEN

from bench.clients import RegistryClient
from bench.envelopes import fill_in, template
from bench.figures import percentile
from bench.plan import Bench
from bench.servers import Ours, ours
from bench.table import Row
from bench.wrk import load
from tagtrail.store.database import Store
from tagtrail.store.lines import get_end

_POLL = 0.0002  # seconds between two looks at the mark
_ALONE = 99  # the number of a repository that no other client pushes to


def measure(bench: Bench) -> Iterator[Row]:
    """A client of its own posts an event, and then looks at the mark in the database, or asks the API."""
    plan = bench.plan
    with bench.place("reading") as place, ours(place) as service, _under_load(service, plan.clients):
        lags = _measure_lags(service, plan.read // 10)
        stale = _count_stale(service, plan.read)
    p50, p99 = percentile(lags, 50), percentile(lags, 99)
    yield Row(
        what=f"from an event's answer to its projection, while {plan.clients} clients post",
        goal="p50 < 5 ms, p99 < 60 ms",
        measured=f"p50 {p50 * 1000:.1f} ms, p99 {p99 * 1000:.1f} ms",
        reached=p50 < 0.005 and p99 < 0.060,
        detail=f"{len(lags):,} events, longest {max(lags) * 1000:.0f} ms",
    )
    yield Row(
        what="answers of the API that lack an event which was acknowledged before",
        goal="none",
        measured=f"{stale} of {plan.read:,}",
        reached=stale == 0,
        detail=f"an event, then the head of its tag, one after the other, while {plan.clients} clients post",
    )


@contextmanager
def _under_load(service: Ours, clients: int) -> Iterator[None]:
    over = threading.Event()

    def go_on() -> None:
        while not over.is_set():
            load(
                service.port, clients=clients, seconds=2, token=TOKEN, directory=service.directory,
                server=service.service.process.pid,
            )  # fmt: skip

    loading = threading.Thread(target=go_on)
    loading.start()
    try:
        yield
    finally:
        over.set()
        loading.join()


def _measure_lags(service: Ours, count: int) -> list[float]:
    store, client, lags = Store(service.service.data), RegistryClient(service.port), list[float]()
    db = store.raw_reader()
    for number in range(count):
        client.post_all([_body(number)])
        started, last = time.perf_counter(), get_end(db).seq
        while get_end(db).projected < last:
            time.sleep(_POLL)
        lags.append(time.perf_counter() - started)
    store.close()
    return lags


def _count_stale(service: Ours, count: int) -> int:
    client, stale = RegistryClient(service.port), 0
    address = f"{service.service.url}/api/v1/tags?repository=team/app{_ALONE}"
    for number in range(count):
        client.post_all([_body(count + number)])
        items = requests.get(address, timeout=30).json()["items"]
        stale += [tag["digest"] for tag in items] != [f"sha256:{count + number:064x}"]
    return stale


def _body(number: int) -> bytes:
    at = f"2026-01-01T{number // 3600 % 24:02d}:{number // 60 % 60:02d}:{number % 60:02d}.{number:09d}Z"
    event = f"00000000-0000-4000-8000-{number:012x}"
    return fill_in(template(), event=event, time=at, digest=f"{number:064x}", app=_ALONE, tag=0)
