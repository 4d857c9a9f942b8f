"""The history of one tag: every move, newest first, with the interval that it began."""

from collections.abc import Iterator
from itertools import islice
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from tagtrail.line import read_line
from tagtrail.store.database import Connection
from tagtrail.store.deployments import LAST_HEARD, EarlierDigest, read_earlier
from tagtrail.store.environments import Step, choose_step
from tagtrail.store.fields import (
    ActorName,
    Count,
    Duration,
    Host,
    ImageReference,
    IsRelease,
    IsViolation,
    RegistryTime,
    Seq,
)
from tagtrail.store.names import Tag, get_tag
from tagtrail.store.query import Page, Query
from tagtrail.store.releases import Releases
from tagtrail.store.series import RangeSource, Row, Series, Span, gather, walk
from tagtrail.trail.instant import LATEST, Instant, seconds_between
from tagtrail.trail.moves import MoveKind
from tagtrail.trail.names import Reference
from tagtrail.trail.rules import Rules

MOST_REPEATED: Final = 1_000  # the largest count of repeated pushes in one interval


class TagMove(msgspec.Struct, frozen=True):
    """A move of a tag, and the interval that it begins."""

    registry: str
    repository: str
    tag: str
    kind: MoveKind
    at: RegistryTime
    until: Annotated[Instant | None, Meta(description="When the next move came; null while there is none.")]
    seconds: Duration
    reference: ImageReference
    host: Host
    digest: Annotated[str | None, Meta(description="Null after a deletion.")]
    previous_digest: str | None
    release_tags: Annotated[
        tuple[str, ...], Meta(description="Other release tags that named the digest at any time in that interval.")
    ]
    repeated: Annotated[Count, Meta(description="Pushes of the same digest within the interval, counted up to 1000.")]
    release: IsRelease
    violation: IsViolation
    actor: ActorName
    seq: Seq


_MOVES = Series("moves", ("occurred_at", "event"), ("seq",))


def find_history(db: Connection, query: Query) -> Page[TagMove]:
    """The moves of the tag `tag` of the repository `repository`, newest first. Key: (occurred_at, event).

    `since` and `until` are by the registry's clock. Raises BadParameter where the filter does not name one tag, and
    NotRecorded for a tag that no line ever named.
    """
    filters = query.filters
    tag = get_tag(db, filters)
    until = LATEST if filters.until is None else filters.until
    span = Span(query.after or (until, b""), filters.since or 0)
    rows = walk(db, _MOVES, RangeSource("tag_id = ?", (tag.id,)), span)
    last_seq = LATEST if filters.last_seq is None else filters.last_seq
    found, after = gather(rows, _MOVES, limit=query.limit, keep=lambda row: row[2] <= last_seq)
    releases = Releases(db)
    moves = (read_move(db, query.rules, tag, row[:2], releases) for row in found)
    return Page(tuple(_with_repeated(db, tag, row, move) for row, move in zip(found, moves, strict=True)), after)


def read_move(db: Connection, rules: Rules, tag: Tag, moment: tuple[int, bytes], releases: Releases) -> TagMove:
    """The move of the tag at the moment (occurred_at, event); `repeated` is left at 0."""
    until, kind, manifest_id, digest, previous, is_release, violates, seq, line, actor = db.execute(
        "SELECT m.until, m.kind, m.manifest_id, now.digest, before.digest, m.is_release, m.violates, m.seq, l.line,"
        " a.name FROM moves m JOIN lines l ON l.seq = m.seq JOIN entries e ON e.seq = m.seq"
        " LEFT JOIN manifests now ON now.id = m.manifest_id LEFT JOIN manifests before ON before.id = m.previous_id"
        " LEFT JOIN actors a ON a.id = e.actor_id WHERE m.tag_id = ? AND m.occurred_at = ? AND m.event = ?",
        (tag.id, *moment),
    ).fetchone()
    named = releases.during(manifest_id, moment[0], until) if manifest_id is not None else ()
    host = rules.hosts.host(tag.repository.registry, read_line(line).host)
    return TagMove(
        registry=tag.repository.registry,
        repository=tag.repository.name,
        tag=tag.name,
        kind=kind,
        at=Instant(moment[0]),
        until=Instant.maybe(until),
        seconds=seconds_between(moment[0], until),
        reference=str(Reference(tag.repository.name, tag.name, digest, host)),
        host=host,
        digest=digest,
        previous_digest=previous,
        release_tags=tuple(other.tag for other in named if other.tag != tag.name),
        repeated=0,
        release=bool(is_release),
        violation=bool(violates),
        actor=actor,
        seq=seq,
    )


def _with_repeated(db: Connection, tag: Tag, row: Row, move: TagMove) -> TagMove:
    if move.digest is None:
        return move
    return msgspec.structs.replace(move, repeated=_count_repeated(db, tag.id, (row[0], row[1]), move.until))


def _count_repeated(db: Connection, tag_id: int, began: tuple[int, bytes], until: int | None) -> int:
    """Pushes of the tag within the interval besides the one that began it, counted up to MOST_REPEATED."""
    (count,) = db.execute(
        "SELECT count(*) FROM (SELECT 1 FROM entries WHERE tag_id = ? AND occurred_at >= ? AND occurred_at < ?"
        " AND kind = 'push' AND (occurred_at, event) > (?, ?) LIMIT ?)",
        (tag_id, began[0], LATEST if until is None else until, *began, MOST_REPEATED),
    ).fetchone()
    return int(count)


# The rollback target of any tag, by its moves alone.


MOST_LOOKED_BACK: Final = 1_000  # moves examined for a rollback target

_EARLIER_MOVES = Series("moves", ("occurred_at", "event"), ("tag_id", "manifest_id", "kind", "seq"))
_MOVE = (
    f"SELECT g.name, r.name, t.name, m.digest, p.occurred_at, p.until, p.seq, l.line, p.manifest_id, {LAST_HEARD}"
    " FROM moves p JOIN tags t ON t.id = p.tag_id JOIN repositories r ON r.id = t.repository_id"
    " JOIN registries g ON g.id = r.registry_id JOIN manifests m ON m.id = p.manifest_id"
    " JOIN lines l ON l.seq = p.seq WHERE p.tag_id = ? AND p.occurred_at = ? AND p.event = ?"
)


def find_step_back(db: Connection, tag: Tag, rules: Rules) -> EarlierDigest | None:
    """The digest to put the tag back to, as of an environment; None where it never named another.

    It is chosen by the tag's moves as an environment's is by its deployments (see `choose_step`).
    """
    releases = Releases(db)
    read: dict[Step, Row] = {}

    def is_deleted(step: Step) -> bool:
        read[step] = db.execute(_MOVE, (tag.id, step.occurred_at, step.event)).fetchone()
        return bool(read[step][-1] == "delete")

    choice = choose_step(_look_back(db, tag), is_deleted=is_deleted)
    if choice is None:
        return None
    return read_earlier(read[choice.step], rules, releases, rolled_back=choice.rolled_back)


def _look_back(db: Connection, tag: Tag) -> Iterator[Step]:
    rows = walk(db, _EARLIER_MOVES, RangeSource("tag_id = ?", (tag.id,)), Span((LATEST, b"")))
    for occurred_at, event, tag_id, manifest_id, kind, seq in islice(rows, MOST_LOOKED_BACK):
        direction = "back" if kind == "moved_back" else None if manifest_id is None else "forward"
        yield Step(occurred_at, event, tag_id, manifest_id, direction, seq)
