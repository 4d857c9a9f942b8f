"""A repository over time: its tags, the state of each at the begin of a range, and its moves within the range.

Everything is read along the index of moves, tag by tag, with a bound.
"""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from tagtrail.store.database import Connection
from tagtrail.store.names import Repository
from tagtrail.store.series import RangeSource, Series, Span, marks, walk
from tagtrail.trail.instant import LATEST
from tagtrail.trail.moves import MoveKind

MOST_TAGS: Final = 1_000  # of one repository
_MOST_RECENT: Final = 2_000  # lines of a repository examined for its most active tags

_MOVES = Series("moves", ("occurred_at", "event", "tag_id"))
_TAG = "SELECT t.id, t.name, t.head_id, t.last_id, t.head_since, t.head_seq FROM tags t"
_CHANGE = "m.tag_id, m.occurred_at, m.until, m.kind, m.manifest_id, m.seq, m.violates"
_NEWEST = (
    "(m.occurred_at, m.event) = (SELECT n.occurred_at, n.event FROM moves n WHERE n.tag_id = wanted.id"
    " AND n.occurred_at >= ? AND n.occurred_at < ? ORDER BY n.occurred_at DESC, n.event DESC LIMIT 1)"
)


class TimelineTag(NamedTuple):
    """A tag that was ever pushed: what it names now (None: deleted), what it named last, since when, by which line."""

    id: int
    name: str
    manifest_id: int | None
    last_id: int | None
    since: int
    seq: int


class Change(NamedTuple):
    """A move of the tag with this id, as it is drawn; `manifest_id` None: the tag was deleted.

    `until` is when the tag moved next, None where it has not since.
    """

    tag_id: int
    occurred_at: int
    until: int | None
    kind: MoveKind
    manifest_id: int | None
    seq: int
    violates: bool


class Activity(NamedTuple):
    """The activity of a tag within a range: its newest move, and the number of moves, counted up to 2."""

    newest: Change
    moves: int


def find_known_tags(
    db: Connection, repository: Repository, *, first: Sequence[str], most: int = MOST_TAGS
) -> tuple[tuple[TimelineTag, ...], bool]:
    """The repository's tags by name, and whether these are all.

    If there are more than `most`, these are the ones named `first`, those of the newest lines, and then the first ones.
    """
    rows = db.execute(f"{_TAG} WHERE t.repository_id = ? ORDER BY t.name LIMIT ?", (repository.id, most + 1)).fetchall()
    if len(rows) <= most:
        return _known(rows), True
    busy = db.execute(
        "SELECT DISTINCT tag_id FROM (SELECT tag_id FROM entries WHERE repository_id = ? ORDER BY seq DESC LIMIT ?)"
        " WHERE tag_id IS NOT NULL LIMIT ?",
        (repository.id, _MOST_RECENT, most),
    ).fetchall()
    named = db.execute(
        f"{_TAG} WHERE t.repository_id = ? AND t.name IN ({marks(first)})", (repository.id, *first)
    ).fetchall()
    named += db.execute(f"{_TAG} WHERE t.id IN ({marks(busy)})", [row[0] for row in busy]).fetchall()
    chosen = {row[0]: row for row in named + rows}
    return _known(sorted(list(chosen.values())[:most], key=lambda row: str(row[1]))), False


def _known(rows: Iterable[tuple[int, str, int | None, int | None, int | None, int | None]]) -> tuple[TimelineTag, ...]:
    """The tags that were ever pushed, because a delete alone names a tag too."""
    return tuple(TimelineTag._make(row) for row in rows if row[4] is not None)


def find_newest_times(db: Connection, tag_ids: Sequence[int], *, most: int) -> tuple[int, ...]:
    """When the tags moved last, the newest first."""
    if not tag_ids:
        return ()
    rows = walk(db, _MOVES, RangeSource(column="tag_id", ids=tuple(tag_ids)), Span((LATEST, b"", 0)))
    return tuple(row[0] for row, _ in zip(rows, range(most), strict=False))


