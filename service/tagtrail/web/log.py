"""The audit log: every line as a sentence, by day, with the evidence one step away and exports of the same filter."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Final, Literal

from tagtrail.audit.filters import KINDS
from tagtrail.audit.sentences import Clause, occurred
from tagtrail.ledger.line import read_line
from tagtrail.store.answers import Filter, LoggedEntry
from tagtrail.store.questions.entries import find_entries
from tagtrail.trail.instant import SECOND, day_of
from tagtrail.web.choices import find_environment_choices, registry_choices
from tagtrail.web.exports import Exports, make_exports
from tagtrail.web.paging import Paging
from tagtrail.web.visit import Page, Visit

_FILTERS: Final = (
    "registry", "repository", "tag", "digest", "actor", "kind", "environment", "since", "until"
)  # fmt: skip
_LATE: Final = 300 * SECOND  # between an event and its line, from which on it is worth a word

Tone = Literal["violation", "move", "quiet"]


@dataclass(frozen=True, slots=True)
class Told:
    """A line as a sentence; `occurred_at` is by its registry's clock, if it has one, `recorded_at` by ours."""

    seq: int
    kind: str
    occurred_at: int
    recorded_at: int
    tone: Tone
    clauses: tuple[Clause, ...]

    @property
    def was_late(self) -> bool:
        """Whether its registry's word came long after the event."""
        return self.recorded_at - self.occurred_at > _LATE


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
    found = find_entries(visit.db, asked, visit.cut((int,)))
    return Log(
        asked=visit.see(asked),
        days=tuple(group_by_day(tell(visit, found.items))),
        paging=Paging.of(found, visit.parameters),
        exports=make_exports(visit, "entries", has_bundle=True),
        kinds=KINDS,
        environments=find_environment_choices(visit),
        registries=registry_choices(visit),
    )


def tell(visit: Visit, entries: Iterable[LoggedEntry]) -> Iterator[Told]:
    """Each line as a sentence, as far as the visitor may know it."""
    narrator = visit.narrator
    for logged in visit.see(tuple(entries)):
        entry = read_line(logged.line)
        clauses = tuple(narrator.tell(logged))
        yield Told(logged.seq, logged.kind, occurred(entry, logged), logged.received_at, tone_of(logged), clauses)


def tone_of(logged: LoggedEntry) -> Tone:
    """How loudly a line is shown: what moved or published something, above all a violation, before all else."""
    if any(change.violates for change in logged.changes):
        return "violation"
    if logged.changes or logged.environments or logged.kind in ("quarantined", "gap_opened", "erased", "pruned"):
        return "move"
    return "quiet"


def group_by_day(lines: Iterable[Told]) -> Iterator[Day]:
    """Lines in their order under the days that they tell of; a late line's day may thus stand twice."""
    for day, group in groupby(lines, key=lambda told: day_of(told.occurred_at)):
        yield Day(day, tuple(group))


LOG: Final = Page("log", "/log", make_log)
