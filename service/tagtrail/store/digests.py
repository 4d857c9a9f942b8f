"""A digest: every tag that pointed to it, every environment it was published for, and the indexes that list it."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from tagtrail.errors import NotRecorded
from tagtrail.line import read_line
from tagtrail.store.database import Connection
from tagtrail.store.deployments import PUBLICATIONS
from tagtrail.store.fields import ActorName, Duration, Host, ImageReference, IsRelease, RegistryTime, Seq
from tagtrail.store.names import find_digest, find_manifest_ids, find_repositories, restricts_repositories
from tagtrail.store.query import Filter, Query
from tagtrail.store.series import RangeSource, Row, Series, Span, marks, walk
from tagtrail.trail.deployments import Basis, Direction
from tagtrail.trail.instant import LATEST, Instant, seconds_between
from tagtrail.trail.names import Reference
from tagtrail.trail.rules import Rules

MOST_INDEXES: Final = 20  # indexes that list a manifest, the newest ones
_MOST_MANIFESTS = 1_000  # repositories that hold one digest
_MOST_MEMBERS = 200  # of an index

_MOVES = Series("moves m", ("m.occurred_at", "m.event", "m.tag_id"))


class HoldingRepository(msgspec.Struct, frozen=True):
    """A repository that holds a digest."""

    registry: str
    repository: str
    reference: ImageReference
    host: Host
    media_type: str | None
    size: Annotated[int | None, Meta(description="Of the manifest, in bytes.")]
    seq: Annotated[int | None, Meta(description="The line of its first push; null if none was seen.")]


class TagUse(msgspec.Struct, frozen=True):
    """A tag named the digest from `since` until `until`."""

    registry: str
    repository: str
    tag: str
    release: IsRelease
    reference: ImageReference
    host: Host
    since: RegistryTime
    until: Annotated[Instant | None, Meta(description="Null while it does.")]
    seconds: Duration
    actor: ActorName
    seq: Seq


class EnvironmentUse(msgspec.Struct, frozen=True):
    """The digest was published for an environment from `since` until `until`."""

    environment: str
    registry: str
    repository: str
    tag: str | None
    basis: Basis
    direction: Direction
    since: Instant
    until: Annotated[Instant | None, Meta(description="Null while it is.")]
    seconds: Duration
    seq: Seq


class IndexUse(msgspec.Struct, frozen=True):
    """An index that lists the digest, and where the index was used."""

    digest: str
    platform: str | None
    tags: tuple[TagUse, ...]
    environments: tuple[EnvironmentUse, ...]
    whole: bool


class PlatformManifest(msgspec.Struct, frozen=True):
    """A manifest of an index."""

    digest: str
    platform: str | None


class RecordedDigest(msgspec.Struct, frozen=True):
    """Everything that the trail knows of a digest."""

    digest: str
    held: tuple[HoldingRepository, ...]
    tags: Annotated[tuple[TagUse, ...], Meta(description="Release tags first, the newest first.")]
    environments: Annotated[tuple[EnvironmentUse, ...], Meta(description="The newest first.")]
    indexes: Annotated[tuple[IndexUse, ...], Meta(description="Indexes that the digest is a platform of.")]
    platforms: Annotated[
        tuple[PlatformManifest, ...], Meta(description="The manifests of the digest, if it is an index.")
    ]
    whole: Annotated[bool, Meta(description="False where there are more tags or environments than `limit`.")]


@dataclass(frozen=True, slots=True)
class _Uses:
    """Release tags first, the newest first; not whole if there are more than were asked for."""

    tags: tuple[TagUse, ...]
    environments: tuple[EnvironmentUse, ...]
    is_whole: bool


def get_digest(db: Connection, query: Query) -> RecordedDigest:
    """Everything known about the digest, at most `limit` uses of each kind, newest first.

    Looks at `digest`, `registry` and `repository` of the filter. Raises BadParameter for a prefix that fits several
    digests, NotRecorded for a digest that no line names.
    """
    filters = query.filters
    digest = find_digest(db, filters.digest or "")
    within = find_repositories(db, filters) if restricts_repositories(filters) or filters.registry is not None else None
    manifests = find_manifest_ids(db, digest, within)[:_MOST_MANIFESTS] if digest is not None else []
    if digest is None or not manifests:
        raise NotRecorded(f"no digest {filters.digest} is recorded" + (" there" if within is not None else ""))
    uses = _find_uses(db, query, digest, manifests)
    return RecordedDigest(
        digest=digest,
        held=_find_holding(db, query, digest, manifests),
        tags=uses.tags,
        environments=uses.environments,
        indexes=_find_indexes(db, query, manifests),
        platforms=_find_platforms(db, manifests),
        whole=uses.is_whole,
    )


def is_index(db: Connection, filters: Filter) -> bool:
    """Whether the digest of the filter is an index: by its media type, or because it lists manifests."""
    manifests = find_manifest_ids(db, filters.digest or "", find_repositories(db, filters))[:_MOST_MANIFESTS]
    sql = (
        "SELECT 1 FROM manifests m WHERE m.id IN ({}) AND (instr(m.media_type, 'index') > 0"
        " OR EXISTS (SELECT 1 FROM index_members i WHERE i.index_id = m.id)) LIMIT 1"
    )
    return db.execute(sql.format(marks(manifests)), tuple(manifests)).fetchone() is not None


def _find_holding(db: Connection, query: Query, digest: str, manifests: Sequence[int]) -> tuple[HoldingRepository, ...]:
    rows = db.execute(
        "SELECT g.name, r.name, m.media_type, m.size, m.pushed_seq, l.line FROM manifests m"
        " JOIN repositories r ON r.id = m.repository_id JOIN registries g ON g.id = r.registry_id"
        f" LEFT JOIN lines l ON l.seq = m.pushed_seq WHERE m.id IN ({marks(manifests)}) LIMIT ?",
        (*manifests, query.limit),
    )
    found = []
    for registry, repository, media_type, size, seq, line in rows:
        host = query.rules.hosts.host(registry, read_line(line).host if line else None)
        reference = str(Reference(repository, digest=digest, host=host))
        found.append(HoldingRepository(registry, repository, reference, host, media_type, size, seq))
    return tuple(sorted(found, key=lambda one: (one.registry, one.repository)))


def _find_uses(db: Connection, query: Query, digest: str, manifests: Sequence[int]) -> _Uses:
    limit = query.limit
    tags = _newest(db, _MOVES, RangeSource("m.is_release = 1", (), "m.manifest_id", tuple(manifests)), limit + 1)
    tags += _newest(
        db, _MOVES, RangeSource("m.is_release = 0", (), "m.manifest_id", tuple(manifests)), limit + 1 - len(tags)
    )
    publications = _newest(db, PUBLICATIONS, RangeSource("1", (), "p.manifest_id", tuple(manifests)), limit + 1)
    return _Uses(
        tags=tuple(_read_tag_use(db, query.rules, digest, row) for row in tags[:limit]),
        environments=tuple(_read_environment_use(db, row) for row in publications[:limit]),
        is_whole=max(len(tags), len(publications)) <= limit,
    )


def _newest(db: Connection, series: Series, source: RangeSource, limit: int) -> list[Row]:
    span = Span((LATEST, *(b"" if "event" in column else "" for column in series.key[1:])))
    return [row[: len(series.key)] for row in islice(walk(db, series, source, span), limit)]


def _read_tag_use(db: Connection, rules: Rules, digest: str, key: Row) -> TagUse:
    registry, repository, tag, is_release, since, until, seq, line, actor = db.execute(
        "SELECT g.name, r.name, t.name, m.is_release, m.occurred_at, m.until, m.seq, l.line, a.name FROM moves m"
        " JOIN tags t ON t.id = m.tag_id JOIN repositories r ON r.id = t.repository_id"
        " JOIN registries g ON g.id = r.registry_id JOIN lines l ON l.seq = m.seq JOIN entries e ON e.seq = m.seq"
        " LEFT JOIN actors a ON a.id = e.actor_id WHERE m.occurred_at = ? AND m.event = ? AND m.tag_id = ?",
        key,
    ).fetchone()
    host = rules.hosts.host(registry, read_line(line).host)
    return TagUse(
        registry=registry,
        repository=repository,
        tag=tag,
        release=bool(is_release),
        reference=str(Reference(repository, tag, digest, host)),
        host=host,
        since=Instant(since),
        until=Instant.maybe(until),
        seconds=seconds_between(since, until),
        actor=actor,
        seq=seq,
    )


def _read_environment_use(db: Connection, key: Row) -> EnvironmentUse:
    environment, registry, repository, tag, basis, direction, since, until, seq = db.execute(
        "SELECT p.environment, g.name, r.name, t.name, p.basis, p.direction, p.occurred_at, p.until, p.seq"
        " FROM publications p JOIN repositories r ON r.id = p.repository_id JOIN registries g ON g.id = r.registry_id"
        " LEFT JOIN tags t ON t.id = p.tag_id WHERE p.occurred_at = ? AND p.event = ? AND p.environment = ?"
        " AND p.repository_id = ? AND p.tag_id = ?",
        key,
    ).fetchone()
    return EnvironmentUse(
        environment=environment,
        registry=registry,
        repository=repository,
        tag=tag,
        basis=basis,
        direction=direction,
        since=Instant(since),
        until=Instant.maybe(until),
        seconds=seconds_between(since, until),
        seq=seq,
    )


def _find_indexes(db: Connection, query: Query, manifests: Sequence[int]) -> tuple[IndexUse, ...]:
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
    found = []
    for digest, index_ids in ids.items():
        uses = _find_uses(db, query, digest, index_ids)
        found.append(IndexUse(digest, platforms[digest], uses.tags, uses.environments, uses.is_whole))
    return tuple(found)


def _find_platforms(db: Connection, manifests: Sequence[int]) -> tuple[PlatformManifest, ...]:
    rows = db.execute(
        "SELECT DISTINCT m.digest, i.platform FROM index_members i JOIN manifests m ON m.id = i.manifest_id"
        f" WHERE i.index_id IN ({marks(manifests)}) LIMIT ?",
        (*manifests, _MOST_MEMBERS),
    )
    return tuple(sorted((PlatformManifest(*row) for row in rows), key=lambda one: (one.platform or "", one.digest)))
