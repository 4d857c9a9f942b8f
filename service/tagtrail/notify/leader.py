"""The leader lock: of the processes that could dispatch, the one that holds a lock in the data directory does."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

DISPATCH_LOCK: Final = "dispatch.lock"
_PAUSE: Final = 0.1  # seconds between two attempts


@contextmanager
def leader_lock(data: Path, *, patience: float = 0.0, must_stop: Callable[[], bool] = lambda: False) -> Iterator[bool]:
    """Try to take the lock for the block; yields whether this process is the leader.

    Waits up to `patience` seconds for the lock, but not once `must_stop` returns true. The operating system releases
    the lock when its process ends, even after a crash. Raises OSError.
    """
    lock = os.open(data / DISPATCH_LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        yield _take(lock, time.monotonic() + patience, must_stop)
    finally:
        os.close(lock)


def _take(lock: int, until: float, must_stop: Callable[[], bool]) -> bool:
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if must_stop() or time.monotonic() >= until:
                return False
            time.sleep(_PAUSE)
        else:
            return True


def has_no_leader(data: Path) -> bool:
    """Whether no process dispatches now. The check holds the lock for a moment; a new leader has to wait for that."""
    with leader_lock(data) as is_leader:
        return is_leader
