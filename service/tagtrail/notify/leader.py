"""Whose turn it is to dispatch: of the processes that could, the one that holds a lock in the data directory."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

DISPATCH_LOCK: Final = "dispatch.lock"
_PAUSE: Final = 0.1  # seconds between two tries


@contextmanager
def leader_lock(data: Path, *, patience: float = 0.0, must_stop: Callable[[], bool] = lambda: False) -> Iterator[bool]:
    """Whether it is this process's turn, for the length of the block; waits `patience` seconds for it to come.

    It waits no longer once it `must_stop`. The lock ends with the process that holds it, however that ends. Raises
    OSError.
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
    """Whether no process dispatches at the moment; found out by a try, which another's has to outlast."""
    with leader_lock(data) as is_ours:
        return is_ours
