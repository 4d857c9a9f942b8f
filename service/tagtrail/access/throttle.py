"""Limits failed authentications per address, which slows guessing of tokens and protects the log, and counts them."""

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
from tagtrail.store.registries import add_refusals
from tagtrail.trail.instant import format_instant, now

MOST: Final = 10  # failures of one address within WINDOW
WINDOW: Final = 60.0  # seconds
REMEMBERED: Final = 10_000  # addresses; beyond it, the one with the oldest failure is forgotten

_NETWORK = 64  # bits of an IPv6 address: an attacker usually has the whole network
_log = logging.getLogger(__name__)


class TooManyRefusals(TagtrailError):
    """This address failed too often (HTTP 429); `retry_after` in seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"too many requests without a valid token; try again in {retry_after} seconds")
        self.retry_after = retry_after


class Throttle:
    """Remembers when each address failed, in bounded memory; each process has its own."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._refused: OrderedDict[str, list[float]] = OrderedDict()
        self._lock = threading.Lock()

    def check(self, address: str) -> None:
        """Raises TooManyRefusals for an address that failed MOST times within WINDOW."""
        with self._lock:
            refused = self._refused.get(_bucket(address), [])
            left = refused[-MOST] + WINDOW - self._monotonic() if len(refused) >= MOST else 0.0
        if left > 0:
            raise TooManyRefusals(ceil(left))

    def note(self, address: str) -> None:
        """Remember and log a failure of the address."""
        with self._lock:
            refused = self._refused.setdefault(bucket := _bucket(address), [])
            refused.append(self._monotonic())
            del refused[:-MOST]
            self._refused.move_to_end(bucket)
            if len(self._refused) > REMEMBERED:
                self._refused.popitem(last=False)
        logs.warning(_log, "a request without a valid token was refused", address=address)


def _bucket(address: str) -> str:
    parsed = parse_address(address)
    if isinstance(parsed, IPv6Address):
        return str(ip_network((parsed, _NETWORK), strict=False))
    return str(parsed)


# Counts failed authentications and writes the counts rarely, so that clients without a token cannot cause more writes.


Door = Literal["api", "events"]
SELDOM: Final = 60.0  # seconds between a failure and writing all counts since


def _later(flush: Callable[[], None]) -> None:
    """Call it after SELDOM seconds, in a daemon thread."""
    timer = threading.Timer(SELDOM, flush)
    timer.daemon = True
    timer.start()


class Refusals:
    """The counts of failed authentications in one process. No answer waits for them or depends on them.

    The counts of the last minute before a process ends are lost.
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
        """Count a failed authentication at that entrance (`api` or `events`)."""
        with self._lock:
            self._counted[format_instant(self._clock())[:10], door] += 1
            is_first, self._is_due = not self._is_due, True
        if is_first:
            self._later(self.flush)

    def flush(self) -> None:
        """Write the counts; counts that cannot be written now wait for the next time."""
        with self._lock:
            counted, self._counted, self._is_due = self._counted, Counter(), False
        try:
            with self._store.writing() as tx:
                add_refusals(tx, counted)
        except StorageUnavailable:
            with self._lock:
                self._counted.update(counted)
