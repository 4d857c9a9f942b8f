"""Heads and moves as rows: each tag's state and every change that led to it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Final, NamedTuple, TypeAlias

from tagtrail.store.database import Connection
from tagtrail.store.history import TagMove, read_move
from tagtrail.store.names import (
    find_registry_id,
    find_repositories,
    find_tag_ids_in,
    find_tags_of,
    is_glob,
    restricts_repositories,
)
from tagtrail.store.query import Filter, Page, Query
from tagtrail.store.releases import Releases
from tagtrail.store.series import RangeSource, Row, Series, Span, gather, marks, walk
from tagtrail.trail.instant import LATEST
from tagtrail.trail.moves import Head, Moment, Move, MoveKind


@dataclass(frozen=True, slots=True)
class TagState:
    """A tag's head, and the moment of the latest push or delete that may concern it."""

    head: Head[int]
    latest: Moment


@dataclass(frozen=True, slots=True)
class JudgedMove:
    """A move with its judgement by the tag rules in force."""

    move: Move[int]
    is_release: bool
    violates: bool


def get_tag_state(db: Connection, tag_id: int) -> TagState:
    """The tag's state after its pushes and deletes and the deletes of its repository that name no tag."""
    head, last, at, event, deleted_at, deleted_by = db.execute(
        "SELECT head_id, last_id, occurred_at, event, deleted_at, deleted_by FROM tags"
        " JOIN repositories ON repositories.id = repository_id WHERE tags.id = ?",
        (tag_id,),
    ).fetchone()
    latest = Moment(at, event)
    return TagState(Head(head, last), latest if deleted_at is None else max(latest, Moment(deleted_at, deleted_by)))


def get_head_before(db: Connection, tag_id: int, moment: Moment) -> Head[int]:
    """The tag's state just before the moment."""
    row = db.execute(
        "SELECT manifest_id, previous_id FROM moves WHERE tag_id = ? AND (occurred_at, event) < (?, ?)"
        " ORDER BY occurred_at DESC, event DESC LIMIT 1",
        (tag_id, moment.occurred_at, moment.event),
    ).fetchone()
    if row is None:
        return Head()
    return Head(row[0], row[1] if row[0] is None else row[0])


def had_manifest(db: Connection, tag_id: int, manifest_id: int, *, before: Moment) -> bool:
    """Whether the tag pointed to the manifest at any time before the moment."""
    row = db.execute(
        # The plus keeps SQLite from reading all moves of the tag instead of the few that led to the manifest.
        "SELECT 1 FROM moves WHERE manifest_id = ? AND +tag_id = ? AND (occurred_at, event) < (?, ?) LIMIT 1",
        (manifest_id, tag_id, before.occurred_at, before.event),
    ).fetchone()
    return row is not None


def replace_moves(tx: Connection, tag_id: int, *, since: Moment, moves: Sequence[JudgedMove]) -> None:
    """Replace the tag's moves from the moment on by these, and end the interval before them."""
    key = (tag_id, since.occurred_at, since.event)
    tx.execute("DELETE FROM moves WHERE tag_id = ? AND (occurred_at, event) >= (?, ?)", key)
    tx.execute(
        "UPDATE moves SET until = ? WHERE tag_id = ? AND (occurred_at, event) = (SELECT occurred_at, event FROM moves"
        " WHERE tag_id = ? AND (occurred_at, event) < (?, ?) ORDER BY occurred_at DESC, event DESC LIMIT 1)",
        (moves[0].move.moment.occurred_at if moves else None, tag_id, *key),
    )
    add_moves(tx, tag_id, moves)


def append_move(tx: Connection, tag_id: int, move: JudgedMove) -> None:
    """Add a move that is newer than all others of its tag."""
    last = get_last_move(tx, tag_id)
    if last is not None:
        end_moves(tx, [MoveEnd(move.move.moment.occurred_at, tag_id, last.occurred_at, last.event)])
    add_moves(tx, tag_id, [move])


def add_moves(tx: Connection, tag_id: int, moves: Sequence[JudgedMove]) -> None:
    """Write moves of one tag that follow one another, oldest first."""
    ends: list[int | None] = [judged.move.moment.occurred_at for judged in moves[1:]]
    add_move_rows(tx, map(move_row, repeat(tag_id), moves, [*ends, None]))


class MoveRow(NamedTuple):
    """The columns of `moves`."""

    tag_id: int
    occurred_at: int
    event: bytes
    seq: int
    kind: MoveKind
    manifest_id: int | None
    previous_id: int | None
    until: int | None
    is_release: bool
    violates: bool


class MoveEnd(NamedTuple):
    """`until` when a move's interval lasts; the rest is the move's key."""

    until: int
    tag_id: int
    occurred_at: int
    event: bytes


def move_row(tag_id: int, judged: JudgedMove, until: int | None) -> MoveRow:
    """The row of a tag's move."""
    move, moment = judged.move, judged.move.moment
    return MoveRow(
        tag_id, moment.occurred_at, moment.event, move.seq, move.kind, move.digest, move.previous, until,
        judged.is_release, judged.violates,
    )  # fmt: skip


def add_move_rows(tx: Connection, rows: Iterable[MoveRow]) -> None:
    """Write moves of any tags."""
    tx.executemany(
        "INSERT INTO moves (tag_id, occurred_at, event, seq, kind, manifest_id, previous_id, until, is_release,"
        " violates) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        rows,
    )


def end_moves(tx: Connection, ends: Iterable[MoveEnd]) -> None:
    """End the intervals of stored moves."""
    tx.executemany("UPDATE moves SET until = ? WHERE tag_id = ? AND occurred_at = ? AND event = ?", ends)


