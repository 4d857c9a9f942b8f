"""Deployments: the images published for environments, newest first."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from tagtrail.line import Assurance, read_line, read_note
from tagtrail.store.database import Connection
from tagtrail.store.fields import ActorName, Duration, Host, ImageReference, Seq
from tagtrail.store.names import (
    find_actor_id,
    find_manifest_ids,
    find_registry_id,
    find_repositories,
    find_tag_ids,
    restricts_repositories,
)
from tagtrail.store.query import Filter, Key, Page, Query
from tagtrail.store.releases import Releases
from tagtrail.store.series import GLANCE, MANY_RANGES, RangeSource, Row, Series, Span, gather, walk
from tagtrail.trail.deployments import Basis, Direction
from tagtrail.trail.instant import LATEST, Instant, seconds_between
from tagtrail.trail.names import Reference
from tagtrail.trail.rules import Rules

KEY: Final = ("p.occurred_at", "p.event", "p.environment", "p.repository_id", "p.tag_id")
BY_KEY: Final = " AND ".join(f"{column} = ?" for column in KEY)

_BY_LINE = "p.seq = ? AND p.environment = ? AND p.repository_id = ? AND p.manifest_id IS NOT NULL LIMIT 1"
_DEPLOYMENT = (
    "SELECT p.environment, g.name, r.name, t.name, m.digest, p.occurred_at, p.until, p.seq, p.basis,"
    " p.direction, a.name, l.line, CASE WHEN p.basis = 'declared' THEN d.raw END, p.manifest_id, p.previous_seq,"
    " p.environment, p.repository_id FROM publications p JOIN repositories r ON r.id = p.repository_id"
    " JOIN registries g ON g.id = r.registry_id JOIN manifests m ON m.id = p.manifest_id"
    " JOIN lines l ON l.seq = p.seq JOIN entries e ON e.seq = p.seq LEFT JOIN actors a ON a.id = e.actor_id"
    f" LEFT JOIN tags t ON t.id = p.tag_id LEFT JOIN disclosures d ON d.seq = p.seq WHERE {BY_KEY}"
)
# The newest line about the manifest of the row `p` shows whether it was deleted.
LAST_HEARD: Final = (
    "(SELECT e.kind FROM entries e WHERE e.manifest_id = p.manifest_id AND e.kind IN ('push', 'delete')"
    " ORDER BY e.seq DESC LIMIT 1)"
)
_PUBLISHED = (
    f"SELECT g.name, r.name, t.name, m.digest, p.occurred_at, p.until, p.seq, l.line, p.manifest_id, {LAST_HEARD}"
    " FROM publications p JOIN repositories r ON r.id = p.repository_id JOIN registries g ON g.id = r.registry_id"
    " JOIN manifests m ON m.id = p.manifest_id JOIN lines l ON l.seq = p.seq LEFT JOIN tags t ON t.id = p.tag_id"
    " WHERE "
)

_FACTS = ("p.manifest_id", "p.seq", "p.basis")
PUBLICATIONS: Final = Series("publications p", KEY, _FACTS)
_WITH_ENTRIES = Series(
    "publications p CROSS JOIN entries e ON e.seq = p.seq", KEY, (*_FACTS, "e.registry_id", "e.actor_id")
)

# For each column that a filter names, the values that match.
DeploymentConditions = dict[str, frozenset[int | str]]


class EarlierDigest(msgspec.Struct, frozen=True):
    """The digest that an environment or a tag had before: the one before a deployment, or one to go back to."""

    registry: str
    repository: str
    tag: str | None
    reference: ImageReference
    host: Host
    digest: str
    at: Annotated[Instant, Meta(description="When it was published.")]
    until: Instant | None
    seconds: Duration
    release_tags_then: Annotated[tuple[str, ...], Meta(description="Release tags that named it when it was published.")]
    release_tags_now: Annotated[tuple[str, ...], Meta(description="Release tags that name it now.")]
    rolled_back: Annotated[bool, Meta(description="Whether a rollback to an earlier digest replaced it.")]
    deleted: Annotated[bool, Meta(description="Whether the registry has since reported its deletion.")]
    seq: Seq

    @property
    def pinned(self) -> str:
        """The reference to deploy to return to it: under its release tag, since its own tag moved on."""
        return str(Reference(self.repository, next(iter(self.release_tags_now), None), self.digest, self.host))


class RecordedDeployment(msgspec.Struct, frozen=True):
    """A digest published for an environment. A registry cannot tell whether it runs there.

    A release tag that arrives a second later, as `docker push --all-tags` sends it, is only in `release_tags_now`.
    """

    environment: str
    registry: str
    repository: str
    tag: Annotated[str | None, Meta(description="Null when declared by digest alone.")]
    digest: str
    reference: ImageReference
    host: Host
    at: Annotated[Instant, Meta(description="By the registry's clock if reported, by this service's if declared.")]
    until: Annotated[Instant | None, Meta(description="When it was replaced or withdrawn; null while it is published.")]
    seconds: Duration
    direction: Annotated[
        Direction, Meta(description="`back`: to a digest that the environment had before, with another one in between.")
    ]
    basis: Annotated[Basis, Meta(description="`reported`: its tag moved. `declared`: a pipeline declared it.")]
    release_tags_then: Annotated[
        tuple[str, ...], Meta(description="Release tags that named the digest at that moment.")
    ]
    release_tags_now: Annotated[tuple[str, ...], Meta(description="Release tags that name the digest now.")]
    unpinned: Annotated[bool, Meta(description="No release tag names the digest, then or now.")]
    actor: ActorName
    actor_assurance: Assurance | None
    change: Annotated[str | None, Meta(description="Ticket or commit, as the pipeline wrote it.")]
    note: str | None
    previous: Annotated[EarlierDigest | None, Meta(description="The deployment before; null for the first.")]
    seq: Seq
    lines: Annotated[tuple[int, ...], Meta(description="The lines that prove it: its own and its release tags'.")]


@dataclass(frozen=True, slots=True)
class Following:
    """The publication after a deployment in its environment and repository; a withdrawal has no digest.

    `occurred_at` is in nanoseconds UTC.
    """

    seq: int
    occurred_at: int
    direction: Direction | None
    digest: str | None


def find_deployments(db: Connection, query: Query, *, basis: Basis | None = None) -> Page[RecordedDeployment]:
    """The deployments that match the filter, newest first by the registry's clock; no withdrawals.

    `basis` leaves only those that were reported, or declared.

    Key: (occurred_at, event, environment, repository's id, tag's id).
    """
    found, after = find_keys(db, query, basis=basis)
    return Page(tuple(read_deployments(db, found, query.rules, Releases(db))), after)


def find_keys(db: Connection, query: Query, *, basis: Basis | None = None) -> tuple[list[Key], Key | None]:
    """The keys of the matching deployments, and the key after which to continue."""
    filters = query.filters
    wanted = _find_wanted(db, filters)
    if basis is not None:
        wanted["p.basis"] = frozenset({basis})
    series = _WITH_ENTRIES if wanted.keys() & {"e.registry_id", "e.actor_id"} else PUBLICATIONS
    span = Span(query.after or (LATEST if filters.until is None else filters.until, b"", "", 0, 0), filters.since or 0)
    keep = _keep(series, wanted, LATEST if filters.last_seq is None else filters.last_seq)
    if len(wanted.get("p.repository_id", ())) > MANY_RANGES:
        found, after = gather(
            walk(db, series, _by_time(filters), span), series, limit=query.limit, keep=keep, most=GLANCE
        )
        if len(found) == query.limit:
            return [row[: len(KEY)] for row in found], after
    found, after = gather(_walk(db, series, filters, wanted, span), series, limit=query.limit, keep=keep)
    return [row[: len(KEY)] for row in found], after


def get_deployment(
    db: Connection, seq: int, rules: Rules, environment: str | None = None
) -> tuple[Key, RecordedDeployment] | None:
    """The deployment that the line `seq` made for the environment, with its key.

    A line that declared a deployment has only one environment, so it need not be named.
    """
    key = db.execute(
        f"SELECT {', '.join(KEY)} FROM publications p WHERE p.seq = ? AND p.manifest_id IS NOT NULL"
        " AND coalesce(p.environment = ?, p.basis = 'declared')",
        (seq, environment),
    ).fetchone()
    return (key, read_deployments(db, [key], rules, Releases(db))[0]) if key else None


def find_next(db: Connection, key: Key) -> Following | None:
    """The publication or withdrawal that replaced the deployment with this key; None if none has."""
    occurred_at, event, environment, repository_id, tag_id = key
    row = db.execute(
        "SELECT p.seq, p.occurred_at, p.direction, m.digest FROM publications p"
        " LEFT JOIN manifests m ON m.id = p.manifest_id WHERE p.environment = ? AND p.repository_id = ?"
        " AND (p.occurred_at, p.event, p.tag_id) > (?, ?, ?) ORDER BY p.occurred_at, p.event, p.tag_id LIMIT 1",
        (environment, repository_id, occurred_at, event, tag_id),
    ).fetchone()
    return Following(*row) if row else None


def find_last_time(db: Connection, key: Key, rules: Rules) -> EarlierDigest | None:
    """The newest earlier deployment of the same digest in the same environment and repository."""
    row = db.execute(
        f"SELECT {', '.join(f'before.{column[2:]}' for column in KEY)} FROM publications p"
        # The digest has few publications; the environment may have many.
        " CROSS JOIN publications before ON before.manifest_id = p.manifest_id"
        " AND +before.environment = p.environment AND +before.repository_id = p.repository_id"
        " AND (before.occurred_at, before.event, before.tag_id) < (p.occurred_at, p.event, p.tag_id)"
        f" WHERE {BY_KEY} ORDER BY before.occurred_at DESC, before.event DESC, before.tag_id DESC LIMIT 1",
        key,
    ).fetchone()
    return find_published(db, row, rules, Releases(db), rolled_back=False) if row else None


def _find_wanted(db: Connection, filters: Filter) -> DeploymentConditions:
    """The filter's conditions on columns; an empty set if nothing can match. Raises BadParameter."""
    wanted: DeploymentConditions = {}
    repositories = find_repositories(db, filters) if restricts_repositories(filters) else None
    if repositories is not None:
        wanted["p.repository_id"] = frozenset(repository.id for repository in repositories)
    elif filters.registry is not None:
        wanted["e.registry_id"] = frozenset({find_registry_id(db, filters.registry) or -1})
    if filters.environment is not None:
        wanted["p.environment"] = frozenset({filters.environment})
    if filters.actor is not None:
        wanted["e.actor_id"] = frozenset({find_actor_id(db, filters.actor) or -1})
    if filters.tag is not None:
        wanted["p.tag_id"] = frozenset(find_tag_ids(db, filters.tag, repositories))
    if filters.digest is not None:
        wanted["p.manifest_id"] = frozenset(find_manifest_ids(db, filters.digest, repositories))
    return wanted


