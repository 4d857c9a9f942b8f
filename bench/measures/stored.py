"""Whether ingest keeps its rate when much is stored: a full ledger and an empty one take turns."""

from collections.abc import Iterator
from statistics import median

from bench.figures import per_round, ratio
from bench.plan import Bench
from bench.servers import ours, ours_filled
from bench.table import Row
from bench.wrk import Run, noise

GOALS = {1_000_000: 0.9, 10_000_000: 0.8}


def measure(bench: Bench) -> Iterator[Row]:
    """A row for each size."""
    for entries in bench.plan.stored:
        yield _measure(bench, entries)


def _measure(bench: Bench, entries: int) -> Row:
    plan, full_runs, empty_runs = bench.plan, list[Run](), list[Run]()
    goal = GOALS.get(entries)
    with bench.place("empty") as place, ours(place) as empty, ours_filled(bench.filled(entries), entries) as full:
        for _ in range(plan.rounds):
            empty_runs.append(empty.load(clients=plan.clients, seconds=plan.seconds))
            full_runs.append(full.load(clients=plan.clients, seconds=plan.seconds))
    rates, empties = [run.rate for run in full_runs], [run.rate for run in empty_runs]
    reached = ratio(rates, empties)
    return Row(
        what=f"rate with {entries:,} entries stored, of the rate when empty",
        goal="" if goal is None else f">= {goal}",
        measured=f"{reached:.2f}",
        reached=None if goal is None else reached >= goal,
        detail=f"{median(rates):,.0f}/s of {median(empties):,.0f}/s from {plan.clients} clients;"
        f" by round {per_round(rates, empties)}{noise([*full_runs, *empty_runs])}",
    )
