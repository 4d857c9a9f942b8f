"""Times and durations as documents show them."""

from tagtrail.trail.instant import SECOND, format_instant


def format_optional(instant: int | None) -> str | None:
    """An instant in RFC 3339, if there is one."""
    return None if instant is None else format_instant(instant)


def seconds_between(since: int, until: int | None) -> float | None:
    """The duration in seconds, to the millisecond; None while it lasts."""
    return None if until is None else round((until - since) / SECOND, 3)
