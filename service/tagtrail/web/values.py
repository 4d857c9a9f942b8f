"""How values stand on a page: times in UTC that a script turns into the reader's own, durations, short digests."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup

from tagtrail.trail.instant import SECOND, format_instant
from tagtrail.trail.names import short_digest
from tagtrail.wording.clauses import MOVE_WORDS
from tagtrail.wording.text import counted, listed, size, span, visible

_NOW = 10 * SECOND  # what lies no further from now


@dataclass(frozen=True, slots=True)
class Times:
    """Instants as they are shown at the instant `now`."""

    now: int

    def when(self, instant: int) -> Markup:
        """An instant, absolute and relative. Without a script it is UTC; with one, the reader's zone, UTC on hover."""
        said = f'<span class="absolute">{in_utc(instant)}</span> {self._relative(instant)}'
        return _time(instant, said, digits=6)

    def ago(self, instant: int) -> Markup:
        """An instant by how long ago it was, the rest on hover."""
        return _time(instant, self._relative(instant))

    def at(self, instant: int) -> Markup:
        """An instant, absolute only."""
        return _time(instant, f'<span class="absolute">{in_utc(instant)}</span>', digits=6)

    def lasted(self, since: int, until: int | None) -> str:
        """How long something stood, or has stood until now: `3 days 4 h`."""
        return span(max(0, (self.now if until is None else until) - since) / SECOND)

    def _relative(self, instant: int) -> str:
        """How long ago: `3 days ago`, `just now`, `in 5 min`."""
        passed = self.now - instant
        largest = _largest(span(abs(passed) / SECOND))
        said = "just now" if abs(passed) < _NOW else f"{largest} ago" if passed > 0 else f"in {largest}"
        return f'<span class="relative">{said}</span>'


def _time(instant: int, said: str, *, digits: int = 0) -> Markup:
    """The element; nothing in it but digits, signs and our own words, so that nothing needs escaping."""
    title = in_utc(instant, digits=digits)
    return Markup(f'<time datetime="{format_instant(instant)}" title="{title}">{said}</time>')  # noqa: S704


def in_utc(instant: int, *, digits: int = 0) -> str:
    """An instant for people: `2026-04-20 14:03:12 UTC`."""
    text = format_instant(instant, digits)
    return f"{text[:10]} {text[11:-1]} UTC"


def _largest(said: str) -> str:
    """The larger of a duration's two units."""
    return " ".join(said.split(" ")[:2])


def visible_lines(text: str) -> str:
    """Text of several lines from outside, each made visible."""
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
