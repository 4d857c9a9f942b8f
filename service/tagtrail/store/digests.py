"""A digest: every tag that named it, every environment it was published for, and the index it belongs to."""

from collections.abc import Sequence
from itertools import islice
from typing import Final

from tagtrail.errors import NotRecorded
from tagtrail.line import read_line
from tagtrail.store.answers import DigestAnswer, Held, IndexUsage, Member, Naming, Publishing, Usage
from tagtrail.store.database import Connection
from tagtrail.store.deployments import PUBLICATIONS
from tagtrail.store.names import find_digest, find_manifest_ids, find_repositories, restricts_repositories
from tagtrail.store.query import Filter, Query
from tagtrail.store.series import Row, Series, Source, Span, marks, walk
from tagtrail.trail.instant import LATEST

MOST_INDEXES: Final = 20  # indexes that a manifest belongs to, the newest ones
_MOST_MANIFESTS = 1_000  # repositories that hold one digest
_MOST_MEMBERS = 200  # of an index

_MOVES = Series("moves m", ("m.occurred_at", "m.event", "m.tag_id"))


def get_digest(db: Connection, query: Query) -> DigestAnswer:
    """All that is known of the digest, at most `limit` of each kind of use, newest first.

    Looks at `digest`, `registry` and `repository` of the filter. Raises BadParameter for a prefix that fits several
    digests, NotRecorded for a digest that no line names.
    """
    filters, limit = query.filters, query.limit
    digest = find_digest(db, filters.digest or "")
    within = find_repositories(db, filters) if restricts_repositories(filters) or filters.registry is not None else None
    manifests = find_manifest_ids(db, digest, within)[:_MOST_MANIFESTS] if digest is not None else []
    if digest is None or not manifests:
        raise NotRecorded(f"no digest {filters.digest} is recorded" + (" there" if within is not None else ""))
    return DigestAnswer(
        held=_find_held(db, manifests, limit),
        usage=_find_usage(db, digest, manifests, limit),
        indexes=_find_indexes(db, manifests, limit),
        platforms=_find_members(db, manifests),
    )


def is_index(db: Connection, filters: Filter) -> bool:
    """Whether the digest of the filter is an index: by its media type, or because it lists manifests."""
    manifests = find_manifest_ids(db, filters.digest or "", find_repositories(db, filters))[:_MOST_MANIFESTS]
    sql = (
        "SELECT 1 FROM manifests m WHERE m.id IN ({}) AND (instr(m.media_type, 'index') > 0"
        " OR EXISTS (SELECT 1 FROM index_members i WHERE i.index_id = m.id)) LIMIT 1"
    )
    return db.execute(sql.format(marks(manifests)), tuple(manifests)).fetchone() is not None


def _find_held(db: Connection, manifests: Sequence[int], limit: int) -> tuple[Held, ...]:
    rows = db.execute(
        "SELECT g.name, r.name, m.media_type, m.size, m.pushed_seq, l.line FROM manifests m"
        " JOIN repositories r ON r.id = m.repository_id JOIN registries g ON g.id = r.registry_id"
        f" LEFT JOIN lines l ON l.seq = m.pushed_seq WHERE m.id IN ({marks(manifests)}) LIMIT ?",
        (*manifests, limit),
    )
    held = (
        Held(registry, repository, media_type, size, seq, read_line(line).host if line else None)
        for registry, repository, media_type, size, seq, line in rows
    )
    return tuple(sorted(held, key=lambda one: (one.registry, one.repository)))


def _find_usage(db: Connection, digest: str, manifests: Sequence[int], limit: int) -> Usage:
    tags = _newest(db, _MOVES, Source("m.is_release = 1", (), "m.manifest_id", tuple(manifests)), limit + 1)
    tags += _newest(
        db, _MOVES, Source("m.is_release = 0", (), "m.manifest_id", tuple(manifests)), limit + 1 - len(tags)
    )
    publications = _newest(db, PUBLICATIONS, Source("1", (), "p.manifest_id", tuple(manifests)), limit + 1)
    return Usage(
        digest=digest,
        tags=tuple(_read_naming(db, row) for row in tags[:limit]),
        environments=tuple(_read_publishing(db, row) for row in publications[:limit]),
        is_whole=max(len(tags), len(publications)) <= limit,
    )


def _newest(db: Connection, series: Series, source: Source, limit: int) -> list[Row]:
    span = Span((LATEST, *(b"" if "event" in column else "" for column in series.key[1:])))
    return [row[: len(series.key)] for row in islice(walk(db, series, source, span), limit)]


def _read_naming(db: Connection, key: Row) -> Naming:
    *plain, line, actor = db.execute(
        "SELECT g.name, r.name, t.name, m.is_release, m.occurred_at, m.until, m.seq, l.line, a.name FROM moves m"
        " JOIN tags t ON t.id = m.tag_id JOIN repositories r ON r.id = t.repository_id"
        " JOIN registries g ON g.id = r.registry_id JOIN lines l ON l.seq = m.seq JOIN entries e ON e.seq = m.seq"
        " LEFT JOIN actors a ON a.id = e.actor_id WHERE m.occurred_at = ? AND m.event = ? AND m.tag_id = ?",
        key,
    ).fetchone()
    registry, repository, tag, is_release, since, until, seq = plain
    host = read_line(line).host
    return Naming(registry, repository, tag, bool(is_release), since, until, seq, host, actor)


def _read_publishing(db: Connection, key: Row) -> Publishing:
    row = db.execute(
        "SELECT p.environment, g.name, r.name, t.name, p.occurred_at, p.until, p.seq, p.basis, p.direction"
        " FROM publications p JOIN repositories r ON r.id = p.repository_id JOIN registries g ON g.id = r.registry_id"
        " LEFT JOIN tags t ON t.id = p.tag_id WHERE p.occurred_at = ? AND p.event = ? AND p.environment = ?"
        " AND p.repository_id = ? AND p.tag_id = ?",
        key,
    ).fetchone()
    return Publishing(*row)


def _find_indexes(db: Connection, manifests: Sequence[int], limit: int) -> tuple[IndexUsage, ...]:
    """The indexes that list any of the manifests, the newest first, each with where it was used."""
    rows: list[tuple[int, str, str | None]] = db.execute(
        "SELECT i.index_id, m.digest, i.platform FROM index_members i JOIN manifests m ON m.id = i.index_id"
        f" WHERE i.manifest_id IN ({marks(manifests)}) ORDER BY i.index_id DESC LIMIT ?",
        (*manifests, MOST_INDEXES),
    ).fetchall()
    ids: dict[str, list[int]] = {}
    platforms: dict[str, str | None] = {}
    for index_id, digest, platform in rows:
        ids.setdefault(digest, []).append(index_id)
        platforms[digest] = platforms.get(digest) or platform
    return tuple(IndexUsage(platforms[digest], _find_usage(db, digest, found, limit)) for digest, found in ids.items())


def _find_members(db: Connection, manifests: Sequence[int]) -> tuple[Member, ...]:
    rows = db.execute(
        "SELECT DISTINCT m.digest, i.platform FROM index_members i JOIN manifests m ON m.id = i.manifest_id"
        f" WHERE i.index_id IN ({marks(manifests)}) LIMIT ?",
        (*manifests, _MOST_MEMBERS),
    )
    return tuple(sorted((Member(*row) for row in rows), key=lambda member: (member.platform or "", member.digest)))
