"""Durable ingest against the bare Flask floor: from 32 clients, and one request after the other."""

from collections.abc import Iterator
from statistics import median

from bench.figures import per_round, ratio
from bench.plan import Bench
from bench.servers import floor, ours
from bench.table import Row
from bench.wrk import Run, noise


def measure(bench: Bench) -> Iterator[Row]:
    """Both servers take turns, in each round once with many clients and once with one."""
    plan = bench.plan
    crowds: list[tuple[Run, Run]] = []
    alone: list[tuple[Run, Run]] = []
    with bench.place("floor") as one, bench.place("ingest") as other, floor(one) as bare, ours(other) as service:
        for _ in range(plan.rounds):
            for clients, runs in ((plan.clients, crowds), (1, alone)):
                theirs = bare.load(clients=clients, seconds=plan.seconds)
                runs.append((service.load(clients=clients, seconds=plan.seconds), theirs))
    yield _crowd_row(crowds, plan.clients)
    yield _cost_row(crowds, plan.clients)
    yield _alone_row(alone)
    yield _longest_row(alone)


def _crowd_row(runs: list[tuple[Run, Run]], clients: int) -> Row:
    rates, floors = [run.rate for run, _ in runs], [bare.rate for _, bare in runs]
    reached = ratio(rates, floors)
    return Row(
        what=f"durable ingest, {clients} clients, of bare Flask 204",
        goal=">= 0.85",
        measured=f"{reached:.2f}",
        reached=reached >= 0.85,
        detail=f"{median(rates):,.0f}/s of {median(floors):,.0f}/s; by round {per_round(rates, floors)};"
        f" p99 {_ms(run.p99 for run, _ in runs)} of {_ms(bare.p99 for _, bare in runs)};"
        f" every acknowledged event is in the ledger{noise(run for pair in runs for run in pair)}",
    )


def _cost_row(runs: list[tuple[Run, Run]], clients: int) -> Row:
    ours_cpu, floor_cpu = [run.cpu for run, _ in runs], [bare.cpu for _, bare in runs]
    reached = ratio(ours_cpu, floor_cpu)
    return Row(
        what=f"processor time per event, {clients} clients, of the same floor",
        goal="<= 0.75",
        measured=f"{reached:.2f}",
        reached=reached <= 0.75,
        detail=f"{_ms(ours_cpu)} of {_ms(floor_cpu)}; by round {per_round(ours_cpu, floor_cpu)}; the master, the front,"
        " the readers and their threads together",
    )


def _longest_row(runs: list[tuple[Run, Run]]) -> Row:
    p99 = median(run.p99 for run, _ in runs)
    return Row(
        what="one request after the other: p99",
        goal="<= 4 ms",
        measured=f"{p99 * 1000:.2f} ms",
        reached=p99 <= 0.004,
        detail=f"of the floor {_ms(bare.p99 for _, bare in runs)};"
        f" worst round {max(run.p99 for run, _ in runs) * 1000:.2f} ms;"
        f" longest answer {max(run.longest for run, _ in runs) * 1000:.0f} ms",
    )


def _alone_row(runs: list[tuple[Run, Run]]) -> Row:
    ours_p50, floor_p50 = [run.p50 for run, _ in runs], [bare.p50 for _, bare in runs]
    reached = ratio(ours_p50, floor_p50)
    return Row(
        what="one request after the other: p50, of the same floor",
        goal="<= 1.75",
        measured=f"{reached:.2f}",
        reached=reached <= 1.75,
        detail=f"{_ms(ours_p50)} of {_ms(floor_p50)}; by round {per_round(ours_p50, floor_p50)};"
        f" {median(run.rate for run, _ in runs):,.0f}/s of {median(bare.rate for _, bare in runs):,.0f}/s;"
        f" processor time {_ms(run.cpu for run, _ in runs)} of {_ms(bare.cpu for _, bare in runs)} each"
        f"{noise(run for pair in runs for run in pair)}",
    )


def _ms(seconds: "Iterator[float] | list[float]") -> str:
    return f"{median(seconds) * 1000:.2f} ms"
