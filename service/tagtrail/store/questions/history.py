"""The history of one tag: every move, newest first, with the interval that it began."""

from dataclasses import replace
from typing import Final

from tagtrail.ledger.line import read_line
from tagtrail.store.answers import Cut, Filter, HistoryMove, Page
from tagtrail.store.database import Connection
from tagtrail.store.questions.names import Tag, get_tag
from tagtrail.store.questions.releases import Releases
from tagtrail.store.questions.series import Row, Series, Source, Span, gather, walk
from tagtrail.trail.instant import LATEST

MOST_REPEATED: Final = 1_000  # repeated pushes of one interval are counted up to here

_MOVES = Series("moves", ("occurred_at", "event"), ("seq",))


def find_history(db: Connection, asked: Filter, cut: Cut) -> Page[HistoryMove]:
    """The moves of the tag `tag` of the repository `repository`, newest first. Key: (occurred_at, event).

    `since` and `until` are by the registry's clock. Raises BadParameter where the filter does not name one tag, and
    NotRecorded for a tag that no line ever named.
    """
    tag = get_tag(db, asked)
    until = LATEST if asked.until is None else asked.until
    span = Span(cut.after or (until, b""), asked.since or 0)
    rows = walk(db, _MOVES, Source("tag_id = ?", (tag.id,)), span)
    last_seq = LATEST if asked.last_seq is None else asked.last_seq
    found, after = gather(rows, _MOVES, limit=cut.limit, keep=lambda row: row[2] <= last_seq)
    releases = Releases(db)
    return Page(tuple(_with_repeated(db, tag, row, read_move(db, tag, row[:2], releases)) for row in found), after)


def read_move(db: Connection, tag: Tag, moment: tuple[int, bytes], releases: Releases) -> HistoryMove:
    """The move of the tag at the moment (occurred_at, event); `repeated` is left at 0."""
    until, kind, manifest_id, digest, previous, is_release, violates, seq, line, actor = db.execute(
        "SELECT m.until, m.kind, m.manifest_id, now.digest, before.digest, m.is_release, m.violates, m.seq, l.line,"
        " a.name FROM moves m JOIN lines l ON l.seq = m.seq JOIN entries e ON e.seq = m.seq"
        " LEFT JOIN manifests now ON now.id = m.manifest_id LEFT JOIN manifests before ON before.id = m.previous_id"
        " LEFT JOIN actors a ON a.id = e.actor_id WHERE m.tag_id = ? AND m.occurred_at = ? AND m.event = ?",
        (tag.id, *moment),
    ).fetchone()
    named = releases.during(manifest_id, moment[0], until) if manifest_id is not None else ()
    return HistoryMove(
        registry=tag.repository.registry,
        repository=tag.repository.name,
        tag=tag.name,
        occurred_at=moment[0],
        until=until,
        kind=kind,
        digest=digest,
        previous=previous,
        is_release=bool(is_release),
        violates=bool(violates),
        seq=seq,
        host=read_line(line).host,
        actor=actor,
        repeated=0,
        release_tags=tuple(other.tag for other in named if other.tag != tag.name),
    )


def _with_repeated(db: Connection, tag: Tag, row: Row, move: HistoryMove) -> HistoryMove:
    if move.digest is None:
        return move
    return replace(move, repeated=_count_repeated(db, tag.id, (row[0], row[1]), move.until))


def _count_repeated(db: Connection, tag_id: int, began: tuple[int, bytes], until: int | None) -> int:
    """Pushes of the tag within the interval besides the one that began it, counted up to MOST_REPEATED."""
    (count,) = db.execute(
        "SELECT count(*) FROM (SELECT 1 FROM entries WHERE tag_id = ? AND occurred_at >= ? AND occurred_at < ?"
        " AND kind = 'push' AND (occurred_at, event) > (?, ?) LIMIT ?)",
        (tag_id, began[0], LATEST if until is None else until, *began, MOST_REPEATED),
    ).fetchone()
    return int(count)
