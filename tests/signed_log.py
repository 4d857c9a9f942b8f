"""A signed log in a data directory: what the tests about sealing, guarding and recovering have in hand."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from tagtrail.ledger.record import Recorder
from tagtrail.store.database import Store
from tagtrail.tlog.guard import check_ledger
from tagtrail.tlog.journal import Journal
from tagtrail.tlog.note import Checkpoint, read_checkpoint, read_note
from tagtrail.tlog.signer import LogPlace, Sealer
from tagtrail.tlog.verification import count_lines, find_trouble
from tests.conftest import Clock, Ledger


@dataclass
class Log:
    """A ledger that is signed as `tagtrail.example/log/1`."""

    ledger: Ledger
    place: LogPlace
    sealer: Sealer

    @property
    def journal(self) -> Journal:
        """The journal of the first epoch."""
        return Journal(self.place.journal, epoch=1)

    def check(self) -> None:
        """As the service does when it starts."""
        check_ledger(self.ledger.store, self.place.journal)

    def find_trouble(self) -> str | None:
        """As `tagtrail log verify` does."""
        return find_trouble(self.ledger.store, self.place.journal, size=count_lines(self.ledger.store))

    def tamper(self, sql: str, *values: object) -> None:
        """Change the database as somebody who has the file: without its triggers."""
        with self.ledger.store.writing() as tx:
            triggers = tx.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
            for name, _ in triggers:
                tx.execute(f"DROP TRIGGER {name}")
            tx.execute(sql, values)
            for _, text in triggers:
                tx.execute(text)


def make_log(directory: Path, clock: Clock) -> Log:
    """A log whose data directory, key and journal lie in the directory."""
    store = Store(directory / "data")
    store.prepare()
    place = LogPlace("tagtrail.example", directory / "keys" / "log-key.pem", directory / "journal")
    return Log(Ledger(store, Recorder(store, clock=clock), clock), place, Sealer(store, place, clock=clock))


def reopened(log: Log) -> Log:
    """The same log, as another process sees it."""
    store = Store(log.ledger.store.directory)
    clock = log.ledger.clock
    ledger = Ledger(store, Recorder(store, clock=clock), clock)
    return Log(ledger, log.place, Sealer(store, log.place, clock=clock))


def save_database(log: Log, to: Path) -> None:
    """Copy the database, and nothing else, while nobody writes."""
    log.ledger.store.close()
    shutil.copy(log.ledger.store.path, to)


def put_back_database(log: Log, saved: Path) -> Log:
    """Put a saved database in the place of the one there is, as an operator would."""
    log.ledger.store.close()
    for suffix in ("-wal", "-shm"):
        log.ledger.store.path.with_name(f"{log.ledger.store.path.name}{suffix}").unlink(missing_ok=True)
    shutil.copy(saved, log.ledger.store.path)
    return reopened(log)


def checkpoint_of(note: str) -> Checkpoint:
    """What a signed note says."""
    return read_checkpoint(read_note(note).text)
