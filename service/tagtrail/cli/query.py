"""A query of one command: the trail that answers, the filter, the limit, and where the answer is written."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import wraps
from itertools import islice
from typing import Any, Final, TypeVar

import click
import msgspec

from tagtrail.cli.open_trail import OpenTrail, open_trail
from tagtrail.cli.options import data_directory, decorate, filter_options, json_option, location_options, read_texts
from tagtrail.cli.output import Output
from tagtrail.cli.table import TableColumn
from tagtrail.errors import NotRecorded
from tagtrail.store.database import Connection
from tagtrail.store.filters import read_filter
from tagtrail.store.query import Filter, Page, Query

T = TypeVar("T", bound=msgspec.Struct)

TERMINAL_LIMIT = 50  # rows shown on a terminal without --limit
_LIMIT: Final = click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    help=f"At most N rows (without it: {TERMINAL_LIMIT} on a terminal, all elsewhere).",
)
_PAGE = 500  # rows read at once, so that no read transaction lasts long


@dataclass(frozen=True, slots=True)
class TrailQuery:
    """A query and the trail that answers it; `limit` is None where none was given."""

    trail: OpenTrail
    filter: Filter
    limit: int | None
    as_json: bool
    output: Output

    @property
    def most(self) -> int | None:
        """How many rows are written; None: all of them."""
        return self.limit or (TERMINAL_LIMIT if self.output.is_terminal and not self.as_json else None)

    def narrowed(self, **changes: Any) -> "TrailQuery":
        """The same query with these fields of its filter changed."""
        return replace(self, filter=replace(self.filter, **changes))

    def to_store(self, *, at: int | None = None) -> Query:
        """The query that the store answers, now or at an instant, from its first page on."""
        return Query(self.trail.rules, self.filter, limit=_PAGE, at=at)

    def rows(self, find: Callable[[Connection, Query], Page[T]], *, at: int | None = None) -> Iterator[T]:
        """All rows that `find` gives, now or at an instant, each page in a read transaction of its own."""
        query = self.to_store(at=at)
        while True:
            with self.trail.store.snapshot() as db:
                page = find(db, query)
            yield from page.items
            if page.after is None:
                return
            query = replace(query, after=page.after)

    def answer(
        self, rows: Iterator[T], columns: Sequence[TableColumn[T]], *, nothing: str, is_named: bool = False
    ) -> None:
        """Write the rows as a table or as JSON, and `nothing` to standard error where there are none.

        Raises NotRecorded for no rows where the command named what has to be there.
        """
        shown = islice(rows, self.most)
        count = self.output.json(shown) if self.as_json else self.output.table(columns, shown)
        if count == 0 and is_named:
            raise NotRecorded(nothing[0].lower() + nothing[1:].rstrip("."))
        if self.as_json:
            return
        if count == 0:
            self.output.aside(nothing)
        elif self.limit is None and next(rows, None) is not None:
            self.output.aside(f"There are more than these {count}: use --limit, or narrow the query.")


def query_options(*filters: str, is_list: bool = True) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command these filters, `--json` and, for a list, `--limit`; it gets them as its argument `query`."""

    def make(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def run(*, as_json: bool, limit: int | None = None, **given: Any) -> None:
            wanted = {name: given.pop(name) for name in filters}
            command(_make_query(wanted, limit=limit, as_json=as_json), **given)

        limits = [_LIMIT] if is_list else []
        return decorate(run, [filter_options(*filters), *limits, json_option, location_options])

    return make


def _make_query(wanted: dict[str, Any], *, limit: int | None, as_json: bool) -> TrailQuery:
    """A query of the ledger that the options name. Raises BadParameter, ConfigurationError and StorageUnavailable."""
    accepted = read_filter(read_texts(wanted), accepted=wanted)
    trail = open_trail(data_directory())
    click.get_current_context().call_on_close(trail.store.close)
    return TrailQuery(trail, accepted, limit, as_json, Output())
