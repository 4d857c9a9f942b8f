"""The leader lock: of the processes that could dispatch, the one that holds a lock in the data directory does."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tagtrail.locks import hold_lock

DISPATCH_LOCK: Final = "dispatch.lock"


@contextmanager
def leader_lock(data: Path, *, patience: float = 0.0, must_stop: Callable[[], bool] = lambda: False) -> Iterator[bool]:
    """Try to take the lock for the block; yields whether this process is the leader.

    Waits up to `patience` seconds for the lock, but not once `must_stop` returns true. The operating system releases
    the lock when its process ends, even after a crash. Raises OSError.
    """
    with hold_lock(data / DISPATCH_LOCK, patience=patience, must_stop=must_stop) as is_leader:
        yield is_leader


def has_no_leader(data: Path) -> bool:
    """Whether no process dispatches now. The check holds the lock for a moment; a new leader has to wait for that."""
    with leader_lock(data) as is_leader:
        return is_leader