def _walk(db: Connection, series: Series, filters: Filter, wanted: DeploymentConditions, span: Span) -> Iterator[Row]:
    """Walk along the narrowest index that the filter allows."""
    if not all(wanted.values()):
        return iter(())
    if "p.manifest_id" in wanted:
        return walk(db, series, RangeSource(column="p.manifest_id", ids=tuple(wanted["p.manifest_id"])), span)
    if "p.repository_id" in wanted:
        ids = tuple(wanted["p.repository_id"])
        names = [filters.environment] if filters.environment is not None else find_environment_names(db)
        sources = (RangeSource("p.environment = ?", (name,), "p.repository_id", ids) for name in names)
        return merge(*(walk(db, series, source, span) for source in sources), reverse=True)
    return walk(db, series, _by_time(filters), span)


def _by_time(filters: Filter) -> RangeSource:
    return RangeSource() if filters.environment is None else RangeSource("p.environment = ?", (filters.environment,))


def _keep(series: Series, wanted: DeploymentConditions, last_seq: int) -> Callable[[Row], bool]:
    places = {column: at for at, column in enumerate(series.key + series.facts)}
    manifest_at, seq_at = places["p.manifest_id"], places["p.seq"]
    tests = [(places[column], values) for column, values in wanted.items()]

    def keep(row: Row) -> bool:
        return (
            row[manifest_at] is not None and row[seq_at] <= last_seq and all(row[at] in values for at, values in tests)
        )

    return keep


