"""The audit log: every line as a sentence, by day, with the evidence one step away and exports of the same filter."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from tagtrail.store.entries import find_entries
from tagtrail.store.filters import KINDS
from tagtrail.store.query import Filter
from tagtrail.trail.instant import day_of
from tagtrail.web.context import Page, Visit
from tagtrail.web.filters import Exports, find_environment_choices, make_exports, registry_choices
from tagtrail.web.line_text import Told, tell
from tagtrail.web.paging import Paging

_FILTERS: Final = (
    "registry", "repository", "tag", "digest", "actor", "kind", "environment", "since", "until"
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Day:
    """Lines that follow each other and tell of the same UTC day."""

    day: str
    lines: tuple[Told, ...]


@dataclass(frozen=True, slots=True)
class Log:
    """A part of the log, newest line first."""

    asked: Filter
    days: tuple[Day, ...]
    paging: Paging
    exports: Exports
    kinds: tuple[str, ...]
    environments: tuple[str, ...]
    registries: tuple[str, ...]

    @property
    def lines(self) -> tuple[Told, ...]:
        """All lines of the part."""
        return tuple(told for day in self.days for told in day.lines)


def make_log(visit: Visit) -> Log:
    """The lines that the query asks for."""
    asked = visit.filter(*_FILTERS)
    found = find_entries(visit.db, visit.query(asked, (int,)))
    return Log(
        asked=visit.see(asked),
        days=tuple(_group_by_day(tell(visit, found.items))),
        paging=Paging.of(found, visit.parameters),
        exports=make_exports(visit, "entries", has_bundle=True),
        kinds=KINDS,
        environments=find_environment_choices(visit),
        registries=registry_choices(visit),
    )


def _group_by_day(lines: Iterable[Told]) -> Iterator[Day]:
    """Lines in their order under the days that they tell of; a late line's day may thus stand twice."""
    for day, group in groupby(lines, key=lambda told: day_of(told.occurred_at)):
        yield Day(day, tuple(group))


LOG: Final = Page("log", "/log", make_log)
