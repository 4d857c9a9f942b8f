"""A consistent copy of the database while the service goes on recording."""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkstemp

from tagtrail.errors import Refused, StorageUnavailable
from tagtrail.store.database import DATABASE_NAME, Store, sqlite3
from tagtrail.store.lines import get_size

_UNFINISHED = ".unfinished"


@dataclass(frozen=True, slots=True)
class Copy:
    """A finished copy: the newest line that it holds (-1: none), and its size in bytes."""

    path: Path
    last_seq: int
    size: int


def back_up(store: Store, directory: Path) -> Copy:
    """Copy the present state of the database into the directory, including everything acknowledged before.

    All pages are copied within one read transaction, which sees one state and blocks no writer; only the write-ahead
    log grows meanwhile. The copy gets its name after it was checked and is durable. Until then it has an unpredictable
    name, which no other backup shares. Raises Refused if a copy exists, and StorageUnavailable.
    """
    target = directory / DATABASE_NAME
    if target.exists():
        raise Refused(f"{target} is there already; name another directory, or move it away")
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _named_anew(directory) as unfinished:
            last_seq = _copy(store, unfinished)
            _make_durable(unfinished)
            unfinished.rename(target)
        _make_durable(directory)
    except (OSError, sqlite3.DatabaseError) as error:
        raise StorageUnavailable(f"the copy in {directory} could not be made: {error}") from error
    return Copy(target, last_seq, target.stat().st_size)


@contextmanager
def _named_anew(directory: Path) -> Iterator[Path]:
    """An empty file for its owner only, which is removed afterwards unless it was renamed."""
    descriptor, name = mkstemp(_UNFINISHED, f"{DATABASE_NAME}.", directory)
    os.close(descriptor)
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def _copy(store: Store, path: Path) -> int:
    """Copy all pages and check them; returns the newest line's number."""
    with closing(sqlite3.connect(path, isolation_level=None)) as copy:
        store.reader().backup(copy, pages=-1)
        # The copy is one file; the service turns on write-ahead logging again when it opens it.
        copy.execute("PRAGMA journal_mode = DELETE")
        trouble = [row[0] for row in copy.execute("PRAGMA quick_check(3)")]
        if trouble != ["ok"]:
            raise sqlite3.DatabaseError(f"it is damaged, and so may be the database: {'; '.join(trouble)}")
        return get_size(copy) - 1  # of any schema: a backup is made before an upgrade


def _make_durable(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
