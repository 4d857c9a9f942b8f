"""Limit and count failed authentications: a limit per address in memory, and daily totals in the database."""

import logging
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_network
from math import ceil
from typing import Final, Literal

from tagtrail import logs
from tagtrail.access.scopes import parse_address
from tagtrail.errors import StorageUnavailable, TagtrailError
from tagtrail.store.database import Store
from tagtrail.store.registries import add_failed_authentications
from tagtrail.trail.instant import format_instant, now

MOST: Final = 10  # failures of one address within WINDOW
WINDOW: Final = 60.0  # seconds
REMEMBERED: Final = 10_000  # addresses; beyond it, the address whose last failure is oldest is forgotten

FLUSH_AFTER: Final = 60.0  # seconds from a failure to the write of all failures counted since

Door = Literal["api", "events"]

_NETWORK = 64  # bits of an IPv6 address: one customer usually controls the whole network
_log = logging.getLogger(__name__)


class TooManyFailures(TagtrailError):
    """This address failed to authenticate too often (HTTP 429); `retry_after` in seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"too many requests without a valid token; try again in {retry_after} seconds")
        self.retry_after = retry_after


class Throttle:
    """Remembers the recent failures of each address, in bounded memory, for one process."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._failures: OrderedDict[str, list[float]] = OrderedDict()
        self._lock = threading.Lock()

    def check(self, address: str) -> None:
        """Raises TooManyFailures for an address with MOST failures within WINDOW."""
        with self._lock:
            failures = self._failures.get(_bucket(address), [])
            left = failures[-MOST] + WINDOW - self._monotonic() if len(failures) >= MOST else 0.0
        if left > 0:
            raise TooManyFailures(ceil(left))

    def record(self, address: str) -> None:
        """Remember and log a failure of the address, now."""
        with self._lock:
            failures = self._failures.setdefault(bucket := _bucket(address), [])
            failures.append(self._monotonic())
            del failures[:-MOST]
            self._failures.move_to_end(bucket)
            if len(self._failures) > REMEMBERED:
                self._failures.popitem(last=False)
        logs.warning(_log, "a request without a valid token was refused", address=address)


def _bucket(address: str) -> str:
    parsed = parse_address(address)
    if isinstance(parsed, IPv6Address):
        return str(ip_network((parsed, _NETWORK), strict=False))
    return str(parsed)


def _later(flush: Callable[[], None]) -> None:
    """Call `flush` after FLUSH_AFTER seconds, in a daemon thread."""
    timer = threading.Timer(FLUSH_AFTER, flush)
    timer.daemon = True
    timer.start()


class FailedAuthentications:
    """Counts the failed authentications of one process and writes the totals at most once a minute.

    Counting never delays an answer. Writing seldom keeps a caller without a token from causing many writes. The counts
    of the last minute before a process ends are lost.
    """

    def __init__(
        self,
        store: Store,
        *,
        clock: Callable[[], int] = now,
        later: Callable[[Callable[[], None]], None] | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._later = later or _later
        self._lock = threading.Lock()
        self._counted: Counter[tuple[str, str]] = Counter()
        self._is_due = False

    def count(self, door: Door) -> None:
        """Count a failed authentication at that door."""
        with self._lock:
            self._counted[format_instant(self._clock())[:10], door] += 1
            is_first, self._is_due = not self._is_due, True
        if is_first:
            self._later(self.flush)

    def flush(self) -> None:
        """Write the counts; counts that cannot be written now wait for the next flush."""
        with self._lock:
            counted, self._counted, self._is_due = self._counted, Counter(), False
        try:
            with self._store.writing() as tx:
                add_failed_authentications(tx, counted)
        except StorageUnavailable:
            with self._lock:
                self._counted.update(counted)