def find_environment_names(db: Connection) -> list[str]:
    """Every environment with a publication, by name."""
    names: list[str] = []
    while True:
        row = db.execute(
            "SELECT environment FROM publications WHERE environment > ? ORDER BY environment LIMIT 1",
            (names[-1] if names else "",),
        ).fetchone()
        if row is None:
            return names
        names.append(row[0])


def read_deployments(db: Connection, keys: Sequence[Key], rules: Rules, releases: Releases) -> list[RecordedDeployment]:
    """The deployments with these keys, in that order."""
    rows = [db.execute(_DEPLOYMENT, key).fetchone() for key in keys]
    before = [db.execute(_PUBLISHED + _BY_LINE, row[-3:]).fetchone() if row[-3] is not None else None for row in rows]
    releases.load([row[-4] for row in rows] + [row[-2] for row in before if row is not None])
    return [_deployment(row, previous, rules, releases) for row, previous in zip(rows, before, strict=True)]


def find_published(db: Connection, key: Key, rules: Rules, releases: Releases, *, rolled_back: bool) -> EarlierDigest:
    """The digest of the deployment with this key, as the target of a rollback."""
    return read_earlier(db.execute(_PUBLISHED + BY_KEY, key).fetchone(), rules, releases, rolled_back=rolled_back)


