"""One question on its way: the ledger it is put to, what it asks for, and where its answer goes."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, TypeVar

import msgspec

from tagtrail.cli.place import Trail
from tagtrail.cli.screen import Screen
from tagtrail.cli.table import Column
from tagtrail.errors import NotRecorded
from tagtrail.store.database import Connection
from tagtrail.store.query import Filter, Page, Query

T = TypeVar("T")
Find = Callable[[Connection, Query], Page[T]]
Describe = Callable[[T], msgspec.Struct]


ON_A_TERMINAL = 50  # rows shown to a person who gave no limit
_PAGE = 500  # rows read at once, so that no read transaction lasts long


@dataclass(frozen=True, slots=True)
class Nothing:
    """What to say of an empty list; `is_unknown` if it means that the trail does not know what was named."""

    sentence: str
    is_unknown: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked, and of what. `limit` is None where none was given."""

    trail: Trail
    filter: Filter
    limit: int | None
    as_json: bool
    screen: Screen

    @property
    def most(self) -> int | None:
        """How many rows are shown: all of them (None) to a program, unless it asked for fewer."""
        return self.limit or (ON_A_TERMINAL if self.screen.is_terminal and not self.as_json else None)

    def about(self, **changes: Any) -> "Asked":
        """The same question with another filter."""
        return replace(self, filter=replace(self.filter, **changes))

    def each(self, find: Find[T], *, at: int | None = None) -> Iterator[T]:
        """All rows of the list, each page in a read transaction of its own."""
        query = Query(self.trail.rules, self.filter, limit=_PAGE, at=at)
        while True:
            with self.trail.store.snapshot() as db:
                page = find(db, query)
            yield from page.items
            if page.after is None:
                return
            query = replace(query, after=page.after)

    def answer(
        self, rows: Iterator[T], columns: Sequence[Column[T]], describe: Describe[T], *, nothing: Nothing
    ) -> None:
        """Write the rows as a table or as JSON."""
        self.write(rows, lambda some: self.screen.table(columns, some), describe, nothing=nothing)

    def write(
        self, rows: Iterator[T], show: Callable[[Iterator[T]], int], describe: Describe[T], *, nothing: Nothing
    ) -> None:
        """Write as many rows as are wanted: by `show`, which returns their number, or as JSON.

        An empty list is an answer, and `nothing` says so beside it. Raises NotRecorded where something was named
        that has to be there.
        """
        shown = islice(rows, self.most)
        count = self.screen.json(map(describe, shown)) if self.as_json else show(shown)
        if count == 0 and nothing.is_unknown:
            raise NotRecorded(nothing.sentence)
        if self.as_json:
            return
        if count == 0:
            self.screen.aside(nothing.sentence)
        elif self.limit is None and next(rows, None) is not None:
            self.screen.aside(f"There are more than these {count}: ask with --limit, or narrow the question.")
