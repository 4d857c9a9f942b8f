"""Release tags that name a digest: at a moment, during an interval, or now."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from tagtrail.line import read_line
from tagtrail.store.database import Connection
from tagtrail.store.fields import ActorName, Host, ImageReference, RegistryTime, Seq
from tagtrail.store.names import (
    find_actor_id,
    find_manifest_ids,
    find_registry_id,
    find_repositories,
    restricts_repositories,
)
from tagtrail.store.query import Filter, Page, Query
from tagtrail.store.series import RangeSource, Row, Series, Span, gather, marks, walk
from tagtrail.trail.instant import LATEST, Instant
from tagtrail.trail.moves import MoveKind
from tagtrail.trail.names import Reference
from tagtrail.trail.rules import Rules

MOST_RELEASES: Final = 100  # release tags examined per digest, the newest ones
MOST_TAGS: Final = 5_000  # tags of the repositories in a filter that are searched one by one for violations


@dataclass(frozen=True, slots=True)
class ReleaseName:
    """A release tag that points to a digest since an instant, and its line; `until` is None while it does.

    Instants are nanoseconds UTC, by the registry's clock.
    """

    tag: str
    seq: int
    since: int
    until: int | None


class Releases:
    """The release tags of digests for one page; each digest is looked up once."""

    def __init__(self, db: Connection) -> None:
        self._db = db
        self._newest: dict[int, list[ReleaseName]] = {}

    def during(self, manifest_id: int, since: int, until: int | None) -> tuple[ReleaseName, ...]:
        """The release tags that pointed to the manifest at any time from `since` to before `until`, by name.

        Each with the newest such interval.
        """
        before = LATEST if until is None else until
        found: dict[str, ReleaseName] = {}
        for named in self._find(manifest_id, before):
            if named.since < before and (named.until is None or named.until > since):
                found.setdefault(named.tag, named)
        return tuple(found[tag] for tag in sorted(found))

    def at(self, manifest_id: int, moment: int) -> tuple[ReleaseName, ...]:
        """The release tags that pointed to the manifest at the moment."""
        return self.during(manifest_id, moment, moment + 1)

    def now(self, manifest_id: int) -> tuple[ReleaseName, ...]:
        """The release tags that point to the manifest now, as far as the registry has reported."""
        return tuple(named for named in self.during(manifest_id, 0, None) if named.until is None)

    def load(self, manifest_ids: Collection[int]) -> None:
        """Look up several digests at once."""
        wanted = tuple(set(manifest_ids) - self._newest.keys())
        if not wanted:
            return
        rows = self._db.execute(
            "SELECT manifest_id, name, seq, occurred_at, until FROM ("
            " SELECT m.manifest_id, t.name, m.seq, m.occurred_at, m.until,"
            " row_number() OVER (PARTITION BY m.manifest_id ORDER BY m.occurred_at DESC) AS place"
            " FROM moves m JOIN tags t ON t.id = m.tag_id"
            f" WHERE m.manifest_id IN ({marks(wanted)}) AND m.is_release = 1"
            ") WHERE place <= ? ORDER BY manifest_id, occurred_at DESC",
            (*wanted, MOST_RELEASES),
        )
        self._newest |= {manifest_id: [] for manifest_id in wanted}
        for manifest_id, *named in rows:
            self._newest[manifest_id].append(ReleaseName(*named))

    def _find(self, manifest_id: int, before: int) -> list[ReleaseName]:
        """Intervals in which release tags named the manifest, newest first: all, or MOST_RELEASES from `before` on."""
        newest = self._newest.get(manifest_id)
        if newest is None:
            newest = self._newest[manifest_id] = self._read(manifest_id, LATEST)
        return newest if len(newest) < MOST_RELEASES else self._read(manifest_id, before)

    def _read(self, manifest_id: int, before: int) -> list[ReleaseName]:
        rows = self._db.execute(
            "SELECT t.name, m.seq, m.occurred_at, m.until FROM moves m JOIN tags t ON t.id = m.tag_id"
            " WHERE m.manifest_id = ? AND m.is_release = 1 AND m.occurred_at < ? ORDER BY m.occurred_at DESC LIMIT ?",
            (manifest_id, before, MOST_RELEASES),
        )
        return [ReleaseName(*row) for row in rows]


# Violations: release tags that moved or were deleted, for ever.


class Violation(msgspec.Struct, frozen=True):
    """A release tag that moved or was deleted."""

    registry: str
    repository: str
    tag: str
    kind: MoveKind
    at: RegistryTime
    reference: ImageReference
    host: Host
    digest: Annotated[str | None, Meta(description="The digest that it names since; null: deleted.")]
    previous_digest: Annotated[str | None, Meta(description="The digest that it named before.")]
    actor: ActorName
    seq: Seq


_KEY = ("m.occurred_at", "m.event", "m.tag_id")
_FACTS = ("m.seq", "m.manifest_id", "m.previous_id")
_VIOLATIONS = Series("moves m", _KEY, _FACTS)
_WITH_NAMES = Series(
    "moves m CROSS JOIN tags t ON t.id = m.tag_id CROSS JOIN entries e ON e.seq = m.seq",
    _KEY,
    (*_FACTS, "t.repository_id", "t.name", "e.registry_id", "e.actor_id"),
)


def find_violations(db: Connection, query: Query) -> Page[Violation]:
    """The violations that match the filter, newest first by the registry's clock.

    `digest` fits the digest before and the one after. Key: (occurred_at, event, tag's id).
    """
    filters = query.filters
    span = Span(query.after or (LATEST if filters.until is None else filters.until, b"", 0), filters.since or 0)
    wanted = _wanted(db, filters)
    source = _choose_source(db, wanted.get("t.repository_id"))
    if source.column:
        del wanted["t.repository_id"]
    series = _WITH_NAMES if wanted else _VIOLATIONS
    tests = [((series.key + series.facts).index(column), values) for column, values in wanted.items()]
    digests = None if filters.digest is None else frozenset(find_manifest_ids(db, filters.digest))
    last_seq = LATEST if filters.last_seq is None else filters.last_seq

    def keep(row: Row) -> bool:
        seq, now, before = row[len(_KEY) : len(_KEY) + len(_FACTS)]
        return (
            seq <= last_seq
            and all(row[at] in values for at, values in tests)
            and (digests is None or now in digests or before in digests)
        )

    rows = walk(db, series, source, span)
    found, after = gather(rows, series, limit=query.limit, keep=keep)
    return Page(tuple(_read_violation(db, query.rules, row) for row in found), after)


def _wanted(db: Connection, filters: Filter) -> dict[str, frozenset[Any]]:
    """For each column that is asked about, the values that will do."""
    wanted: dict[str, frozenset[Any]] = {}
    if restricts_repositories(filters):
        wanted["t.repository_id"] = frozenset(repository.id for repository in find_repositories(db, filters))
    elif filters.registry is not None:
        wanted["e.registry_id"] = frozenset({find_registry_id(db, filters.registry)})
    if filters.actor is not None:
        wanted["e.actor_id"] = frozenset({find_actor_id(db, filters.actor) or -1})
    if filters.tag is not None:
        wanted["t.name"] = frozenset({filters.tag})
    return wanted


def _choose_source(db: Connection, repository_ids: frozenset[int] | None) -> RangeSource:
    """The violations of the repositories' tags, one range for each; all violations if the tags are too many."""
    everything = RangeSource("m.violates = 1")
    if repository_ids is None or len(repository_ids) > MOST_TAGS:
        return everything
    rows = db.execute(
        "SELECT id, EXISTS (SELECT 1 FROM moves m WHERE m.tag_id = t.id AND m.violates = 1) FROM tags t"
        f" WHERE repository_id IN ({marks(repository_ids)}) LIMIT ?",
        (*repository_ids, MOST_TAGS + 1),
    ).fetchall()
    if len(rows) > MOST_TAGS:
        return everything
    return RangeSource(
        everything.condition, column="m.tag_id", ids=tuple(tag_id for tag_id, violates in rows if violates)
    )


def _read_violation(db: Connection, rules: Rules, row: Row) -> Violation:
    occurred_at, event, tag_id = row[: len(_KEY)]
    registry, repository, tag, kind, digest, previous, seq, line, actor = db.execute(
        "SELECT g.name, r.name, t.name, m.kind, now.digest, before.digest, m.seq, l.line, a.name"
        " FROM moves m JOIN tags t ON t.id = m.tag_id JOIN repositories r ON r.id = t.repository_id"
        " JOIN registries g ON g.id = r.registry_id JOIN lines l ON l.seq = m.seq JOIN entries e ON e.seq = m.seq"
        " LEFT JOIN manifests now ON now.id = m.manifest_id LEFT JOIN manifests before ON before.id = m.previous_id"
        " LEFT JOIN actors a ON a.id = e.actor_id WHERE m.tag_id = ? AND m.occurred_at = ? AND m.event = ?",
        (tag_id, occurred_at, event),
    ).fetchone()
    host = rules.hosts.host(registry, read_line(line).host)
    return Violation(
        registry=registry,
        repository=repository,
        tag=tag,
        kind=kind,
        at=Instant(occurred_at),
        reference=str(Reference(repository, tag, digest, host)),
        host=host,
        digest=digest,
        previous_digest=previous,
        actor=actor,
        seq=seq,
    )
