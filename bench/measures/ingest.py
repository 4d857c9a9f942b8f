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
    yield _alone_row(alone)


def _crowd_row(runs: list[tuple[Run, Run]], clients: int) -> Row:
    rates, floors = [run.rate for run, _ in runs], [bare.rate for _, bare in runs]
    reached = ratio(rates, floors)
    return Row(
        what=f"durable ingest, {clients} clients, of bare Flask 204",
        goal=">= 0.70",
        measured=f"{reached:.2f}",
        reached=reached >= 0.70,
        detail=f"{median(rates):,.0f}/s of {median(floors):,.0f}/s; by round {per_round(rates, floors)};"
        f" p99 {_ms(run.p99 for run, _ in runs)} of {_ms(bare.p99 for _, bare in runs)};"
        f" processor time {_ms(run.cpu for run, _ in runs)} of {_ms(bare.cpu for _, bare in runs)} each;"
        f" every acknowledged event is in the ledger{noise(run for pair in runs for run in pair)}",
    )


def _alone_row(runs: list[tuple[Run, Run]]) -> Row:
    ours_p50, floor_p50 = [run.p50 for run, _ in runs], [bare.p50 for _, bare in runs]
    reached = ratio(ours_p50, floor_p50)
    return Row(
        what="one request after the other: p50, of the same floor",
        goal="<= 1.5",
        measured=f"{reached:.2f}",
        reached=reached <= 1.5,
        detail=f"{_ms(ours_p50)} of {_ms(floor_p50)}; by round {per_round(ours_p50, floor_p50)};"
        f" {median(run.rate for run, _ in runs):,.0f}/s of {median(bare.rate for _, bare in runs):,.0f}/s;"
        f" processor time {_ms(run.cpu for run, _ in runs)} of {_ms(bare.cpu for _, bare in runs)} each"
        f"{noise(run for pair in runs for run in pair)}",
    )


def _ms(seconds: "Iterator[float] | list[float]") -> str:
    return f"{median(seconds) * 1000:.2f} ms"
