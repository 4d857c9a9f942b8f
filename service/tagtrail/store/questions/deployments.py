"""Deployments: what was published for an environment, newest first, each with the one before it."""

from collections.abc import Callable, Iterator
from heapq import merge
from typing import Final

import msgspec

from tagtrail.ledger.line import disclosed_value, read_line
from tagtrail.store.answers import Cut, DeploymentAnswer, Filter, Key, Page, Published
from tagtrail.store.database import Connection
from tagtrail.store.questions.names import (
    find_actor_id,
    find_manifest_ids,
    find_registry_id,
    find_repositories,
    find_tag_ids,
    restricts_repositories,
)
from tagtrail.store.questions.releases import Releases
from tagtrail.store.questions.series import Row, Series, Source, Span, gather, walk

_KEY = ("p.occurred_at", "p.event", "p.environment", "p.repository_id", "p.tag_id")
_FACTS = ("p.manifest_id", "p.seq", "e.registry_id", "e.actor_id")
PUBLICATIONS: Final = Series("publications p", _KEY)
_WITH_ENTRIES = Series("publications p CROSS JOIN entries e ON e.seq = p.seq", _KEY, _FACTS)
_AT = {name: at for at, name in enumerate(_KEY + _FACTS)}
_LATEST = 2**63 - 1

Tests = list[tuple[int, frozenset[int]]]  # the place of a column in a row, and the values that will do


class _Raw(msgspec.Struct):
    """What a declared deployment keeps of its request beside what stands in the line."""

    note: str | None = None


def find_deployments(db: Connection, asked: Filter, cut: Cut) -> Page[DeploymentAnswer]:
    """The deployments that the filter asks for, newest first by the registry's clock; no withdrawals.

    Key: (occurred_at, event, environment, repository's id, tag's id).
    """
    found, after = find_keys(db, asked, cut)
    releases = Releases(db)
    return Page(tuple(read_deployment(db, key, releases) for key in found), after)


def find_keys(db: Connection, asked: Filter, cut: Cut) -> tuple[list[Key], Key | None]:
    """The keys of the deployments that the filter asks for, and the key to go on after."""
    repositories = find_repositories(db, asked) if restricts_repositories(asked) else None
    manifests = find_manifest_ids(db, asked.digest, repositories) if asked.digest is not None else None
    ids = None if repositories is None else [repository.id for repository in repositories]
    span = Span(cut.after or (_LATEST if asked.until is None else asked.until, b"", "", 0, 0), asked.since or 0)
    rows = _choose(db, asked, span, repositories=ids, manifests=manifests)
    tests = _tests(db, asked, ids)
    if asked.tag is not None:
        tests.append((_AT["p.tag_id"], frozenset(find_tag_ids(db, asked.tag, repositories))))
    found, after = gather(rows, _WITH_ENTRIES, limit=cut.limit, keep=_keep(asked, tests))
    return [row[: len(_KEY)] for row in found], after


def get_deployment(db: Connection, seq: int) -> tuple[Key, DeploymentAnswer] | None:
    """The deployment that the line `seq` declared, with its key."""
    key = db.execute(
        f"SELECT {', '.join(_KEY)} FROM publications p WHERE p.seq = ? AND p.basis = 'declared'", (seq,)
    ).fetchone()
    return (key, read_deployment(db, key, Releases(db))) if key else None


def read_deployment(db: Connection, key: Key, releases: Releases) -> DeploymentAnswer:
    """The deployment with this key."""
    row = db.execute(
        "SELECT p.environment, g.name, r.name, t.name, m.digest, p.occurred_at, p.event, p.until, p.seq, p.basis,"
        " p.direction, a.name, l.line, CASE WHEN p.basis = 'declared' THEN d.raw END, p.manifest_id, p.repository_id,"
        " p.previous_seq FROM publications p JOIN repositories r ON r.id = p.repository_id"
        " JOIN registries g ON g.id = r.registry_id JOIN manifests m ON m.id = p.manifest_id"
        " JOIN lines l ON l.seq = p.seq JOIN entries e ON e.seq = p.seq LEFT JOIN actors a ON a.id = e.actor_id"
        " LEFT JOIN tags t ON t.id = p.tag_id LEFT JOIN disclosures d ON d.seq = p.seq"
        " WHERE p.occurred_at = ? AND p.event = ? AND p.environment = ? AND p.repository_id = ? AND p.tag_id = ?",
        key,
    ).fetchone()
    *plain, line, raw, manifest_id, repository_id, previous_seq = row
    environment, registry, repository, tag, digest, occurred_at, event, until, seq, basis, direction, actor = plain
    entry = read_line(line)
    return DeploymentAnswer(
        environment=environment,
        registry=registry,
        repository=repository,
        tag=tag,
        digest=digest,
        occurred_at=occurred_at,
        event=event,
        until=until,
        seq=seq,
        basis=basis,
        direction=direction,
        host=entry.host,
        actor=actor,
        assurance=entry.actor_assurance,
        change=entry.change,
        note=msgspec.json.decode(disclosed_value(raw), type=_Raw).note if raw else None,
        release_then=releases.at(manifest_id, occurred_at),
        release_now=releases.now(manifest_id),
        previous=_get_previous(db, (environment, repository_id), previous_seq, releases, was_left=direction == "back"),
    )