def _deployment(row: Row, previous: Row | None, rules: Rules, releases: Releases) -> RecordedDeployment:
    *plain, line, raw, manifest_id, _, _, _ = row
    environment, registry, repository, tag, digest, occurred_at, until, seq, basis, direction, actor = plain
    entry = read_line(line)
    host = rules.hosts.host(registry, entry.host)
    then, now = releases.at(manifest_id, occurred_at), releases.now(manifest_id)
    went_back = direction == "back"
    return RecordedDeployment(
        environment=environment,
        registry=registry,
        repository=repository,
        tag=tag,
        digest=digest,
        reference=str(Reference(repository, tag, digest, host)),
        host=host,
        at=Instant(occurred_at),
        until=Instant.maybe(until),
        seconds=seconds_between(occurred_at, until),
        direction=direction,
        basis=basis,
        release_tags_then=tuple(each.tag for each in then),
        release_tags_now=tuple(each.tag for each in now),
        unpinned=not (then or now),
        actor=actor,
        actor_assurance=entry.actor_assurance,
        change=entry.change,
        note=read_note(raw),
        previous=None if previous is None else read_earlier(previous, rules, releases, rolled_back=went_back),
        seq=seq,
        lines=tuple(sorted({seq, *(each.seq for each in then + now)})),
    )


def read_earlier(row: Row, rules: Rules, releases: Releases, *, rolled_back: bool) -> EarlierDigest:
    """An earlier digest from a row; the row ends with the manifest's id and the kind of its newest entry."""
    registry, repository, tag, digest, occurred_at, until, seq, line, manifest_id, last_kind = row
    host = rules.hosts.host(registry, read_line(line).host)
    return EarlierDigest(
        registry=registry,
        repository=repository,
        tag=tag,
        reference=str(Reference(repository, tag, digest, host)),
        host=host,
        digest=digest,
        at=Instant(occurred_at),
        until=Instant.maybe(until),
        seconds=seconds_between(occurred_at, until),
        release_tags_then=tuple(each.tag for each in releases.at(manifest_id, occurred_at)),
        release_tags_now=tuple(each.tag for each in releases.now(manifest_id)),
        rolled_back=rolled_back,
        deleted=last_kind == "delete",
        seq=seq,
    )
