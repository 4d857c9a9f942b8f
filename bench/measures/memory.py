"""Memory of the service with a large ledger, at rest after a load."""

from collections.abc import Iterator

from bench.plan import Bench
from bench.processes import pss_bytes, tree
from bench.servers import ours_filled
from bench.table import Row

_GOAL = 150_000_000  # bytes


def measure(bench: Bench) -> Iterator[Row]:
    """The sum over the master and its workers, once they have answered many clients."""
    entries = bench.plan.stored[0]
    with ours_filled(bench.filled(entries), entries) as running:
        run = running.load(clients=bench.plan.clients, seconds=bench.plan.seconds)
        pid = running.service.process.pid
        used, processes = pss_bytes(pid), len(list(tree(pid)))
    yield Row(
        what=f"memory of all processes after a load, with {entries:,} entries stored",
        goal="<= 150 MB",
        measured=f"{used / 1e6:.0f} MB",
        reached=used <= _GOAL,
        detail=f"PSS of {processes} processes after {run.answers:,} events from {bench.plan.clients} clients",
    )
