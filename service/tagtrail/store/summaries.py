"""Summaries: how many moves and deployments some lines made, and what their tags are now."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from tagtrail.store.database import Connection
from tagtrail.store.deployments import RecordedDeployment
from tagtrail.store.environments import find_environments
from tagtrail.store.moves import TagFilter, find_unmatched_deletes
from tagtrail.store.query import Filter, Query
from tagtrail.store.releases import Releases
from tagtrail.store.series import marks
from tagtrail.trail.rules import Rules

_READ = 500  # lines read at a time


@dataclass(frozen=True, slots=True)
class SummaryEnvironment:
    """An environment for which a pipeline declared something, with what is published for it now."""

    registry: str
    repository: str
    environment: str
    published: RecordedDeployment | None


@dataclass(frozen=True, slots=True)
class SummaryTag:
    """A tag with the number of its moves, and its digest now; `environments` are those that it means."""

    registry: str
    repository: str
    tag: str
    digest: str | None
    releases: tuple[str, ...]
    environments: tuple[str, ...]
    moves: int
    violates: bool


@dataclass(frozen=True, slots=True)
class TagSummary:
    """Counts, and the most important environments and tags. `count` is the number of moves and declared deployments."""

    since: int
    until: int
    count: int
    kinds: dict[str, int]
    deployments: int
    withdrawals: int
    violations: int
    repositories: int
    tag_count: int
    tags: tuple[SummaryTag, ...]
    environments: tuple[SummaryEnvironment, ...] = ()


@dataclass(slots=True)
class _Tag:
    newest: int = 0
    moves: int = 0
    violates: bool = False
    environments: set[str] = field(default_factory=set)


def summarize(
    db: Connection, seqs: Sequence[int], rules: Rules, *, most: int, accepts: TagFilter | None = None
) -> TagSummary:
    """Summarize the lines, with at most `most` tags: violations first, then environments' tags, then the newest.

    Of several tags that one line deletes only those count that the filter accepts, as in `find_message_data`. A
    declared digest need not be one that a tag names, so these environments have a list of their own, of at most `most`.
    """
    tags: dict[int, _Tag] = {}
    times: list[int] = []
    kinds: Counter[str] = Counter()
    repositories: set[int] = set()
    environments: dict[tuple[str, int], None] = {}
    violations = deployments = withdrawals = declared = 0
    ignored = _find_ignored(db, seqs, accepts)
    for seq, tag_id, repository_id, occurred_at, kind, violates in _rows(db, _MOVES, seqs):
        if (seq, tag_id) in ignored:
            continue
        tag = tags.setdefault(tag_id, _Tag())
        tag.newest = max(tag.newest, occurred_at)
        tag.moves += 1
        tag.violates |= bool(violates)
        kinds[kind] += 1
        violations += violates
        times.append(occurred_at)
        repositories.add(repository_id)
    for seq, tag_id, repository_id, occurred_at, environment, basis, manifest_id in _rows(db, _PUBLISHED, seqs):
        if (seq, tag_id) in ignored:
            continue
        tag = tags.setdefault(tag_id, _Tag(occurred_at)) if tag_id else _Tag()
        if basis == "declared":
            environments[environment, repository_id] = None
        else:
            tag.environments.add(environment)
        deployments += manifest_id is not None
        withdrawals += manifest_id is None
        declared += basis == "declared"
        times.append(occurred_at)
        repositories.add(repository_id)
    first = sorted(
        tags, key=lambda tag_id: (not tags[tag_id].violates, not tags[tag_id].environments, -tags[tag_id].newest)
    )
    releases = Releases(db)
    return TagSummary(
        since=min(times, default=0),
        until=max(times, default=0),
        count=kinds.total() + declared,
        kinds={kind: kinds[kind] for kind in ("created", "moved", "moved_back", "deleted")},
        deployments=deployments,
        withdrawals=withdrawals,
        violations=violations,
        repositories=len(repositories),
        tag_count=len(tags),
        tags=tuple(_read_tag(db, tag_id, tags[tag_id], releases) for tag_id in first[:most]),
        environments=tuple(_read_environment(db, rules, *key) for key in islice(environments, most)),
    )


_MOVES = (
    "SELECT m.seq, m.tag_id, t.repository_id, m.occurred_at, m.kind, m.violates FROM moves m"
    " JOIN tags t ON t.id = m.tag_id WHERE m.seq IN ({})"
)
_PUBLISHED = (
    "SELECT seq, tag_id, repository_id, occurred_at, environment, basis, manifest_id FROM publications"
    " WHERE seq IN ({})"
)


def _find_ignored(db: Connection, seqs: Sequence[int], accepts: TagFilter | None) -> set[tuple[int, int]]:
    pieces = (tuple(seqs[start : start + _READ]) for start in range(0, len(seqs), _READ))
    return {each for some in pieces for each in find_unmatched_deletes(db, some, accepts)}


def _rows(db: Connection, sql: str, seqs: Sequence[int]) -> Iterable[Any]:
    for start in range(0, len(seqs), _READ):
        some = seqs[start : start + _READ]
        yield from db.execute(sql.format(marks(some)), tuple(some))


def _read_environment(db: Connection, rules: Rules, environment: str, repository_id: int) -> SummaryEnvironment:
    registry, repository = db.execute(
        "SELECT g.name, r.name FROM repositories r JOIN registries g ON g.id = r.registry_id WHERE r.id = ?",
        (repository_id,),
    ).fetchone()
    filters = Filter(registry=registry, repository=repository, environment=environment)
    state = next(iter(find_environments(db, Query(rules, filters, limit=1)).items), None)
    return SummaryEnvironment(registry, repository, environment, state.published if state else None)


def _read_tag(db: Connection, tag_id: int, tag: _Tag, releases: Releases) -> SummaryTag:
    registry, repository, name, manifest_id, digest = db.execute(
        "SELECT g.name, r.name, t.name, t.head_id, m.digest FROM tags t JOIN repositories r ON r.id = t.repository_id"
        " JOIN registries g ON g.id = r.registry_id LEFT JOIN manifests m ON m.id = t.head_id WHERE t.id = ?",
        (tag_id,),
    ).fetchone()
    named = releases.now(manifest_id) if manifest_id is not None else ()
    return SummaryTag(
        registry=registry,
        repository=repository,
        tag=name,
        digest=digest,
        releases=tuple(release.tag for release in named if release.tag != name),
        environments=tuple(sorted(tag.environments)),
        moves=tag.moves,
        violates=tag.violates,
    )
