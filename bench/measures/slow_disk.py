"""What group commit is worth on a slow disk: 8 ms more for each fsync, against one transaction per request."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from bench.figures import per_round, ratio
from bench.plan import Bench
from bench.servers import ours
from bench.table import Row
from bench.wrk import NotMeasuredError, Run, noise

_SOURCE = Path(__file__).parent.parent / "slow_fsync.c"
_MORE_MS = 8


def measure(bench: Bench) -> Iterator[Row]:
    """Two services with the same slow disk take turns; in one of them each request commits for itself."""
    plan, many_runs, one_runs = bench.plan, list[Run](), list[Run]()
    with bench.place("slow-disk") as place:
        env = slow_disk(place, _MORE_MS)
        with ours(place / "one", group=1, env=env) as one, ours(place / "many", env=env) as many:
            for _ in range(plan.rounds):
                one_runs.append(one.load(clients=plan.clients, seconds=plan.seconds))
                many_runs.append(many.load(clients=plan.clients, seconds=plan.seconds))
    together, single = [run.rate for run in many_runs], [run.rate for run in one_runs]
    reached = ratio(together, single)
    yield Row(
        what=f"{plan.clients} clients with {_MORE_MS} ms added to each fsync, of one transaction per request",
        goal=">= 8",
        measured=f"{reached:.1f}",
        reached=reached >= 8,
        detail=f"{median(together):,.0f}/s of {median(single):,.0f}/s; by round {per_round(together, single)}"
        f"{noise([*many_runs, *one_runs])}",
    )


def slow_disk(directory: Path, milliseconds: int) -> dict[str, str]:
    """The environment in which every fsync takes longer. Raises NotMeasuredError without a C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise NotMeasuredError(
            "there is no C compiler for the slow disk's shim: `make bench` installs gcc with apt-get"
        )
    library = directory / "slow_fsync.so"
    built = subprocess.run(
        [compiler, "-O2", "-shared", "-fPIC", "-o", str(library), str(_SOURCE), "-ldl"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if built.returncode:
        raise NotMeasuredError(f"the slow disk's shim does not compile: {built.stderr.strip()[:200]}")
    preloaded = " ".join(filter(None, [str(library), os.environ.get("LD_PRELOAD")]))
    return {"LD_PRELOAD": preloaded, "SLOW_FSYNC_MS": str(milliseconds)}
