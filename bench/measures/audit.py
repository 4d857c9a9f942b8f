"""What an auditor waits for: an export of a whole ledger made, and checked by its own `verify.py`."""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from zipfile import ZipFile

from bench.plan import Bench
from bench.table import Row
from bench.wrk import NotMeasuredError

_MOST_SECONDS = 10.0
_GOAL_FOR = 1_000_000  # lines


def measure(bench: Bench) -> Iterator[Row]:
    """An export of everything in a filled ledger, without identities."""
    entries = bench.plan.stored[0]
    filled = bench.filled(entries)
    with bench.place("audit") as place:
        bundle = place / "audit.zip"
        made = _run([sys.executable, "-m", "tagtrail", "export", "--data", str(filled / "data"), "-o", str(bundle)])
        yield Row(
            what=f"making an export of {entries:,} lines",
            goal="",
            measured=f"{made.seconds:.0f} s",
            reached=None,
            detail=f"{bundle.stat().st_size / 1e6:,.0f} MB of zip; at most {made.memory / 1e6:.0f} MB of memory",
        )
        with ZipFile(bundle) as archive:
            archive.extractall(place)
        bundle.unlink()
        (unpacked,) = (path for path in place.iterdir() if path.is_dir())
        python = shutil.which("python3", path="/usr/bin:/bin") or sys.executable  # the system's, as an auditor has it
        runs = [_run([python, "-I", "-S", "verify.py"], cwd=unpacked) for _ in range(bench.plan.rounds)]
        yield _verifying(entries, runs)


def _verifying(entries: int, runs: "Sequence[_Run]") -> Row:
    seconds, memory = median(run.seconds for run in runs), max(run.memory for run in runs)
    has_goal = entries == _GOAL_FOR
    return Row(
        what=f"verifying {entries:,} lines with `verify.py`",
        goal=f"<= {_MOST_SECONDS:g} s" if has_goal else "",
        measured=f"{seconds:.1f} s",
        reached=seconds <= _MOST_SECONDS if has_goal else None,
        detail=f"by round {', '.join(f'{run.seconds:.1f}' for run in runs)}; at most {memory / 1e6:.0f} MB of memory",
    )


@dataclass(frozen=True, slots=True)
class _Run:
    """A program's run: the time that went by, and the most memory that it held, in bytes."""

    seconds: float
    memory: int


# Runs a program and tells the most memory that it held, in KiB: a process that is forked from a large one, as this one
# is, would count the large one's.
_SMALL_PARENT = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def _run(command: Sequence[str], cwd: Path | None = None) -> _Run:
    """Run a program to its end. Raises NotMeasuredError where it fails."""
    started = time.perf_counter()
    parent = [sys.executable, "-I", "-S", "-c", _SMALL_PARENT, *command]
    done = subprocess.run(parent, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotMeasuredError(f"{' '.join(command[1:4])} failed: {done.stderr.strip()[-200:]}")
    return _Run(time.perf_counter() - started, int(done.stdout) * 1024)