def get_last_move(db: Connection, tag_id: int) -> Moment | None:
    """The moment of the tag's newest move."""
    row = db.execute(
        "SELECT occurred_at, event FROM moves WHERE tag_id = ? ORDER BY occurred_at DESC, event DESC LIMIT 1", (tag_id,)
    ).fetchone()
    return Moment(*row) if row else None


class TagStateRow(NamedTuple):
    """The columns of `tags` that a move or a repeated push changes; `id` is the tag's."""

    head_id: int | None
    last_id: int | None
    head_seq: int
    head_since: int
    occurred_at: int
    event: bytes
    id: int


def set_moved_tags(tx: Connection, rows: Iterable[TagStateRow]) -> None:
    """Write where tags stand whose heads have changed."""
    tx.executemany(
        "UPDATE tags SET head_id = ?, last_id = ?, head_seq = ?, head_since = ?, occurred_at = ?, event = ?"
        " WHERE id = ?",
        rows,
    )


def set_repeated_tags(tx: Connection, rows: Iterable[tuple[int, bytes, int]]) -> None:
    """Write the latest moment, as (occurred_at, event, tag's id), of tags whose heads have not changed."""
    tx.executemany("UPDATE tags SET occurred_at = ?, event = ? WHERE id = ?", rows)


def set_tag_state(tx: Connection, tag_id: int, state: TagState, *, last_move: Move[int] | None) -> None:
    """Write the tag's state; `last_move` is None if the head has not changed."""
    latest = state.latest
    if last_move is None:
        set_repeated_tags(tx, [(latest.occurred_at, latest.event, tag_id)])
        return
    since, head = last_move.moment.occurred_at, state.head
    row = TagStateRow(head.digest, head.last, last_move.seq, since, latest.occurred_at, latest.event, tag_id)
    set_moved_tags(tx, [row])


# The moves of all tags in order of time: the latest, or those between two instants.


_KEY: Final = ("m.occurred_at", "m.event", "m.tag_id")
_MOVES = Series("moves m", _KEY, ("m.seq",))
_WITH_NAMES = Series(
    "moves m CROSS JOIN tags t ON t.id = m.tag_id CROSS JOIN repositories r ON r.id = t.repository_id",
    _KEY,
    ("m.seq", "t.name", "t.repository_id", "r.registry_id"),
)


def find_moves(db: Connection, query: Query) -> Page[TagMove]:
    """The moves that match the filter, newest first by the registry's clock. Key: (occurred_at, event, tag's id).

    Looks at `registry`, `repository`, `tag`, `since` and `until`. Repeated pushes are not counted here.
    """
    filters = query.filters
    span = Span(query.after or (LATEST if filters.until is None else filters.until, b"", 0), filters.since or 0)
    rows, series = _walk(db, filters, span)
    found, after = gather(rows, series, limit=query.limit, keep=_keep(db, filters, series))
    releases, tags = Releases(db), find_tags_of(db, {row[2] for row in found})
    return Page(tuple(read_move(db, query.rules, tags[row[2]], row[:2], releases) for row in found), after)


def _walk(db: Connection, filters: Filter, span: Span) -> tuple[Iterator[Row], Series]:
    """Along the tags of one repository, or along time."""
    if filters.repository is not None and not is_glob(filters.repository):
        ids = find_tag_ids_in(db, find_repositories(db, filters))
        series = _WITH_NAMES if filters.tag is not None else _MOVES
        return (walk(db, series, RangeSource(column="m.tag_id", ids=ids), span) if ids else iter(())), series
    is_narrowed = filters.registry or filters.tag or restricts_repositories(filters)
    series = _WITH_NAMES if is_narrowed else _MOVES
    return walk(db, series, RangeSource(), span), series


def _keep(db: Connection, filters: Filter, series: Series) -> Callable[[Row], bool]:
    wanted: dict[str, frozenset[int | str]] = {}
    if series is _WITH_NAMES:
        if filters.tag is not None:
            wanted["t.name"] = frozenset({filters.tag})
        if restricts_repositories(filters):
            wanted["t.repository_id"] = frozenset(each.id for each in find_repositories(db, filters))
        elif filters.registry is not None:
            wanted["r.registry_id"] = frozenset({find_registry_id(db, filters.registry) or -1})
    tests = [((series.key + series.facts).index(column), values) for column, values in wanted.items()]
    seq_at = len(series.key)
    last_seq = LATEST if filters.last_seq is None else filters.last_seq
    return lambda row: row[seq_at] <= last_seq and all(row[at] in values for at, values in tests)


# Whether a message covers a tag: its registry, its repository, the tag, and the environments that it means.
TagFilter: TypeAlias = Callable[[str, str, str, tuple[str, ...]], bool]


def find_unmatched_deletes(
    db: Connection, seqs: Sequence[int], accepts: TagFilter | None
) -> frozenset[tuple[int, int]]:
    """Deleted tags, as (line, tag id), that the filter does not accept, if it accepts another tag of their line."""
    if accepts is None:
        return frozenset()
    accepted, others = set[int](), set[tuple[int, int]]()
    for seq, tag_id, registry, repository, tag, environments in db.execute(
        "SELECT m.seq, m.tag_id, g.name, r.name, t.name, (SELECT group_concat(p.environment, char(10))"
        " FROM publications p WHERE p.seq = m.seq AND p.tag_id = m.tag_id) FROM moves m JOIN tags t ON t.id = m.tag_id"
        " JOIN repositories r ON r.id = t.repository_id JOIN registries g ON g.id = r.registry_id"
        f" WHERE m.seq IN ({marks(seqs)}) AND m.manifest_id IS NULL",
        seqs,
    ):
        if accepts(registry, repository, tag, tuple((environments or "").split())):
            accepted.add(seq)
        else:
            others.add((seq, tag_id))
    return frozenset(each for each in others if each[0] in accepted)
