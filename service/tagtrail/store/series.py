"""Walks along indexes, newest first: over one range, or over many merged ranges, with a bound on examined rows.

A list with several conditions walks along the sparsest index and checks the other conditions row by row. After
MOST_EXAMINED rows it stops and returns the key to continue from, so every page is cheap. With many ranges, it first
examines the newest rows of all ranges, which often contain enough matches.
"""

import heapq
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from tagtrail.store.database import Connection
from tagtrail.store.query import Key

Row = tuple[Any, ...]

MOST_EXAMINED: Final = 1_000  # rows examined for one page
GLANCE: Final = 400  # rows examined before many ranges are merged
MANY_RANGES: Final = 16

_FIRST_READ = 16  # rows read from an index at a time, growing to
_FIRST_OF_MANY = 4
_LARGEST_READ = 256
_PROBE = 100  # rows by which the density of indexes is compared


@dataclass(frozen=True, slots=True)
class Series:
    """A table in the order of `key`, whose first column is a number; `facts` are further columns with conditions."""

    table: str
    key: tuple[str, ...]
    facts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RangeSource:
    """One range of an index, by a condition on its first columns; or with `ids` one range for each of them."""

    condition: str = "1"
    values: tuple[int | str, ...] = ()
    column: str = ""
    ids: tuple[int | str, ...] = ()


@dataclass(frozen=True, slots=True)
class Span:
    """The part of a series to walk: keys below `below`, down to those that begin with `least`."""

    below: Key
    least: int = 0


def walk(db: Connection, series: Series, source: RangeSource, span: Span) -> Iterator[Row]:
    """The rows of the source within the span, newest first, read lazily."""
    if not source.column:
        return _walk_range(db, series, source, span, _FIRST_READ)
    if len(source.ids) == 1:
        return _walk_range(db, series, _range_of(source, source.ids[0]), span, _FIRST_READ)
    return _merge(
        _find_newest(db, series, source, span),
        lambda identity: _walk_range(db, series, _range_of(source, identity), span, _FIRST_OF_MANY),
    )


def find_sparsest(db: Connection, series: Series, sources: Sequence[RangeSource], span: Span) -> RangeSource:
    """The source with the fewest rows, estimated from its newest rows."""
    if len(sources) == 1:
        return sources[0]
    depths = []
    for source in sources:
        rows = list(islice(walk(db, series, source, span), _PROBE))
        depths.append(rows[-1][0] if len(rows) == _PROBE else -1)
    return sources[depths.index(min(depths))]


def gather(
    rows: Iterator[Row], series: Series, *, limit: int, keep: Callable[[Row], bool], most: int | None = None
) -> tuple[list[Row], Key | None]:
    """The first `limit` matching rows, and the key after which to continue; None at the end.

    Examines no more than `most` rows (MOST_EXAMINED), unless the page itself has more.
    """
    width, most = len(series.key), max(MOST_EXAMINED if most is None else most, limit + 1)
    found: list[Row] = []
    for examined, row in enumerate(rows, 1):
        if keep(row):
            if len(found) == limit:
                return found, found[-1][:width]
            found.append(row)
        if examined >= most:
            return found, row[:width]
    return found, None


def marks(values: Collection[object]) -> str:
    """A placeholder for each value."""
    return ", ".join("?" * len(values))


def _range_of(source: RangeSource, identity: int | str) -> RangeSource:
    return RangeSource(f"{source.condition} AND {source.column} = ?", (*source.values, identity))


def _walk_range(db: Connection, series: Series, source: RangeSource, span: Span, size: int) -> Iterator[Row]:
    key = ", ".join(series.key)
    sql = (
        f"SELECT {', '.join(series.key + series.facts)} FROM {series.table} WHERE {source.condition}"
        f" AND ({key}) < ({marks(series.key)}) AND {series.key[0]} >= ?"
        f" ORDER BY {', '.join(f'{column} DESC' for column in series.key)} LIMIT ?"
    )
    below = span.below
    while True:
        rows = db.execute(sql, (*source.values, *below, span.least, size)).fetchall()
        yield from rows
        if len(rows) < size:
            return
        below, size = rows[-1][: len(series.key)], min(size * 4, _LARGEST_READ)


def _find_newest(db: Connection, series: Series, source: RangeSource, span: Span) -> list[tuple[int, int | str]]:
    """For each id of the source that has any rows in the span, the first column of its newest key, newest first."""
    first = series.key[0]
    sql = (
        "WITH wanted (id) AS (VALUES {})"
        f" SELECT (SELECT max({first}) FROM {series.table} WHERE {source.condition} AND {source.column} = wanted.id"
        f" AND {first} <= ?) AS newest, id FROM wanted"
    )
    found: list[tuple[int, int | str]] = []
    for start in range(0, len(source.ids), 1_000):
        ids = source.ids[start : start + 1_000]
        values = (*ids, *source.values, span.below[0])
        found += db.execute(sql.format(", ".join(["(?)"] * len(ids))), values).fetchall()
    return sorted((row for row in found if row[0] is not None and row[0] >= span.least), reverse=True)


class _Front:
    """The newest row of a walk that has not been taken, and what follows; the newest of all comes first in a heap."""

    __slots__ = ("rest", "row")

    def __init__(self, row: Row, rest: Iterator[Row]) -> None:
        self.row = row
        self.rest = rest

    def __lt__(self, other: "_Front") -> bool:
        return bool(self.row > other.row)


def _merge(newest: Sequence[tuple[int, int | str]], begin: Callable[[int | str], Iterator[Row]]) -> Iterator[Row]:
    """The rows of many walks as one; a walk begins only when its newest row is reached."""
    waiting, fronts = deque(newest), list[_Front]()
    while waiting or fronts:
        if waiting and (not fronts or waiting[0][0] >= fronts[0].row[0]):
            rest = begin(waiting.popleft()[1])
        else:
            front = heapq.heappop(fronts)
            yield front.row
            rest = front.rest
        if (row := next(rest, None)) is not None:
            heapq.heappush(fronts, _Front(row, rest))
