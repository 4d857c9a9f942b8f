"""The audit log: every line as a sentence, by day, with filters and the exports of the filtered list."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from tagtrail.store.entries import find_entries
from tagtrail.store.filters import KINDS
from tagtrail.store.query import Filter
from tagtrail.trail.instant import day_of
from tagtrail.web.context import PageContext, WebPage
from tagtrail.web.filters import Exports, find_environment_choices, find_registry_choices, make_exports
from tagtrail.web.line_text import ShownLine, show_lines
from tagtrail.web.paging import Paging

_FILTERS: Final = (
    "registry", "repository", "tag", "digest", "actor", "kind", "environment", "since", "until"
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Day:
    """Consecutive lines of the same UTC day."""

    day: str
    lines: tuple[ShownLine, ...]


@dataclass(frozen=True, slots=True)
class LogView:
    """One page of the log, newest line first."""

    filters: Filter
    days: tuple[Day, ...]
    paging: Paging
    exports: Exports
    kinds: tuple[str, ...]
    environments: tuple[str, ...]
    registries: tuple[str, ...]

    @property
    def lines(self) -> tuple[ShownLine, ...]:
        """All lines of the page."""
        return tuple(line for day in self.days for line in day.lines)


def make_log(context: PageContext) -> LogView:
    """The lines that match the query."""
    filters = context.filter(*_FILTERS)
    found = find_entries(context.db, context.query(filters, (int,)))
    return LogView(
        filters=context.redact(filters),
        days=tuple(_group_by_day(show_lines(context, found.items))),
        paging=Paging.of(found, context.parameters),
        exports=make_exports(context, "entries", has_bundle=True),
        kinds=KINDS,
        environments=find_environment_choices(context),
        registries=find_registry_choices(context),
    )


def _group_by_day(lines: Iterable[ShownLine]) -> Iterator[Day]:
    """Lines in their order, grouped by the day of their event; after a late line a day may appear twice."""
    for day, group in groupby(lines, key=lambda line: day_of(line.occurred_at)):
        yield Day(day, tuple(group))


LOG: Final = WebPage("log", "/log", make_log)
