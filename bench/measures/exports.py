"""Whole exports against the `sqlite3` program writing the same into a pipe, and the memory they take."""

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from urllib.parse import urlencode

from bench.figures import per_round, ratio
from bench.plan import Bench
from bench.processes import pss_bytes
from bench.servers import Ours, ours_filled
from bench.table import Row
from bench.wrk import NotMeasuredError
from tagtrail.store.database import Store
from tagtrail.trail.instant import format_instant

_MOST_MEMORY = 200_000_000  # bytes
_LOOK = 0.05  # seconds between two looks at the memory
_PIECE = 1 << 20  # bytes read at a time

_NDJSON = "SELECT line FROM lines WHERE seq >= {first} ORDER BY seq DESC"
# What `entries.csv` holds, column for column, as SQLite's own functions make it.
_CSV = """
WITH entry AS (SELECT seq, CAST(line AS TEXT) AS line, CAST(who AS TEXT) AS who
    FROM lines LEFT JOIN disclosures USING (seq) WHERE seq >= {first})
SELECT coalesce(line ->> 'host', '') || '/' || coalesce(line ->> 'repository', '')
        || ':' || coalesce(line ->> 'tag', '') || '@' || coalesce(line ->> 'digest', ''),
    seq, line ->> 'at', line ->> 'occurred', line ->> 'kind', line ->> 'registry', line ->> 'repository',
    line ->> 'tag', line ->> 'digest', line ->> 'media_type', line ->> 'size', who ->> '$[2].actor',
    line ->> 'actor_assurance', who ->> '$[2].address', who ->> '$[2].user_agent',
    (SELECT group_concat(name || ':' || kind, ' ') FROM moves m JOIN tags ON tags.id = tag_id WHERE m.seq = entry.seq),
    (SELECT max(violates) FROM moves m WHERE m.seq = entry.seq),
    (SELECT group_concat(environment, ' ') FROM publications p WHERE p.seq = entry.seq),
    line ->> 'environment', line ->> 'change', line ->> 'reason', line ->> 'request', line ->> 'event',
    line ->> 'instance'
FROM entry ORDER BY seq DESC
"""


def measure(bench: Bench) -> Iterator[Row]:
    """Both exports of the same newest entries of a filled ledger, in turns with `sqlite3`."""
    with ours_filled(bench.filled(bench.plan.stored[0]), bench.plan.stored[0]) as running:
        window = _find_window(running.service.data, bench.plan.exported)
        with _watching(running.service.process.pid) as memory:
            for kind in _KINDS:
                runs = [_turn(running, kind, window) for _ in range(bench.plan.rounds)]
                yield _row(kind, window.entries, [mine for mine, _ in runs], [theirs for _, theirs in runs])
        yield _memory_row(max(memory.seen))


@dataclass(frozen=True, slots=True)
class _Kind:
    suffix: str
    options: tuple[str, ...]
    query: str
    goal: float


_KINDS = (_Kind("ndjson", (), _NDJSON, 1.0), _Kind("csv", ("-csv",), _CSV, 0.5))


def _turn(running: Ours, kind: _Kind, window: "_Window") -> tuple[float, float]:
    """Our seconds, and those of `sqlite3`."""
    path = f"/api/v1/entries.{kind.suffix}?{urlencode({'since': window.since})}"
    theirs = _by_sqlite3(running.service.data, kind.options, kind.query.format(first=window.first))
    return _by_http(running.port, path), theirs


@dataclass(frozen=True, slots=True)
class _Window:
    first: int
    since: str
    entries: int


def _find_window(data: Path, count: int) -> _Window:
    """The newest entries of the ledger, at most so many: their first seq, and its time by our clock."""
    store = Store(data)
    try:
        db = store.reader()
        (last,) = db.execute("SELECT max(seq) FROM lines").fetchone()
        first = max(0, last + 1 - count)
        (at,) = db.execute("SELECT received_at FROM entries WHERE seq = ?", (first,)).fetchone()
    finally:
        store.close()
    return _Window(first, format_instant(at), last + 1 - first)


def _by_sqlite3(data: Path, options: Sequence[str], query: str) -> float:
    """The seconds that the `sqlite3` program takes. Raises NotMeasuredError where it is missing."""
    if shutil.which("sqlite3") is None:
        raise NotMeasuredError("sqlite3 is not installed: `make bench` installs it with apt-get")
    command = ["sqlite3", "-readonly", *options, str(data / "tagtrail.db"), query]
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=0) as program:
        assert program.stdout is not None
        while program.stdout.read(_PIECE):
            pass
    if program.returncode:
        raise NotMeasuredError(f"sqlite3 failed with {program.returncode}")
    return time.perf_counter() - started


def _by_http(port: int, path: str) -> float:
    """The seconds that the service takes. Raises NotMeasuredError for an error, or an answer that breaks off."""
    started = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
        beginning, end = connection.recv(4_096), b""
        while piece := connection.recv(_PIECE):
            end = (end + piece[-5:])[-5:]
    if not beginning.startswith(b"HTTP/1.1 200") or end != b"0\r\n\r\n":
        raise NotMeasuredError(f"GET {path} was answered {beginning[:60]!r}, and ended in {end!r}")
    return time.perf_counter() - started


@dataclass(slots=True)
class _Memory:
    seen: list[int] = field(default_factory=list)


@contextmanager
def _watching(pid: int) -> Iterator[_Memory]:
    """Look at the memory of all the service's processes, again and again."""
    memory, over = _Memory([pss_bytes(pid)]), threading.Event()

    def watch() -> None:
        while not over.wait(_LOOK):
            memory.seen.append(pss_bytes(pid))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield memory
    finally:
        over.set()
        watcher.join()


def _row(kind: _Kind, entries: int, mine: list[float], theirs: list[float]) -> Row:
    reached = ratio(theirs, mine)
    rates = f"{entries / median(mine):,.0f} entries/s of {entries / median(theirs):,.0f}"
    return Row(
        what=f"{kind.suffix.upper()} export of {entries:,} entries, of `sqlite3` writing the same",
        goal=f">= {kind.goal}",
        measured=f"{reached:.2f}",
        reached=reached >= kind.goal,
        detail=f"{rates}; by round {per_round(theirs, mine)}",
    )


def _memory_row(most: int) -> Row:
    return Row(
        what="memory of all processes during exports",
        goal="<= 200 MB",
        measured=f"{most / 1e6:.0f} MB",
        reached=most <= _MOST_MEMORY,
        detail="the largest sum of the processes' proportional set sizes (PSS) that was seen",
    )
