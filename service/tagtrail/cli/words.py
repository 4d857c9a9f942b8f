"""How single values are shown to a person at a terminal: text from outside, local times, durations, sizes."""

import calendar
from collections.abc import Iterable
from datetime import UTC, datetime

from tagtrail.trail.instant import SECOND
from tagtrail.trail.words import counted, size, span, visible

__all__ = ("counted", "listed", "local_time", "size", "span", "visible", "weekday")

_MOST_NAMES = 3


def local_time(instant: int) -> str:
    """An instant as local time with its offset: `2026-04-20 14:03:12 +02:00`."""
    text = _local(instant).isoformat(" ", "seconds")
    return f"{text[:19]} {text[19:25]}"


def _local(instant: int) -> datetime:
    return datetime.fromtimestamp(instant // SECOND, UTC).astimezone()


def listed(names: Iterable[str], *, most: int | None = _MOST_NAMES) -> str:
    """Names with commas between them, the rest counted: `1.0.0, 1.0, sha-5208e61 and 4 more`."""
    known = list(names)
    shown = known if most is None else known[:most]
    rest = f" and {len(known) - len(shown)} more" if len(known) > len(shown) else ""
    return ", ".join(visible(name) for name in shown) + rest


def weekday(instant: int) -> str:
    """The local day of the week: `Tuesday`."""
    return calendar.day_name[_local(instant).weekday()]
