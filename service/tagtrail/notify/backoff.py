"""How long to wait before another try: exponential backoff with full jitter, or as long as the other side asks for."""

from collections.abc import Callable
from typing import Final

FIRST: Final = 5.0  # seconds that the first wait lasts at most
LONGEST: Final = 600.0  # seconds that any wait lasts at most
LONGEST_ASKED: Final = 3_600.0  # seconds that the other side may ask for


def wait_after(failures: int, *, random: Callable[[], float], retry_after: float | None = None) -> float:
    """Seconds to wait after so many failures (1 or more) in a row.

    `random` gives a number from 0 to 1: with full jitter the many who failed together do not come back together
    (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/). `retry_after` is what the other side
    asked for; it may make the wait longer, never shorter.
    """
    most = min(LONGEST, FIRST * 2.0 ** min(failures - 1, 30))
    return max(random() * most, min(retry_after or 0.0, LONGEST_ASKED))
