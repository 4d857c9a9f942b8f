"""Runs wrk, the load generator, against one port and reads what it measured."""

import shutil
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import msgspec

from bench.envelopes import template
from bench.processes import cpu_seconds, finished_cpu_seconds, machine_cpu_seconds

_QUIET = 0.2  # cores that others may use without a remark
_SCRIPT = Path(__file__).with_name("load.lua")


class NotMeasuredError(Exception):
    """Why a row of the table could not be measured, in one sentence."""


@dataclass(frozen=True, slots=True)
class Run:
    """What wrk saw; times in seconds. `refused` answers were 400 and above, `broken` ones never came.

    `cpu` is the processor time that the server's processes used for each answer, `others` the number of cores that
    neither they nor wrk used, but somebody else: where it is not small, the numbers are those of a busy machine.
    """

    answers: int
    seconds: float
    p50: float
    p99: float
    longest: float
    refused: int
    broken: int
    cpu: float = 0.0
    others: float = 0.0

    @property
    def rate(self) -> float:
        """Answers per second."""
        return self.answers / self.seconds


def noise(runs: Iterable[Run]) -> str:
    """A remark for a row whose runs had to share the machine; empty where they had it to themselves."""
    others = median(run.others for run in runs)
    return f"; a busy machine: somebody else used {others:.1f} cores meanwhile" if others > _QUIET else ""


@dataclass(frozen=True, slots=True)
class _Used:
    """Processor seconds of a server, of the programs that were run against it, and of the whole machine."""

    server: float
    programs: float
    machine: float


def load(port: int, *, clients: int, seconds: float, token: str, directory: Path, server: int) -> Run:
    """POST distinct events from so many clients, with a new connection for each; `directory` is for scratch.

    `server` is the process whose tree serves the port. Raises NotMeasuredError where wrk is missing, and where any
    answer was an error.
    """
    if shutil.which("wrk") is None:
        raise NotMeasuredError("wrk is not installed: `make bench` installs it with apt-get")
    path = directory / "template.json"
    path.write_text(template())
    command = ["wrk", "-t1", f"-c{clients}", f"-d{max(1, round(seconds))}s", "--timeout", "10s", "-s", str(_SCRIPT)]
    seed = str(time.time_ns() // 1000 % 2**48)
    before = _used(server)
    done = subprocess.run(
        [*command, f"http://127.0.0.1:{port}/events", "--", str(path), token, seed],
        capture_output=True, text=True, check=True, timeout=seconds + 30,
    )  # fmt: skip
    run = msgspec.json.decode(done.stdout.strip().splitlines()[-1], type=Run)
    if run.refused or run.broken or not run.answers:
        raise NotMeasuredError(f"{run.refused} of {run.answers} answers were errors, {run.broken} never came")
    return _with_costs(run, before, _used(server))


def _used(server: int) -> _Used:
    return _Used(cpu_seconds(server), finished_cpu_seconds(), machine_cpu_seconds())


def _with_costs(run: Run, before: _Used, after: _Used) -> Run:
    server = after.server - before.server
    elsewhere = after.machine - before.machine - server - (after.programs - before.programs)
    return replace(run, cpu=server / run.answers, others=max(0.0, elsewhere / run.seconds))
