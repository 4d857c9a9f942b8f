"""The moves between two instants, for a comparison, with only the columns that it needs."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from itertools import islice
from typing import Final

from tagtrail.store.database import Connection
from tagtrail.store.names import (
    Tag,
    find_repositories,
    find_tag_ids,
    find_tag_ids_in,
    find_tags_of,
    is_glob,
    restricts_repositories,
)
from tagtrail.store.query import Filter
from tagtrail.store.releases import Releases
from tagtrail.store.series import RangeSource, Row, Series, Span, marks, walk
from tagtrail.trail.moves import Moment, Move

MOST_COMPARED: Final = 1_000  # moves that are compared, the newest

_MOVES = Series(
    "moves m",
    ("m.occurred_at", "m.event", "m.tag_id"),
    ("m.seq", "m.kind", "m.manifest_id", "m.previous_id", "m.violates"),
)


@dataclass(frozen=True, slots=True)
class Compared:
    """The moves after `since` until `until`, inclusive, and the lines of the violations among them.

    Moves name manifests by their ids. `since` is later than the requested one if there are more than MOST_COMPARED
    moves; all moves after it are included.
    """

    moves: tuple[tuple[Tag, Move[int]], ...]
    violations: frozenset[int]
    since: int
    until: int


@dataclass(frozen=True, slots=True)
class NamedDigest:
    """A digest with the release tags that named it at an instant."""

    digest: str
    release_tags: tuple[str, ...]


def find_compared(
    db: Connection, filters: Filter, *, since: int, until: int, tags: Collection[str] | None = None
) -> Compared:
    """The moves between the instants, by the registry's clock; `tags` are the only ones to look at, if given.

    Looks at `registry` and `repository` of the filter.
    """
    span = Span((until + 1, b"", 0), since + 1)
    rows = list(islice(walk(db, _MOVES, _source(db, filters, tags), span), MOST_COMPARED + 1))
    if len(rows) > MOST_COMPARED:
        since = int(rows[-1][0])
    named = find_tags_of(db, {row[2] for row in rows})
    keep = _keep(db, filters)
    kept = [row for row in rows if row[0] > since and keep(named[row[2]])]
    return Compared(
        moves=tuple((named[row[2]], _move(row)) for row in kept),
        violations=frozenset(row[3] for row in kept if row[7]),
        since=since,
        until=until,
    )


def name_manifests(db: Connection, manifest_ids: Collection[int], *, at: int) -> dict[int, NamedDigest]:
    """The digests of these ids, with their release tags at the instant."""
    ids = tuple(set(manifest_ids))
    releases = Releases(db)
    releases.load(ids)
    rows = db.execute(f"SELECT id, digest FROM manifests WHERE id IN ({marks(ids)})", ids).fetchall()
    return {
        identity: NamedDigest(digest, tuple(named.tag for named in releases.at(identity, at)))
        for identity, digest in rows
    }


def _source(db: Connection, filters: Filter, tags: Collection[str] | None) -> RangeSource:
    """Along certain tags, along those of one repository, or along time."""
    if tags is not None:
        repositories = find_repositories(db, filters) if restricts_repositories(filters) else None
        found = [identity for tag in sorted(tags) for identity in find_tag_ids(db, tag, repositories)]
        return _along(found)
    if filters.repository is None or is_glob(filters.repository):
        return RangeSource()
    return _along(find_tag_ids_in(db, find_repositories(db, filters)))


def _along(tag_ids: Collection[int]) -> RangeSource:
    return RangeSource(column="m.tag_id", ids=tuple(tag_ids)) if tag_ids else RangeSource("0")


def _keep(db: Connection, filters: Filter) -> Callable[[Tag], bool]:
    """Whether a tag matches, for conditions without an index."""
    if restricts_repositories(filters):
        ids = frozenset(repository.id for repository in find_repositories(db, filters))
        return lambda tag: tag.repository.id in ids
    return lambda tag: filters.registry in (None, tag.repository.registry)


def _move(row: Row) -> Move[int]:
    return Move(Moment(row[0], row[1]), row[3], row[4], row[5], row[6])
