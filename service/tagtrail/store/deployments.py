"""Deployments: what was published for an environment, newest first."""

from collections.abc import Callable, Iterator
from heapq import merge
from typing import Final

from tagtrail.store.answers import DeploymentAnswer, Following, Published
from tagtrail.store.database import Connection
from tagtrail.store.names import (
    find_actor_id,
    find_manifest_ids,
    find_registry_id,
    find_repositories,
    find_tag_ids,
    restricts_repositories,
)
from tagtrail.store.publications import BY_KEY, KEY, find_published, read_deployments
from tagtrail.store.query import Filter, Key, Page, Query
from tagtrail.store.releases import Releases
from tagtrail.store.series import GLANCE, MANY_RANGES, Row, Series, Source, Span, gather, walk
from tagtrail.trail.deployments import Basis
from tagtrail.trail.instant import LATEST

_FACTS = ("p.manifest_id", "p.seq", "p.basis")
PUBLICATIONS: Final = Series("publications p", KEY, _FACTS)
_WITH_ENTRIES = Series(
    "publications p CROSS JOIN entries e ON e.seq = p.seq", KEY, (*_FACTS, "e.registry_id", "e.actor_id")
)

Wanted = dict[str, frozenset[int | str]]  # for each column that is asked about, the values that will do


def find_deployments(db: Connection, query: Query, *, basis: Basis | None = None) -> Page[DeploymentAnswer]:
    """The deployments that the filter asks for, newest first by the registry's clock; no withdrawals.

    `basis` leaves only those that were reported, or declared.

    Key: (occurred_at, event, environment, repository's id, tag's id).
    """
    found, after = find_keys(db, query, basis=basis)
    return Page(tuple(read_deployments(db, found, Releases(db))), after)


def find_keys(db: Connection, query: Query, *, basis: Basis | None = None) -> tuple[list[Key], Key | None]:
    """The keys of the deployments that the filter asks for, and the key to go on after."""
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


def get_deployment(db: Connection, seq: int, environment: str | None = None) -> tuple[Key, DeploymentAnswer] | None:
    """The deployment that the line `seq` made for the environment, with its key.

    Of a line that declared one the environment need not be named: it has only one.
    """
    key = db.execute(
        f"SELECT {', '.join(KEY)} FROM publications p WHERE p.seq = ? AND p.manifest_id IS NOT NULL"
        " AND coalesce(p.environment = ?, p.basis = 'declared')",
        (seq, environment),
    ).fetchone()
    return (key, read_deployments(db, [key], Releases(db))[0]) if key else None


def find_next(db: Connection, key: Key) -> Following | None:
    """What replaced the deployment with this key in its place, or withdrew it; None while nothing has."""
    occurred_at, event, environment, repository_id, tag_id = key
    row = db.execute(
        "SELECT p.seq, p.occurred_at, p.direction, m.digest FROM publications p"
        " LEFT JOIN manifests m ON m.id = p.manifest_id WHERE p.environment = ? AND p.repository_id = ?"
        " AND (p.occurred_at, p.event, p.tag_id) > (?, ?, ?) ORDER BY p.occurred_at, p.event, p.tag_id LIMIT 1",
        (environment, repository_id, occurred_at, event, tag_id),
    ).fetchone()
    return Following(*row) if row else None


def find_last_time(db: Connection, key: Key) -> Published | None:
    """When the environment had the digest of the deployment with this key last before it."""
    row = db.execute(
        f"SELECT {', '.join(f'before.{column[2:]}' for column in KEY)} FROM publications p"
        # The digest's own publications are few; those of the place need not be.
        " CROSS JOIN publications before ON before.manifest_id = p.manifest_id"
        " AND +before.environment = p.environment AND +before.repository_id = p.repository_id"
        " AND (before.occurred_at, before.event, before.tag_id) < (p.occurred_at, p.event, p.tag_id)"
        f" WHERE {BY_KEY} ORDER BY before.occurred_at DESC, before.event DESC, before.tag_id DESC LIMIT 1",
        key,
    ).fetchone()
    return find_published(db, row, Releases(db), was_rolled_back=False) if row else None


def _find_wanted(db: Connection, filters: Filter) -> Wanted:
    """What the filter says about the columns; an empty set where nothing can fit. Raises BadParameter."""
    wanted: Wanted = {}
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


def _walk(db: Connection, series: Series, filters: Filter, wanted: Wanted, span: Span) -> Iterator[Row]:
    """Walk along the narrowest index that the filter allows."""
    if not all(wanted.values()):
        return iter(())
    if "p.manifest_id" in wanted:
        return walk(db, series, Source(column="p.manifest_id", ids=tuple(wanted["p.manifest_id"])), span)
    if "p.repository_id" in wanted:
        ids = tuple(wanted["p.repository_id"])
        names = [filters.environment] if filters.environment is not None else find_environment_names(db)
        sources = (Source("p.environment = ?", (name,), "p.repository_id", ids) for name in names)
        return merge(*(walk(db, series, source, span) for source in sources), reverse=True)
    return walk(db, series, _by_time(filters), span)


def _by_time(filters: Filter) -> Source:
    return Source() if filters.environment is None else Source("p.environment = ?", (filters.environment,))


def _keep(series: Series, wanted: Wanted, last_seq: int) -> Callable[[Row], bool]:
    places = {column: at for at, column in enumerate(series.key + series.facts)}
    manifest_at, seq_at = places["p.manifest_id"], places["p.seq"]
    tests = [(places[column], values) for column, values in wanted.items()]

    def keep(row: Row) -> bool:
        return (
            row[manifest_at] is not None and row[seq_at] <= last_seq and all(row[at] in values for at, values in tests)
        )

    return keep


def find_environment_names(db: Connection) -> list[str]:
    """Every environment that anything was ever published for, by name."""
    names: list[str] = []
    while True:
        row = db.execute(
            "SELECT environment FROM publications WHERE environment > ? ORDER BY environment LIMIT 1",
            (names[-1] if names else "",),
        ).fetchone()
        if row is None:
            return names
        names.append(row[0])
