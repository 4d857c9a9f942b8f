"""How one value is written for a person: times as local ones, parts of a sentence in their colours."""

import calendar
from datetime import UTC, datetime
from typing import Final
from unicodedata import combining, east_asian_width

from tagtrail.trail.instant import SECOND, now
from tagtrail.wording.text import span, visible

StyledText = tuple[str, str]  # a text, and the style that a terminal shows it in
CellContent = str | StyledText | list[StyledText]

STYLES: Final = {
    "image": "bold",
    "created": "green",
    "moved": "yellow",
    "moved_back": "cyan",
    "deleted": "red",
    "published": "blue",
    "violation": "bold red",
    "quarantined": "magenta",
    "tied": "cyan",
    "assurance": "dim",
    "first": "green",
    "forward": "green",
    "back": "cyan",
    "again": "dim",
    "warning": "yellow",
    "withdrawn": "red",
}


def styled_parts(cell: CellContent) -> list[StyledText]:
    """The texts of a cell with their styles, control characters escaped."""
    parts = [(cell, "")] if isinstance(cell, str) else [cell] if isinstance(cell, tuple) else cell
    return [(visible(text), style) for text, style in parts]


def plain(cell: CellContent) -> str:
    """The text of a cell without styles, control characters escaped."""
    return "".join(text for text, _ in styled_parts(cell))


def text_width(text: str) -> int:
    """The columns that a terminal shows the text in: East Asian letters take two."""
    if text.isascii():
        return len(text)
    return sum(0 if combining(letter) else 2 if east_asian_width(letter) in "WF" else 1 for letter in text)


def local_time(instant: int | None, *, missing: str = "") -> str:
    """An instant as local time with its offset, `2026-04-20 14:03:12 +02:00`; `missing` where there is none."""
    if instant is None:
        return missing
    text = _local(instant).isoformat(" ", "seconds")
    return f"{text[:19]} {text[19:25]}"


def weekday(instant: int) -> str:
    """The local day of the week: `Tuesday`."""
    return calendar.day_name[_local(instant).weekday()]


def duration(since: int, until: int | None) -> str:
    """How long an interval lasted, or lasts until now."""
    return span(((now() if until is None else until) - since) / SECOND)


def _local(instant: int) -> datetime:
    return datetime.fromtimestamp(instant // SECOND, UTC).astimezone()
