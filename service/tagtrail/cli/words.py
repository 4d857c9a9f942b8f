"""How single values are shown to a person at a terminal: as everywhere, and times as local ones."""

import calendar
from datetime import UTC, datetime

from tagtrail.trail.instant import SECOND
from tagtrail.wording.text import counted, listed, size, span, visible

__all__ = ("counted", "listed", "local_time", "size", "span", "visible", "weekday")


def local_time(instant: int) -> str:
    """An instant as local time with its offset: `2026-04-20 14:03:12 +02:00`."""
    text = _local(instant).isoformat(" ", "seconds")
    return f"{text[:19]} {text[19:25]}"


def _local(instant: int) -> datetime:
    return datetime.fromtimestamp(instant // SECOND, UTC).astimezone()


def weekday(instant: int) -> str:
    """The local day of the week: `Tuesday`."""
    return calendar.day_name[_local(instant).weekday()]
