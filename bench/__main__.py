"""`python -m bench`: carries out the measures one by one, prints the table and writes it to docs/benchmarks.md."""

import shlex
import signal
import sys
import tempfile
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from bench.measures import audit, burst, chat, crowd, exports, ingest, memory, pages, reading, slow_disk, stored
from bench.plan import QUICK, Bench, Plan
from bench.table import Row, as_markdown, as_text, machine
from bench.wrk import NotMeasuredError

RESULTS = Path(__file__).parent.parent / "docs" / "benchmarks.md"
MEASURES: dict[str, Callable[[Bench], Iterator[Row]]] = {
    "ingest": ingest.measure,
    "slow-disk": slow_disk.measure,
    "crowd": crowd.measure,
    "burst": burst.measure,
    "reading": reading.measure,
    "stored": stored.measure,
    "memory": memory.measure,
    "pages": pages.measure,
    "exports": exports.measure,
    "audit": audit.measure,
    "chat": chat.measure,
}


def main(arguments: list[str]) -> int:
    """Measure what was asked for; 1 if something could not be measured, whatever the numbers 0."""
    options = _read(arguments)
    signal.signal(signal.SIGTERM, _leave)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="tagtrail-bench-", dir=options.directory) as directory:
        bench = Bench(_plan_of(options), Path(directory))
        where = machine(Path(directory))
        _say(where)
        for name in options.only or MEASURES:
            rows += _carry_out(name, bench)
    print(as_text(rows))
    command = shlex.join(["make", "bench"] + ([f"ARGS={shlex.join(arguments)}"] if arguments else []))
    if options.write:
        options.write.write_text(as_markdown(rows, command=command, where=where))
        _say(f"written to {options.write}")
    return 0 if all(row.measured for row in rows) else 1


def _read(arguments: list[str]) -> Namespace:
    parser = ArgumentParser(prog="python -m bench", description="Measures tagtrail against the numbers to reach.")
    parser.add_argument("--quick", action="store_true", help="one short round of everything, to see that it works")
    parser.add_argument("--only", type=_names, metavar="NAMES", help=f"some of {','.join(MEASURES)}")
    parser.add_argument(
        "--stored", type=_sizes, metavar="COUNTS", help="sizes of filled ledgers, such as 1000000,10000000"
    )
    parser.add_argument("--directory", type=Path, help="where the ledgers lie meanwhile: 3 GB for each million entries")
    parser.add_argument("--write", type=Path, help="the file for the table; none for a part of it, unless given")
    options = parser.parse_args(arguments)
    if options.write is None and not (options.quick or options.only):
        options.write = RESULTS
    return options


def _leave(*_: object) -> None:
    """Leave by way of every `finally`, so that no server and no ledger is left behind."""
    raise SystemExit(143)


def _names(text: str) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - MEASURES.keys():
        raise ValueError(f"unknown: {unknown}")
    return names


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(int(part.replace("_", "")) for part in text.split(","))


def _plan_of(options: Namespace) -> Plan:
    plan = QUICK if options.quick else Plan()
    return replace(plan, stored=options.stored) if options.stored else plan


def _carry_out(name: str, bench: Bench) -> list[Row]:
    """The rows of a measure; where it fails, one that says why."""
    started = time.monotonic()
    _say(f"measuring {name} ...")
    rows: list[Row] = []
    try:
        rows.extend(MEASURES[name](bench))
    except NotMeasuredError as error:
        rows.append(Row(what=name, goal="", measured="", reached=None, detail=f"not measured: {error}"))
    _say(f"measured {name} in {time.monotonic() - started:.0f} s")
    return rows


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
