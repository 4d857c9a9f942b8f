"""The database file: how it is opened, read by many threads, and written by one process at a time.

Each reading thread keeps its own connection, opened at its first query. Each process keeps one connection for writing.
Writers of several processes take turns by a file lock held around the whole transaction, COMMIT included: SQLite's own
busy handler sleeps and starves, and versions before 3.51.3 can damage the write-ahead log when two connections write or
checkpoint at once (https://www.sqlite.org/wal.html#walresetbug).
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tagtrail.errors import StorageUnavailable
from tagtrail.locks import open_lock, release_lock, take_lock

if TYPE_CHECKING:
    import sqlite3 as sqlite3  # noqa: PLC0414 - other files of this folder take it from here
else:
    try:
        import pysqlite3 as sqlite3  # includes its own SQLite, newer than the system's; sqlite-utils uses it too
    except ImportError:
        import sqlite3

Connection = sqlite3.Connection
DATABASE_NAME = "tagtrail.db"

_WRITER_CACHE = 8_192  # KiB of cached pages per writer
_READER_CACHE = 2_048  # KiB of cached pages per reading thread; the system caches the rest
_WAL_PAGES = 4_000  # of 4 KiB: written back at 16 MiB; a log that is overwritten is flushed faster than one that grows


class Store:
    """The database in a data directory. Opening costs nothing; connections open at first use, after any fork."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.path = directory / DATABASE_NAME
        self._local = threading.local()
        self._writer: Connection | None = None
        self._write_lock: int | None = None
        self._writing = threading.Lock()

    def prepare(self) -> None:
        """Create the directory and the database if they are missing, and migrate the schema.

        Call it once, before workers fork. Raises StorageUnavailable.
        """
        import sqlite_utils  # noqa: PLC0415 - commands that only read start faster without it

        from tagtrail.store.migrations import migrations  # noqa: PLC0415

        with _translated():
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
            try:
                self._lock()
                self._writer = self._open(cache=_WRITER_CACHE)
                migrations.apply(sqlite_utils.Database(self._writer))
            finally:
                self.close()  # no open file may be inherited: all heirs would share a file lock

    def reader(self) -> Connection:
        """This thread's connection for queries; it cannot write or checkpoint the write-ahead log."""
        connection: Connection | None = getattr(self._local, "reader", None)
        if connection is None:
            with _translated():
                connection = self._open(cache=_READER_CACHE)
                connection.execute("PRAGMA query_only = ON")
            self._local.reader = connection
        return connection

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
    def writing(self) -> Iterator[Connection]:
        """The write transaction: committed and durable at the end of the block, or rolled back.

        Raises StorageUnavailable if the disk or SQLite fails.
        """
        with self._writing:
            try:
                self._lock()
                writer = self._writer = self._writer or self._open(cache=_WRITER_CACHE)
                writer.execute("BEGIN IMMEDIATE")
                yield writer
                writer.execute("COMMIT")
            except BaseException as error:
                self._roll_back()
                if is_trouble_of_the_disk(error):
                    raise StorageUnavailable(f"the ledger cannot be written: {error}") from error
                raise
            finally:
                self._unlock()

    @contextmanager
    def alone(self) -> Iterator[Connection]:
        """The writer outside a transaction, while no process writes, for statements that SQLite refuses inside one.

        Raises StorageUnavailable.
        """
        with self._writing, _translated():
            try:
                self._lock()
                writer = self._writer = self._writer or self._open(cache=_WRITER_CACHE)
                yield writer
            finally:
                self._unlock()

    def close(self) -> None:
        """Close this thread's reader and the writer; the last to close writes the write-ahead log back."""
        with self._writing:
            self._lock()
            for connection in (getattr(self._local, "reader", None), self._writer):
                if connection is not None:
                    connection.close()
            self._local.reader = self._writer = None
            if self._write_lock is not None:
                os.close(self._write_lock)
                self._write_lock = None

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
            f"wal_autocheckpoint = {_WAL_PAGES}",
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

    def _lock(self) -> None:
        """Take the file lock that writers of all processes share. Only on local disks, as SQLite's WAL itself."""
        if self._write_lock is None:
            self._write_lock = open_lock(self.directory / "write.lock")
        take_lock(self._write_lock)

    def _unlock(self) -> None:
        if self._write_lock is not None:
            release_lock(self._write_lock)


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
