"""How single values are shown to a person at a terminal: text from outside, local times, durations, sizes."""

import calendar
from collections.abc import Iterable
from datetime import UTC, datetime

from tagtrail.trail.instant import SECOND
from tagtrail.trail.words import counted, size, span

__all__ = ("counted", "listed", "local_time", "size", "span", "visible", "weekday")

_MOST_NAMES = 3


def visible(text: str) -> str:
    """Text from outside (actors, tags, notes, reasons) as one line that can do nothing to a terminal.

    Whatever is not printable is shown as an escape: control characters, and so every ANSI or OSC sequence; line
    separators; and invisible ones, among them those that reverse the direction of writing (Unicode's TR 36).
    """
    return "".join(letter if letter.isprintable() else _escape(letter) for letter in text)


def _escape(letter: str) -> str:
    number = ord(letter)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


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
