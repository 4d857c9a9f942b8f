"""Locks between processes: a file in the data directory, locked by one process at a time.

The operating system releases a lock when its holder ends, even after a crash. Local disks only, as for SQLite's WAL.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_PAUSE: Final = 0.1  # seconds between two attempts


@contextmanager
def hold_lock(
    path: Path, *, patience: float | None = None, must_stop: Callable[[], bool] = lambda: False
) -> Iterator[bool]:
    """Hold the lock of the file during the block; yields whether it was taken. Raises OSError.

    Waits up to `patience` seconds for the lock, and without end for None. With a patience the wait also ends when
    `must_stop` returns true. Processes that are forked during the block hold the lock until they end.
    """
    lock = open_lock(path)
    try:
        yield take_lock(lock, patience=patience, must_stop=must_stop)
    finally:
        os.close(lock)


def open_lock(path: Path) -> int:
    """A descriptor of the lock file, which is made if it is missing. Raises OSError."""
    return os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)


def take_lock(
    lock: int,
    *,
    patience: float | None = None,
    pause: float = _PAUSE,
    must_stop: Callable[[], bool] = lambda: False,
) -> bool:
    """Lock the open file; waits as `hold_lock` does, `pause` seconds between two attempts.

    Returns whether the lock was taken. Raises OSError.
    """
    if patience is None:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return True
    until = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if must_stop() or time.monotonic() >= until:
                return False
            time.sleep(pause)
        else:
            return True


def release_lock(lock: int) -> None:
    """Unlock the open file, which stays open."""
    fcntl.flock(lock, fcntl.LOCK_UN)


def describe_holder(lock: int) -> str | None:
    """The process that locked the open file, as `process 42 (flock)`; None where Linux does not say (proc_locks(5))."""
    found = os.fstat(lock)
    file = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    try:
        for line in Path("/proc/locks").read_text().splitlines():
            fields = line.split()
            if fields[1:2] == ["FLOCK"] and fields[5:6] == [file]:
                return f"process {fields[4]} ({Path('/proc', fields[4], 'comm').read_text().strip()})"
    except OSError:
        return None
    return None
