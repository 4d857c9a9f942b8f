"""The digests that tags point at, now or at an instant."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any, Final, NamedTuple, cast

import msgspec
from msgspec import Meta

from tagtrail.errors import BadParameter
from tagtrail.line import read_line
from tagtrail.store.database import Connection
from tagtrail.store.fields import ActorName, Host, ImageReference, RegistryTime, Seq
from tagtrail.store.names import Repository, iterate_repositories
from tagtrail.store.query import Page, Query
from tagtrail.store.releases import Releases
from tagtrail.store.timeline import TimelineTag
from tagtrail.trail.instant import Instant
from tagtrail.trail.names import Reference, is_tag
from tagtrail.trail.rules import Kind as TagKind
from tagtrail.trail.rules import Rules

_MOST_EXAMINED: Final = 1_000  # tags that may point to nothing, looked at for one page
_FIRST_READ = 64  # tags read at a time, growing to
_LARGEST_READ = 1_024


class TaggedDigest(msgspec.Struct, frozen=True):
    """The digest that a tag points at."""

    registry: str
    repository: str
    tag: str
    kind: Annotated[TagKind, Meta(description="By the rules in force now.")]
    reference: ImageReference
    host: Host
    digest: str
    since: RegistryTime
    release_tags: Annotated[tuple[str, ...], Meta(description="Other release tags that name the same digest.")]
    media_type: str | None
    size: Annotated[int | None, Meta(description="Of the manifest, in bytes.")]
    actor: ActorName
    seq: Seq


# What each tag pointed at: the row (tag's id, name, manifest's id, since, seq), no manifest where it was deleted.
_NOW = (
    "SELECT t.id, t.name, t.head_id, t.head_since, t.head_seq FROM tags t"
    " WHERE t.repository_id = ? AND t.name {} ? ORDER BY t.name LIMIT ?"
)
_THEN = (
    "SELECT t.id, t.name, m.manifest_id, m.occurred_at, m.seq FROM tags t LEFT JOIN moves m"
    " ON m.tag_id = t.id AND (m.occurred_at, m.event) = (SELECT n.occurred_at, n.event FROM moves n"
    " WHERE n.tag_id = t.id AND n.occurred_at <= ? ORDER BY n.occurred_at DESC, n.event DESC LIMIT 1)"
    " WHERE t.repository_id = ? AND t.name {} ? ORDER BY t.name LIMIT ?"
)


def find_tags(db: Connection, query: Query) -> Page[TaggedDigest]:
    """The tags that point to a digest now, or at the instant `at`, by registry, repository and name.

    `at` is by the registry's clock: a tag that moved at that very instant is shown after the move. Key: (registry,
    repository, tag). Looks at `registry`, `repository` and `tag` of the filter.
    """
    _check_tag(query)
    releases = Releases(db)
    found: list[TaggedDigest] = []
    after = None
    for examined, (repository, row) in enumerate(_walk(db, query), 1):
        if row[2] is not None and len(found) == query.limit:
            return Page(tuple(found), after)
        after = (repository.registry, repository.name, cast("str", row[1]))
        if row[2] is not None:
            found.append(_read_tag(db, query.rules, repository, row, releases, at=query.at))
        if examined >= max(_MOST_EXAMINED, query.limit + 1):
            return Page(tuple(found), after)
    return Page(tuple(found))


class TagHead(NamedTuple):
    """A tag and the number of the manifest that it points at, as far as sorting needs it."""

    repository: Repository
    id: int
    name: str
    manifest_id: int
    since: int
    seq: int


def find_heads(db: Connection, query: Query) -> Iterator[TagHead]:
    """All tags that point to a digest now, or at the instant `at`, in the order of `find_tags`; `limit` is ignored.

    For a list in another order, of which `read_heads` reads a part. The iterator reads while it is used.
    """
    _check_tag(query)
    for repository, row in _walk(db, query):
        if row[2] is not None:
            yield TagHead(repository, *row)


def read_heads(db: Connection, query: Query, heads: Iterable[TagHead]) -> tuple[TaggedDigest, ...]:
    """The digests that these tags of `find_heads` point at, in that order."""
    releases = Releases(db)
    return tuple(_read_tag(db, query.rules, head[0], head[1:], releases, at=query.at) for head in heads)


def read_tags(
    db: Connection, rules: Rules, repository: Repository, tags: Sequence[TimelineTag]
) -> tuple[TaggedDigest, ...]:
    """The digests that these tags of the repository point at now, in that order; deleted tags are left out."""
    releases = Releases(db)
    present = [tag for tag in tags if tag.manifest_id is not None]
    releases.load([tag.manifest_id for tag in present if tag.manifest_id is not None])
    return tuple(
        _read_tag(db, rules, repository, (tag.id, tag.name, tag.manifest_id, tag.since, tag.seq), releases, at=None)
        for tag in present
    )


def _check_tag(query: Query) -> None:
    tag = query.filters.tag
    if tag is not None and not is_tag(tag):
        raise BadParameter("tag", f"{tag[:80]!r} is not a tag")


def _walk(db: Connection, query: Query) -> Iterator[tuple[Repository, tuple[Any, ...]]]:
    """All tags that the filter asks for after the query's key, deleted ones included."""
    filters = query.filters
    registry, name, tag = cast("tuple[str, str, str]", query.after or ("", "", ""))
    for repository in iterate_repositories(db, filters, start=(registry, name)):
        last = tag if (repository.registry, repository.name) == (registry, name) else ""
        for row in _walk_repository(db, repository.id, filters.tag, last, query.at):
            yield repository, row


def _walk_repository(
    db: Connection, repository_id: int, tag: str | None, last: str, at: int | None
) -> Iterator[tuple[Any, ...]]:
    sql, values = (_NOW, (repository_id,)) if at is None else (_THEN, (at, repository_id))
    if tag is not None:
        yield from db.execute(sql.format("="), (*values, tag, 1)).fetchall() if tag > last else ()
        return
    size = _FIRST_READ
    while True:
        rows = db.execute(sql.format(">"), (*values, last, size)).fetchall()
        yield from rows
        if len(rows) < size:
            return
        last, size = rows[-1][1], min(size * 4, _LARGEST_READ)


def _read_tag(
    db: Connection, rules: Rules, repository: Repository, row: tuple[Any, ...], releases: Releases, *, at: int | None
) -> TaggedDigest:
    _, name, manifest_id, since, seq = row
    digest, media_type, size, line, actor = db.execute(
        "SELECT m.digest, m.media_type, m.size, l.line, a.name FROM manifests m, lines l"
        " JOIN entries e ON e.seq = l.seq LEFT JOIN actors a ON a.id = e.actor_id WHERE m.id = ? AND l.seq = ?",
        (manifest_id, seq),
    ).fetchone()
    named = releases.now(manifest_id) if at is None else releases.at(manifest_id, at)
    host = rules.hosts.host(repository.registry, read_line(line).host)
    return TaggedDigest(
        registry=repository.registry,
        repository=repository.name,
        tag=name,
        kind=rules.explain(repository.name, name).kind,
        reference=str(Reference(repository.name, name, digest, host)),
        host=host,
        digest=digest,
        since=Instant(since),
        release_tags=tuple(other.tag for other in named if other.tag != name),
        media_type=media_type,
        size=size,
        actor=actor,
        seq=seq,
    )