def find_first_time(db: Connection, tag_ids: Sequence[int]) -> int | None:
    """When the first of the tags was created."""
    sql = "SELECT min((SELECT min(m.occurred_at) FROM moves m WHERE m.tag_id = wanted.id)) FROM wanted"
    row = db.execute(f"{_wanted(tag_ids)} {sql}", tuple(tag_ids)).fetchone() if tag_ids else None
    return row[0] if row else None


def find_standing(db: Connection, tag_ids: Sequence[int], *, at: int) -> dict[int, Change]:
    """For each tag, its last move before the instant."""
    sql = f"SELECT {_CHANGE} FROM wanted CROSS JOIN moves m ON m.tag_id = wanted.id AND {_NEWEST}"
    rows = db.execute(f"{_wanted(tag_ids)} {sql}", (*tag_ids, 0, at)).fetchall() if tag_ids else []
    return {row[0]: Change._make(row) for row in rows}


def find_activity(db: Connection, tag_ids: Sequence[int], *, since: int, until: int) -> dict[int, Activity]:
    """The activity of each tag that moved within the range."""
    sql = (
        f"SELECT (SELECT count(*) FROM (SELECT 1 FROM moves c WHERE c.tag_id = wanted.id AND c.occurred_at >= ?"
        f" AND c.occurred_at < ? LIMIT 2)), {_CHANGE}"
        f" FROM wanted CROSS JOIN moves m ON m.tag_id = wanted.id AND {_NEWEST}"
    )
    values = (*tag_ids, since, until, since, until)
    rows = db.execute(f"{_wanted(tag_ids)} {sql}", values).fetchall() if tag_ids else []
    return {row[1]: Activity(Change._make(row[1:]), row[0]) for row in rows}


def count_changes(db: Connection, tag_ids: Sequence[int], *, since: int, until: int, most: int) -> dict[int, int]:
    """How often each tag moved within the range, counted up to `most`."""
    sql = (
        "SELECT id, (SELECT count(*) FROM (SELECT 1 FROM moves c WHERE c.tag_id = wanted.id AND c.occurred_at >= ?"
        " AND c.occurred_at < ? LIMIT ?)) FROM wanted"
    )
    values = (*tag_ids, since, until, most)
    return dict(db.execute(f"{_wanted(tag_ids)} {sql}", values).fetchall()) if tag_ids else {}


def find_changes(db: Connection, tag_id: int, *, since: int, until: int, most: int) -> tuple[Change, ...]:
    """The newest moves of one tag within the range, oldest first."""
    rows = db.execute(
        f"SELECT {_CHANGE} FROM moves m WHERE m.tag_id = ? AND m.occurred_at >= ? AND m.occurred_at < ?"
        " ORDER BY m.occurred_at DESC, m.event DESC LIMIT ?",
        (tag_id, since, until, most),
    ).fetchall()
    return tuple(map(Change._make, reversed(rows)))


def find_digests(db: Connection, manifest_ids: Iterable[int]) -> dict[int, str]:
    """The digests that the store knows by these numbers."""
    ids = tuple(set(manifest_ids))
    return dict(db.execute(f"SELECT id, digest FROM manifests WHERE id IN ({marks(ids)})", ids).fetchall())


def find_actors(db: Connection, seqs: Iterable[int]) -> dict[int, str]:
    """The actors that the lines disclose; lines without an actor are left out."""
    lines = tuple(set(seqs))
    sql = f"SELECT e.seq, a.name FROM entries e JOIN actors a ON a.id = e.actor_id WHERE e.seq IN ({marks(lines)})"
    return dict(db.execute(sql, lines).fetchall())


def _wanted(ids: Sequence[int]) -> str:
    return f"WITH wanted (id) AS (VALUES {', '.join(['(?)'] * len(ids))})"
