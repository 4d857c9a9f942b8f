"""The database file: how it is opened, read by many threads, and written by one process at a time.

Each reading thread keeps its own connection, opened at its first query. Each process keeps one connection for writing.
Writers of several processes take turns by a file lock held around the whole transaction, COMMIT included: SQLite's own
busy handler sleeps and starves, and versions before 3.51.3 can damage the write-ahead log when two connections write or
checkpoint at once (https://www.sqlite.org/wal.html#walresetbug).

Lines are appended first and projected in batches. A reader never sees the time between: every line appended before it
asks is projected in what it sees.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tagtrail import logs
from tagtrail.errors import StorageUnavailable
from tagtrail.locks import describe_holder, open_lock, release_lock, take_lock

if TYPE_CHECKING:
    import sqlite3 as sqlite3  # noqa: PLC0414 - other files of this folder take it from here
else:
    try:
        import pysqlite3 as sqlite3  # includes its own SQLite, newer than the system's; sqlite-utils uses it too
    except ImportError:
        import sqlite3

Connection = sqlite3.Connection
DATABASE_NAME = "tagtrail.db"
NEWEST_MIGRATION = "m012_statements"  # the last step of `migrations.py`, which commands that only read do not import

_WRITER_CACHE = 8_192  # KiB of cached pages per writer
_READER_CACHE = 2_048  # KiB of cached pages per reading thread; the system caches the rest
_WAL_PAGES = 8_000  # of 4 KiB: at 32 MiB a commit writes the log back, unless `WriteBack` has done so before
_SAFE_VERSION = (3, 51, 3)  # of SQLite: from here on a checkpoint may run while another connection writes
_PATIENCE = 0.1  # seconds for another process to project what a reader waits for
_TURN = 5.0  # seconds to wait for another writer to finish; then StoreBusy
_POLL = 0.001  # seconds between two looks at how far it is

_HAS_MIGRATIONS = "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = '_sqlite_migrations')"
_IS_MIGRATED = "SELECT EXISTS (SELECT 1 FROM _sqlite_migrations WHERE migration_set = 'tagtrail' AND name = ?)"
_BEHIND = "SELECT (SELECT max(seq) FROM lines) > projected FROM derivation"
_log = logging.getLogger(__name__)


class StoreBusy(StorageUnavailable):
    """Another writer holds the lock."""


class Store:
    """The database in a data directory. Opening costs nothing; connections open at first use, after any fork.

    `catch_up` projects the lines that were only appended; without it a reader sees what is projected.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.path = directory / DATABASE_NAME
        self.catch_up: Callable[[], None] | None = None
        self._local = threading.local()
        self._writer: Connection | None = None
        self._write_lock: int | None = None
        self._writing = threading.Lock()
        self._wal_pages = _WAL_PAGES

    def prepare(self) -> None:
        """Create the directory and the database if they are missing, and migrate the schema.

        Call it once, before workers fork. Raises StorageUnavailable.
        """
        import sqlite_utils  # noqa: PLC0415 - commands that only read start faster without it

        from tagtrail.store.migrations import migrations  # noqa: PLC0415

        with _translated():
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
            self._lock()
            try:
                self._writer = self._open(cache=_WRITER_CACHE)
                migrations.apply(sqlite_utils.Database(self._writer))
            finally:
                self.close()  # no open file may be inherited: all heirs would share a file lock

    def is_migrated(self) -> bool:
        """Whether the database has this version's schema, which `prepare` gives it. Raises StorageUnavailable."""
        with _translated():
            reader = self.raw_reader()
            (has_migrations,) = reader.execute(_HAS_MIGRATIONS).fetchone()
            return bool(has_migrations and reader.execute(_IS_MIGRATED, (NEWEST_MIGRATION,)).fetchone()[0])

    def reader(self) -> Connection:
        """This thread's connection for queries. Every line appended before this call is projected in what it sees.

        It can change nothing, nor checkpoint the write-ahead log. Raises StorageUnavailable.
        """
        connection = self.raw_reader()
        if self.catch_up is not None and not connection.in_transaction and connection.execute(_BEHIND).fetchone()[0]:
            self._wait_for_projection(connection, self.catch_up)
        return connection

    def raw_reader(self) -> Connection:
        """As `reader`, but the newest lines may not be projected: for reading lines, and for projecting them."""
        connection: Connection | None = getattr(self._local, "reader", None)
        if connection is None:
            with _translated():
                connection = self._open(cache=_READER_CACHE)
                connection.execute("PRAGMA query_only = ON")
            self._local.reader = connection
        return connection

    def _wait_for_projection(self, connection: Connection, catch_up: Callable[[], None]) -> None:
        """Give the process that appended the lines a moment to project them; then project them here."""
        (last,) = connection.execute("SELECT max(seq) FROM lines").fetchone()
        deadline = time.monotonic() + _PATIENCE
        while connection.execute("SELECT projected FROM derivation").fetchone()[0] < last:
            if time.monotonic() >= deadline:
                catch_up()
                return
            time.sleep(_POLL)

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """This thread's reader inside one read transaction: every query sees the same state.

        For the few queries of one page; a long read would keep the write-ahead log from being written back.
        """
        connection = self.reader()
        connection.execute("BEGIN")
        try:
            yield connection
        finally:
            connection.rollback()

    @contextmanager
    def writing(self, *, durable: bool = True, wait: bool = True) -> Iterator[Connection]:
        """The write transaction: committed and durable at the end of the block, or rolled back.

        Without `durable` the commit is not flushed: a power cut may undo it, together with all that came after it. Use
        that for what can be derived again. Raises StoreBusy if another writer does not finish within 5 seconds, or,
        without `wait`, at once. Raises StorageUnavailable if the disk or SQLite fails.
        """
        with self._turn(wait=wait):
            is_normal = False
            try:
                writer = self._writer = self._writer or self._open(cache=_WRITER_CACHE)
                if not durable:
                    writer.execute("PRAGMA synchronous = NORMAL")
                    is_normal = True
                writer.execute("BEGIN IMMEDIATE")
                yield writer
                writer.execute("COMMIT")
            except BaseException as error:
                self._roll_back()
                if is_trouble_of_the_disk(error):
                    raise StorageUnavailable(f"the ledger cannot be written: {error}") from error
                raise
            finally:
                if is_normal and self._writer is not None:
                    self._writer.execute("PRAGMA synchronous = FULL")

    @contextmanager
    def alone(self) -> Iterator[Connection]:
        """The writer outside a transaction, while no process writes, for statements that SQLite refuses inside one.

        Raises StorageUnavailable.
        """
        with self._turn(), _translated():
            writer = self._writer = self._writer or self._open(cache=_WRITER_CACHE)
            yield writer

    def never_checkpoint(self) -> None:
        """Let no commit of this process write the write-ahead log back: its `WriteBack` does."""
        with self._writing:  # the file lock is not needed, and another process may hold it
            self._wal_pages = 0
            if self._writer is not None:
                self._writer.execute("PRAGMA wal_autocheckpoint = 0")

    def close(self) -> None:
        """Close this thread's reader and the writer; the last to close writes the write-ahead log back.

        While another writer does not finish, they stay open: the process is about to end, and the next one recovers.
        """
        with self._writing:
            try:
                self._lock()
            except StoreBusy as error:
                logs.warning(_log, "the database was not closed", reason=str(error))
                return
            for connection in (getattr(self._local, "reader", None), self._writer):
                if connection is not None:
                    connection.close()
            self._local.reader = self._writer = None
            if self._write_lock is not None:
                os.close(self._write_lock)
                self._write_lock = None

    def open_for_write_back(self) -> Connection:
        """A connection that only checkpoints."""
        return self._open(cache=_READER_CACHE)

    def _open(self, *, cache: int) -> Connection:
        connection = sqlite3.connect(
            self.path, timeout=10, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",  # an answered commit survives a power cut
            "recursive_triggers = ON",  # otherwise INSERT OR REPLACE deletes without the triggers
            "secure_delete = ON",  # erased data leaves no trace in free pages
            "temp_store = MEMORY",
            "mmap_size = 0",
            f"cache_size = -{cache}",
            f"wal_autocheckpoint = {self._wal_pages}",
        ):
            connection.execute(f"PRAGMA {pragma}")
        return connection

    def _roll_back(self) -> None:
        """End the transaction, which a full disk or a trigger's RAISE(ROLLBACK) may have ended already."""
        if self._writer is not None and self._writer.in_transaction:
            try:
                self._writer.execute("ROLLBACK")
            except sqlite3.Error:  # this connection may be broken; the next one recovers
                self._writer.close()
                self._writer = None

    @contextmanager
    def _turn(self, *, wait: bool = True) -> Iterator[None]:
        """This thread's turn among the writers of all threads and processes."""
        if not self._writing.acquire(timeout=_TURN if wait else 0):
            raise StoreBusy("another thread is writing to the ledger")
        try:
            with _translated():
                self._lock(wait=wait)
            try:
                yield
            finally:
                self._unlock()
        finally:
            self._writing.release()

    def _lock(self, *, wait: bool = True) -> None:
        """Take the file lock that writers of all processes share. Only on local disks, as SQLite's WAL itself."""
        if self._write_lock is None:
            self._write_lock = open_lock(self.directory / "write.lock")
        if not take_lock(self._write_lock, patience=_TURN if wait else 0, pause=_POLL):
            holder = describe_holder(self._write_lock) if wait else None
            raise StoreBusy(f"{holder or 'another process'} is writing to the ledger")

    def _unlock(self) -> None:
        if self._write_lock is not None:
            release_lock(self._write_lock)