def find_published(
    db: Connection, key: Key, releases: Releases, *, was_rolled_back: bool, was_deleted: bool
) -> Published:
    """The deployment with this key, as one before another or one to roll back to."""
    registry, repository, tag, digest, occurred_at, until, seq, line, manifest_id = db.execute(
        "SELECT g.name, r.name, t.name, m.digest, p.occurred_at, p.until, p.seq, l.line, p.manifest_id"
        " FROM publications p JOIN repositories r ON r.id = p.repository_id JOIN registries g ON g.id = r.registry_id"
        " JOIN manifests m ON m.id = p.manifest_id JOIN lines l ON l.seq = p.seq LEFT JOIN tags t ON t.id = p.tag_id"
        " WHERE p.occurred_at = ? AND p.event = ? AND p.environment = ? AND p.repository_id = ? AND p.tag_id = ?",
        key,
    ).fetchone()
    return Published(
        registry=registry,
        repository=repository,
        tag=tag,
        digest=digest,
        occurred_at=occurred_at,
        until=until,
        seq=seq,
        host=read_line(line).host,
        release_then=releases.at(manifest_id, occurred_at),
        release_now=releases.now(manifest_id),
        was_rolled_back=was_rolled_back,
        was_deleted=was_deleted,
    )


def is_deleted(db: Connection, manifest_id: int) -> bool:
    """Whether the last that was heard of the manifest itself is its deletion."""
    row = db.execute(
        "SELECT kind FROM entries WHERE manifest_id = ? AND kind IN ('push', 'delete') ORDER BY seq DESC LIMIT 1",
        (manifest_id,),
    ).fetchone()
    return row is not None and row[0] == "delete"


def _get_previous(
    db: Connection, place: tuple[str, int], seq: int | None, releases: Releases, *, was_left: bool
) -> Published | None:
    """The deployment of the line `seq` at the place; `was_left` if what followed it went back."""
    row = db.execute(
        f"SELECT {', '.join(_KEY)}, p.manifest_id FROM publications p"
        " WHERE p.seq = ? AND p.environment = ? AND p.repository_id = ? AND p.manifest_id IS NOT NULL LIMIT 1",
        (seq, *place),
    ).fetchone()
    if row is None:
        return None
    *key, manifest_id = row
    deleted = is_deleted(db, manifest_id)
    return find_published(db, tuple(key), releases, was_rolled_back=was_left, was_deleted=deleted)


def _choose(
    db: Connection, asked: Filter, span: Span, *, repositories: list[int] | None, manifests: list[int] | None
) -> Iterator[Row]:
    """Walk along the narrowest index that the filter allows."""
    if manifests is not None:
        return walk(db, _WITH_ENTRIES, Source(column="p.manifest_id", ids=tuple(manifests)), span)
    if repositories is not None:
        environments = [asked.environment] if asked.environment is not None else find_environment_names(db)
        walks = (
            walk(db, _WITH_ENTRIES, Source("p.environment = ?", (name,), "p.repository_id", tuple(repositories)), span)
            for name in environments
        )
        return merge(*walks, reverse=True)
    if asked.environment is not None:
        return walk(db, _WITH_ENTRIES, Source("p.environment = ?", (asked.environment,)), span)
    return walk(db, _WITH_ENTRIES, Source(), span)


def _tests(db: Connection, asked: Filter, repositories: list[int] | None) -> Tests:
    tests: Tests = []
    if repositories is not None:
        tests.append((_AT["p.repository_id"], frozenset(repositories)))
    elif asked.registry is not None:
        tests.append((_AT["e.registry_id"], frozenset({find_registry_id(db, asked.registry) or -1})))
    if asked.actor is not None:
        tests.append((_AT["e.actor_id"], frozenset({find_actor_id(db, asked.actor) or -1})))
    return tests


def _keep(asked: Filter, tests: Tests) -> Callable[[Row], bool]:
    manifest_at, seq_at, environment_at = _AT["p.manifest_id"], _AT["p.seq"], _AT["p.environment"]
    last_seq = _LATEST if asked.last_seq is None else asked.last_seq

    def keep(row: Row) -> bool:
        return (
            row[manifest_at] is not None
            and row[seq_at] <= last_seq
            and asked.environment in (None, row[environment_at])
            and all(row[at] in values for at, values in tests)
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
