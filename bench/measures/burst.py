"""The backlog of a registry after an outage: one request after the other, each with a timeout of a second."""

import time
from collections.abc import Iterator

from tests.real import Service

from bench.clients import RegistryClient
from bench.envelopes import bodies
from bench.figures import percentile
from bench.plan import Bench
from bench.servers import ours
from bench.table import Row
from tagtrail.store.database import Store


def measure(bench: Bench) -> Iterator[Row]:
    """What was sent is counted in the ledger after the service has stopped."""
    count = bench.plan.burst
    with bench.place("burst") as place:
        with ours(place) as running:
            client, started = RegistryClient(running.port), time.monotonic()
            client.post_all(bodies(count, seed=7))
            seconds = time.monotonic() - started
        lines, events = _recorded(running.service)
    yield Row(
        what=f"a burst of {count:,} queued events from one registry with a 1 s timeout",
        goal="no timeout, nothing twice, nothing lost",
        measured=f"{client.failed} timeouts, {lines - events} twice, {count - events} lost",
        reached=not client.failed and lines == events == count,
        detail=f"{count / seconds:,.0f}/s; p50 {percentile(client.took, 50) * 1000:.2f} ms,"
        f" p99 {percentile(client.took, 99) * 1000:.2f} ms, longest {max(client.took) * 1000:.0f} ms",
    )


def _recorded(service: Service) -> tuple[int, int]:
    """Lines of pushes, and the distinct events among them."""
    store = Store(service.data)
    try:
        row = (
            store.reader().execute("SELECT count(*), count(DISTINCT event) FROM entries WHERE kind = 'push'").fetchone()
        )
    finally:
        store.close()
    return int(row[0]), int(row[1])
