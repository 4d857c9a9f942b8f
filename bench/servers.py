"""The servers under load, each on a free loopback port and stopped by its process id: tagtrail, and the bare floor."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from tests.real import TOKEN, Process, Service, eventually, free_port

from bench.wrk import NotMeasuredError, Run, load
from tagtrail.store.database import Store
from tagtrail.store.lines import get_end

ROOT = Path(__file__).parent.parent
_SETTLING = 0.3  # seconds for requests whose client is gone to be recorded


@dataclass(frozen=True, slots=True)
class Floor:
    """Bare Flask under `gunicorn --workers 2`, running."""

    directory: Path
    port: int
    process: Process

    def load(self, *, clients: int, seconds: float) -> Run:
        """The same load as tagtrail gets."""
        return load(
            self.port, clients=clients, seconds=seconds, token=TOKEN, directory=self.directory, server=self.process.pid
        )


@dataclass(frozen=True, slots=True)
class Ours:
    """tagtrail, running."""

    directory: Path
    service: Service

    @property
    def port(self) -> int:
        return self.service.port

    def load(self, *, clients: int, seconds: float) -> Run:
        """A load whose every acknowledged event is then found in the ledger. Raises NotMeasuredError if not."""
        before = count_pushes(self.service.data)
        server = self.service.process.pid
        run = load(self.port, clients=clients, seconds=seconds, token=TOKEN, directory=self.directory, server=server)
        time.sleep(_SETTLING)
        lines = count_pushes(self.service.data) - before
        # When the time is up each client may have one request on its way, recorded or not, whose answer nobody reads.
        if not run.answers <= lines <= run.answers + clients:
            raise NotMeasuredError(f"{run.answers} events were acknowledged and {lines} lines recorded")
        return run


def count_pushes(data: Path) -> int:
    """Lines of the kind push in the ledger, once all of its lines are projected."""
    store = Store(data)
    connection = store.raw_reader()
    try:
        eventually(lambda: get_end(connection).projected == get_end(connection).seq, "the lines are projected")
        (others,) = connection.execute("SELECT count(*) FROM entries WHERE kind <> 'push'").fetchone()
        return get_end(connection).seq + 1 - int(others)
    finally:
        connection.close()


@contextmanager
def floor(directory: Path) -> Iterator[Floor]:
    """Start the floor; stop it at the end."""
    port = free_port()
    process = Process(
        [
            sys.executable, "-m", "gunicorn", "--workers", "2", "--bind", f"127.0.0.1:{port}", "--no-control-socket",
            "--log-level", "warning", "bench.floor:make_app()",
        ],
        directory / "floor.log",
        cwd=ROOT,
    )  # fmt: skip
    process.start()
    try:
        eventually(lambda: _answers(f"http://127.0.0.1:{port}/"), f"the floor answers; its log: {process.log}")
        yield Floor(directory, port, process)
    finally:
        process.stop()


@contextmanager
def ours(
    directory: Path,
    *,
    group: int | None = None,
    env: dict[str, str] | None = None,
    settings: dict[str, Any] | None = None,
) -> Iterator[Ours]:
    """Start tagtrail on what `directory/data` holds, or anew; stop it at the end.

    `group` is another size for its groups of commits, `env` is added to its environment, `settings` to
    its configuration.
    """
    service = Service(directory, {"log": {"format": "json", "level": "info"}} | (settings or {}))
    command = service.process.command
    if group is not None:
        command = [sys.executable, "-m", "bench.grouped", str(group), str(service.config)]
    service.process = Process(command, service.process.log, env=env or {}, cwd=ROOT)
    try:
        service.start()
        yield Ours(directory, service)
    finally:
        service.process.stop()


@contextmanager
def ours_filled(directory: Path, entries: int) -> Iterator[Ours]:
    """Start tagtrail on a filled ledger, and make sure that it is one. Raises NotMeasuredError where it is not.

    A service starts on an empty directory, too, and everything measured on it would look very good.
    """
    with ours(directory) as running:
        found = count_pushes(running.service.data)
        if found < entries:
            raise NotMeasuredError(f"the filled ledger has {found} pushes and should have {entries}: was it removed?")
        yield running


def _answers(url: str) -> bool:
    with suppress(requests.ConnectionError):
        return requests.get(url, timeout=5).status_code < 500
    return False
