"""What the processes of a server cost: processor time and memory, of a process and all its descendants (Linux)."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def tree(pid: int) -> Iterator[int]:
    """The process and all that it started, as far as they still run."""
    yield pid
    with suppress(OSError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            yield from tree(int(child))


def cpu_seconds(pid: int) -> float:
    """Processor time that the tree has used so far, in and for it."""
    return sum(map(_cpu_seconds, tree(pid)))


def pss_bytes(pid: int) -> int:
    """Memory of the tree: each page counted once, however many of the processes share it."""
    return sum(map(_pss_bytes, tree(pid)))


def _cpu_seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS  # utime and stime: proc(5)


def _pss_bytes(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0