class WriteBack:
    """Writes the write-ahead log back into the database, in a thread of its own, so that no answer waits for it.

    Most of the work is done while others write. Only the rest, a few pages, is written back in a turn of its own:
    after it the next transaction begins the log anew. With a SQLite older than 3.51.3 all work is done in such a turn.
    """

    def __init__(self, store: Store, *, every: int) -> None:
        self._store = store
        self._every = every
        self._lines = 0  # appended since the log was written back last
        self._due = threading.Event()
        self._thread = threading.Thread(target=self._run, name="write-back", daemon=True)

    def start(self) -> None:
        """Start the thread; after the fork. It ends with its process."""
        self._store.never_checkpoint()
        self._thread.start()

    def note(self, lines: int) -> None:
        """Count lines that were appended; after `every` of them the log is written back."""
        self._lines += lines
        if self._lines >= self._every:
            self._lines = 0
            self._due.set()

    def _run(self) -> None:
        connection = self._store.open_for_write_back() if sqlite3.sqlite_version_info >= _SAFE_VERSION else None
        # Never closed: that would release the locks which SQLite has on the file in this process.
        database = os.open(self._store.path, os.O_RDONLY | os.O_CLOEXEC)
        while self._due.wait():
            self._due.clear()
            try:
                if connection is not None:
                    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
                    os.fsync(database)  # SQLite flushes only where nothing was written meanwhile
                with self._store.alone() as writer:
                    writer.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            except (StorageUnavailable, sqlite3.Error, OSError) as error:  # the next one tries again
                logs.warning(_log, "the write-ahead log was not written back", reason=str(error))


def is_trouble_of_the_disk(error: BaseException) -> bool:
    """Whether the disk or SQLite failed, rather than our code."""
    if isinstance(error, sqlite3.DatabaseError):
        return not isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError)
    return isinstance(error, OSError)


@contextmanager
def _translated() -> Iterator[None]:
    """Translate failures of the disk or SQLite to StorageUnavailable; a defect of ours passes unchanged."""
    try:
        yield
    except (sqlite3.DatabaseError, OSError) as error:
        if is_trouble_of_the_disk(error):
            raise StorageUnavailable(f"the ledger cannot be opened: {error}") from error
        raise
