"""A signed log in a data directory, for tests about signing, guarding and recovering."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from tagtrail.ledger.record import Recorder
from tagtrail.store.database import Store
from tagtrail.store.tree import find_statements
from tagtrail.tlog.guard import check_ledger
from tagtrail.tlog.journal import Journal
from tagtrail.tlog.note import Checkpoint, read_checkpoint, read_note
from tagtrail.tlog.signer import LogPlace, LogSigner
from tagtrail.tlog.verification import count_lines, find_trouble
from tests.conftest import Clock, Ledger


@dataclass
class Log:
    """A ledger that is signed as `tagtrail.example/log/1`."""

    ledger: Ledger
    place: LogPlace
    log_signer: LogSigner

    @property
    def journal(self) -> Journal:
        """The journal of the first epoch."""
        return Journal(self.place.journal, epoch=1)

    def statements(self) -> list[str]:
        """The stored statements about the keys."""
        return [each.note for each in find_statements(self.ledger.store.reader())]

    def check(self) -> None:
        """Check the database as the service does at start."""
        check_ledger(self.ledger.store, self.place.journal)

    def find_trouble(self) -> str | None:
        """Verify the whole ledger, as `tagtrail log verify` does."""
        return find_trouble(self.ledger.store, self.place.journal, size=count_lines(self.ledger.store))

    def tamper(self, sql: str, *values: object) -> None:
        """Change the database without its triggers, as a person with the file can."""
        with self.ledger.store.writing() as tx:
            triggers = tx.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
            for name, _ in triggers:
                tx.execute(f"DROP TRIGGER {name}")
            tx.execute(sql, values)
            for _, text in triggers:
                tx.execute(text)


def make_log(directory: Path, clock: Clock) -> Log:
    """A log with its data directory, key and journal in the directory."""
    store = Store(directory / "data")
    store.prepare()
    place = LogPlace("tagtrail.example", directory / "keys" / "log-key.pem", directory / "journal")
    return Log(Ledger(store, Recorder(store, clock=clock), clock), place, LogSigner(store, place, clock=clock))


def reopened(log: Log) -> Log:
    """The same log, opened by another process."""
    store = Store(log.ledger.store.directory)
    clock = log.ledger.clock
    ledger = Ledger(store, Recorder(store, clock=clock), clock)
    return Log(ledger, log.place, LogSigner(store, log.place, clock=clock))


def save_database(log: Log, to: Path) -> None:
    """Copy the database file alone; no process writes meanwhile."""
    log.ledger.store.close()
    shutil.copy(log.ledger.store.path, to)


def put_back_database(log: Log, saved: Path) -> Log:
    """Replace the database by a saved one, as an operator would."""
    log.ledger.store.close()
    for suffix in ("-wal", "-shm"):
        log.ledger.store.path.with_name(f"{log.ledger.store.path.name}{suffix}").unlink(missing_ok=True)
    shutil.copy(saved, log.ledger.store.path)
    return reopened(log)


def checkpoint_of(note: str) -> Checkpoint:
    """The checkpoint in a signed note."""
    return read_checkpoint(read_note(note).text)
