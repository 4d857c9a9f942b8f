"""The moves of all tags in the order of time: what moved last, or between two instants."""

from collections.abc import Callable, Iterator
from typing import Final

from tagtrail.store.answers import Cut, Filter, HistoryMove, Page
from tagtrail.store.database import Connection
from tagtrail.store.questions.history import read_move
from tagtrail.store.questions.names import (
    find_registry_id,
    find_repositories,
    find_tag_ids_in,
    find_tags_of,
    is_glob,
    restricts_repositories,
)
from tagtrail.store.questions.releases import Releases
from tagtrail.store.questions.series import Row, Series, Source, Span, gather, walk
from tagtrail.trail.instant import LATEST

_KEY: Final = ("m.occurred_at", "m.event", "m.tag_id")
_MOVES = Series("moves m", _KEY, ("m.seq",))
_WITH_NAMES = Series(
    "moves m CROSS JOIN tags t ON t.id = m.tag_id CROSS JOIN repositories r ON r.id = t.repository_id",
    _KEY,
    ("m.seq", "t.name", "t.repository_id", "r.registry_id"),
)


def find_moves(db: Connection, asked: Filter, cut: Cut) -> Page[HistoryMove]:
    """The moves that the filter asks for, newest first by the registry's clock. Key: (occurred_at, event, tag's id).

    Looks at `registry`, `repository`, `tag`, `since` and `until`. Repeated pushes are not counted here.
    """
    span = Span(cut.after or (LATEST if asked.until is None else asked.until, b"", 0), asked.since or 0)
    rows, series = _walk(db, asked, span)
    found, after = gather(rows, series, limit=cut.limit, keep=_keep(db, asked, series))
    releases, tags = Releases(db), find_tags_of(db, {row[2] for row in found})
    return Page(tuple(read_move(db, tags[row[2]], row[:2], releases) for row in found), after)


def _walk(db: Connection, asked: Filter, span: Span) -> tuple[Iterator[Row], Series]:
    """Along the tags of one repository, or along time."""
    if asked.repository is not None and not is_glob(asked.repository):
        ids = find_tag_ids_in(db, find_repositories(db, asked))
        series = _WITH_NAMES if asked.tag is not None else _MOVES
        return (walk(db, series, Source(column="m.tag_id", ids=ids), span) if ids else iter(())), series
    is_narrowed = asked.registry or asked.tag or restricts_repositories(asked)
    series = _WITH_NAMES if is_narrowed else _MOVES
    return walk(db, series, Source(), span), series


def _keep(db: Connection, asked: Filter, series: Series) -> Callable[[Row], bool]:
    wanted: dict[str, frozenset[int | str]] = {}
    if series is _WITH_NAMES:
        if asked.tag is not None:
            wanted["t.name"] = frozenset({asked.tag})
        if restricts_repositories(asked):
            wanted["t.repository_id"] = frozenset(each.id for each in find_repositories(db, asked))
        elif asked.registry is not None:
            wanted["r.registry_id"] = frozenset({find_registry_id(db, asked.registry) or -1})
    tests = [((series.key + series.facts).index(column), values) for column, values in wanted.items()]
    seq_at = len(series.key)
    last_seq = LATEST if asked.last_seq is None else asked.last_seq
    return lambda row: row[seq_at] <= last_seq and all(row[at] in values for at, values in tests)
