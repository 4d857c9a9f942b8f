"""How numbers are said to people, on the command line and in chat alike: durations, sizes, counts."""

from typing import Final

_UNITS: Final = (("day", "days", 86_400), ("h", "h", 3_600), ("min", "min", 60), ("s", "s", 1))
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
