"""Instants, durations, sizes, counts and untrusted text in words, the same in commands, chat and pages."""

from collections.abc import Iterable
from typing import Final

from tagtrail.trail.instant import format_instant

_UNITS: Final = (("day", "days", 86_400), ("h", "h", 3_600), ("min", "min", 60), ("s", "s", 1))
_MOST_NAMES: Final = 3
_SIZES: Final = (("GB", 10**9), ("MB", 10**6), ("kB", 10**3))


def span(seconds: float) -> str:
    """A duration by its two largest units: `3 days 4 h`, `12 min 5 s`, `0 s`."""
    left, parts = int(seconds), list[str]()
    for one, many, length in _UNITS:
        count, left = divmod(left, length)
        if count and len(parts) < 2:
            parts.append(f"{count} {one if count == 1 else many}")
        elif parts:
            break
    return " ".join(parts) or "0 s"


def size(octets: int) -> str:
    """A size in decimal units, as container tools show it: `1.2 MB`."""
    for unit, length in _SIZES:
        if octets >= length:
            return f"{octets / length:.1f} {unit}"
    return f"{octets} bytes"


def counted(number: int, one: str, many: str) -> str:
    """A number with its noun: `1 line`, `2 lines`."""
    return f"{number} {one if number == 1 else many}"


def visible(text: str) -> str:
    """Text from outside (actors, tags, notes, reasons) as one harmless line.

    Characters that are not printable become escapes: control characters, and so every ANSI or OSC sequence; line
    separators; invisible characters, including those that reverse the direction of writing (Unicode's TR 36).
    """
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else _escape(letter) for letter in text)


def _escape(letter: str) -> str:
    number = ord(letter)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def listed(names: Iterable[str], *, most: int | None = _MOST_NAMES, more: int = 0) -> str:
    """Names with commas, the rest counted: `1.0.0, 1.0, sha-5208e61 and 4 more`; `more` others are only counted."""
    known = list(names)
    shown = known if most is None else known[:most]
    left_out = len(known) - len(shown) + more
    return ", ".join(visible(name) for name in shown) + (f" and {left_out} more" if left_out else "")


def format_optional(instant: int | None) -> str | None:
    """An instant in RFC 3339, if there is one."""
    return None if instant is None else format_instant(instant)
