"""How much is measured, and where: handed to every measure."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.fill import fill
from tagtrail.config.model import LedgerConfig
from tagtrail.store.database import Store
from tagtrail.store.status import Verification, keep_verification
from tagtrail.tlog.place import make_log_signer
from tagtrail.tlog.verification import count_lines
from tagtrail.trail.instant import now


@dataclass(frozen=True, slots=True)
class Plan:
    """The default run: under twelve minutes. Times in seconds."""

    rounds: int = 3
    seconds: float = 6
    clients: int = 32
    stored: tuple[int, ...] = (1_000_000,)
    burst: int = 50_000
    asked: int = 200  # times that each question is asked
    exported: int = 200_000  # entries of an export
    told: int = 100  # messages whose way is timed
    read: int = 10_000  # events that are read back as soon as they are answered


QUICK = Plan(rounds=1, seconds=2, stored=(50_000,), burst=3_000, asked=40, exported=40_000, told=10, read=300)


@dataclass(slots=True)
class Bench:
    """A plan and the directory in which it is carried out."""

    plan: Plan
    directory: Path
    _filled: dict[int, Path] = field(default_factory=dict)

    @contextmanager
    def place(self, name: str) -> Iterator[Path]:
        """A directory for one server, removed at the end."""
        path = self.directory / name
        path.mkdir(parents=True)
        try:
            yield path
        finally:
            _remove(path)

    def filled(self, entries: int) -> Path:
        """A service's directory whose ledger has so many entries; filled once, and then used by several measures."""
        if entries not in self._filled:
            path = self.directory / f"filled-{entries}"
            fill(path / "data", entries)
            _sign(path / "data")
            os.sync()  # or the disk would still be busy with it while something is measured
            self._filled[entries] = path
        return self._filled[entries]


def _remove(path: Path) -> None:
    """Remove a directory, into which a verification that a stopped service had begun may still write for a moment."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return shutil.rmtree(path)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def _sign(data: Path) -> None:
    """Sign and verify the ledger now, or the service would do so while something is measured."""
    store = Store(data)
    make_log_signer(store, LedgerConfig()).sign()
    with store.writing() as tx:
        keep_verification(tx, Verification(now(), count_lines(store), None))
    store.close()
