"""Values on a page: times (in UTC until a script converts them to the reader's zone), durations, short digests."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup

from tagtrail.trail.instant import SECOND, format_instant
from tagtrail.trail.names import short_digest
from tagtrail.wording.clauses import MOVE_WORDS
from tagtrail.wording.text import counted, listed, size, span, visible

_NOW = 10 * SECOND  # a shorter distance is "just now"


@dataclass(frozen=True, slots=True)
class Times:
    """Renders instants relative to `now`."""

    now: int

    def when(self, instant: int) -> Markup:
        """An instant, absolute and relative. Without a script it is UTC; with one, the reader's zone, UTC on hover."""
        text = f'<span class="absolute">{in_utc(instant)}</span> {self._relative(instant)}'
        return _time(instant, text, digits=6)

    def ago(self, instant: int) -> Markup:
        """An instant as a relative time, the absolute one on hover."""
        return _time(instant, self._relative(instant))

    def at(self, instant: int) -> Markup:
        """An instant, absolute only."""
        return _time(instant, f'<span class="absolute">{in_utc(instant)}</span>', digits=6)

    def lasted(self, since: int, until: int | None) -> str:
        """The time from `since` to `until`, or to now: `3 days 4 h`."""
        return span(max(0, (self.now if until is None else until) - since) / SECOND)

    def _relative(self, instant: int) -> str:
        """How long ago: `3 days ago`, `just now`, `in 5 min`."""
        passed = self.now - instant
        largest = _largest(span(abs(passed) / SECOND))
        text = "just now" if abs(passed) < _NOW else f"{largest} ago" if passed > 0 else f"in {largest}"
        return f'<span class="relative">{text}</span>'


def _time(instant: int, text: str, *, digits: int = 0) -> Markup:
    """The `<time>` element. It holds only digits and our own words, so it needs no escaping."""
    title = in_utc(instant, digits=digits)
    return Markup(f'<time datetime="{format_instant(instant)}" title="{title}">{text}</time>')  # noqa: S704


def in_utc(instant: int, *, digits: int = 0) -> str:
    """An instant for people: `2026-04-20 14:03:12 UTC`."""
    text = format_instant(instant, digits)
    return f"{text[:10]} {text[11:-1]} UTC"


def _largest(duration: str) -> str:
    """The larger of a duration's two units."""
    return " ".join(duration.split(" ")[:2])


def visible_lines(text: str) -> str:
    """Text from outside with each of its lines made visible."""
    return "\n".join(visible(line) for line in text.splitlines())


FILTERS: Final[dict[str, Callable[..., Any]]] = {
    "counted": counted,
    "in_utc": in_utc,
    "iso": format_instant,
    "listed": listed,
    "move_word": MOVE_WORDS.__getitem__,
    "short": short_digest,
    "size": size,
    "visible": visible,
    "visible_lines": visible_lines,
}
