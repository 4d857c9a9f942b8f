"""The image published for each environment, now or at an instant, and the target of a rollback."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Annotated, Final, cast

import msgspec
from msgspec import Meta

from tagtrail.errors import NotRecorded
from tagtrail.store.database import Connection
from tagtrail.store.deployments import (
    EarlierDigest,
    RecordedDeployment,
    find_environment_names,
    find_published,
    get_deployment,
    read_deployments,
)
from tagtrail.store.names import Repository, iterate_repositories
from tagtrail.store.publications import Place
from tagtrail.store.query import Key, Page, Query
from tagtrail.store.releases import Releases
from tagtrail.store.series import marks
from tagtrail.trail.deployments import Direction
from tagtrail.trail.instant import LATEST, Instant
from tagtrail.trail.rules import Rules

MOST_LOOKED_BACK: Final = 1_000  # publications examined for a rollback target

MOST_RECENT: Final = 500  # publications per environment on the overview

_FIRST_READ = 4  # publications read at a time, growing
_MOST_EXAMINED = 1_000  # environments and repositories examined for one page


class EnvironmentState(msgspec.Struct, frozen=True):
    """The deployment that is published for an environment in one repository, and the digest that it can go back to."""

    environment: str
    registry: str
    repository: str
    published: Annotated[RecordedDeployment | None, Meta(description="Null after the environment's tag was deleted.")]
    withdrawn_at: Instant | None
    roll_back_to: Annotated[
        EarlierDigest | None,
        Meta(
            description="The newest earlier deployment of another digest that was neither deleted nor replaced by a"
            " rollback; if there is none, the newest that was not deleted; else the newest."
        ),
    ]


class DeclaredDeployment(msgspec.Struct, frozen=True):
    """A deployment that was declared, the image to deploy, and the image to go back to."""

    deployment: RecordedDeployment
    deploy: Annotated[str, Meta(description="The pinned reference to deploy.")]
    roll_back_to: Annotated[str | None, Meta(description="The pinned reference to go back to; null if there is none.")]


@dataclass(frozen=True, slots=True)
class RecentPublication:
    """A publication on the overview, in nanoseconds UTC; a withdrawal has no direction."""

    occurred_at: int
    direction: Direction | None


@dataclass(frozen=True, slots=True)
class BoardEnvironment:
    """An environment on the overview, with its recent publications, oldest first."""

    state: EnvironmentState
    recent: tuple[RecentPublication, ...]


@dataclass(frozen=True, slots=True)
class BoardRow:
    """A repository on the overview, with each environment that it was ever published for."""

    registry: str
    repository: str
    environments: tuple[BoardEnvironment, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """A publication as it is looked back upon; without a manifest it is a withdrawal."""

    occurred_at: int
    event: bytes
    tag_id: int
    manifest_id: int | None
    direction: str | None
    seq: int


def find_environments(db: Connection, query: Query) -> Page[EnvironmentState]:
    """The image published for each environment in each repository now, or at the instant `at` of the query.

    Ordered by environment, registry and repository, which form the key; the filter may restrict all three.
    """
    found: list[_Standing] = []
    after: Key | None = None
    for examined, (environment, repository) in enumerate(_walk_places(db, query), 1):
        if len(found) == query.limit:
            return Page(_read_states(db, query.rules, found), after)
        after = (environment, repository.registry, repository.name)
        standing = _find_standing(db, environment, repository, query.at)
        found += [standing] if standing else []
        if examined >= max(_MOST_EXAMINED, query.limit + 1):
            return Page(_read_states(db, query.rules, found), after)
    return Page(_read_states(db, query.rules, found))


def find_board(db: Connection, query: Query, *, recent_since: int) -> Page[BoardRow]:
    """Each repository that was ever published, by name, with its environments. Key: (registry, repository).

    Each environment has its publications since the instant, at most the newest MOST_RECENT. Looks at
    `registry`, `repository` and `environment` of the filter.
    """
    filters = query.filters
    names = [name for name in find_environment_names(db) if filters.environment in (None, name)]
    if not names:
        return Page(())
    start = cast("tuple[str, str]", query.after or ("", ""))
    having = f"EXISTS (SELECT 1 FROM publications p WHERE p.environment IN ({marks(names)}) AND p.repository_id = r.id)"
    rows: list[BoardRow] = []
    for repository in iterate_repositories(db, filters, start=start, having=having, values=names):
        if (repository.registry, repository.name) == query.after:
            continue
        if len(rows) == query.limit:
            return Page(tuple(rows), (rows[-1].registry, rows[-1].repository))
        rows.append(_read_board_row(db, query.rules, repository, names, since=recent_since))
    return Page(tuple(rows))


def _read_board_row(
    db: Connection, rules: Rules, repository: Repository, names: Sequence[str], *, since: int
) -> BoardRow:
    found = [standing for name in names if (standing := _find_standing(db, name, repository, None))]
    environments = (
        BoardEnvironment(state, _find_recent(db, standing.place, since))
        for standing, state in zip(found, _read_states(db, rules, found), strict=True)
    )
    return BoardRow(repository.registry, repository.name, tuple(environments))


def _find_recent(db: Connection, place: Place, since: int) -> tuple[RecentPublication, ...]:
    rows = db.execute(
        "SELECT occurred_at, direction FROM publications WHERE environment = ? AND repository_id = ?"
        " AND occurred_at >= ? ORDER BY occurred_at DESC, event DESC, tag_id DESC LIMIT ?",
        (place.environment, place.repository_id, since, MOST_RECENT),
    ).fetchall()
    return tuple(RecentPublication(*row) for row in reversed(rows))


def get_declared(db: Connection, seq: int, rules: Rules) -> DeclaredDeployment:
    """The deployment that the line `seq` declared, with the images to deploy. Raises NotRecorded."""
    found = get_deployment(db, seq, rules)
    if found is None:
        raise NotRecorded(f"line {seq} is no deployment")
    key, deployment = found
    earlier = find_roll_back(db, key, rules)
    return DeclaredDeployment(deployment, deployment.reference, earlier.pinned if earlier else None)


def find_roll_back(db: Connection, key: Key, rules: Rules) -> EarlierDigest | None:
    """The digest that the environment could go back to from the deployment with this key (see `find_deployments`)."""
    occurred_at, event, environment, repository_id, tag_id = cast("tuple[int, bytes, str, int, int]", key)
    place = Place(environment, repository_id)
    steps = _look_back(db, place, (occurred_at, event, tag_id + 1))
    return _choose(db, rules, place, steps, Releases(db))


def _walk_places(db: Connection, query: Query) -> Iterator[tuple[str, Repository]]:
    """Each environment with each repository where it was ever published, after the query's key."""
    filters = query.filters
    first, registry, name = cast("tuple[str, str, str]", query.after or ("", "", ""))
    for environment in find_environment_names(db):
        if environment < first or filters.environment not in (None, environment):
            continue
        start = (registry, name) if environment == first else ("", "")
        having = "EXISTS (SELECT 1 FROM publications p WHERE p.environment = ? AND p.repository_id = r.id)"
        for repository in iterate_repositories(db, filters, start=start, having=having, values=(environment,)):
            if (environment, repository.registry, repository.name) != query.after:
                yield environment, repository


@dataclass(frozen=True, slots=True)
class _Standing:
    """The publication that is present in a place, and the steps that led to it, newest first."""

    place: Place
    repository: Repository
    present: Step
    earlier: Iterator[Step]


def _find_standing(db: Connection, environment: str, repository: Repository, at: int | None) -> _Standing | None:
    place = Place(environment, repository.id)
    steps = _look_back(db, place, (LATEST if at is None else at + 1, b"", 0))
    present = next(steps, None)
    return None if present is None else _Standing(place, repository, present, steps)


def _read_states(db: Connection, rules: Rules, found: Sequence[_Standing]) -> tuple[EnvironmentState, ...]:
    releases = Releases(db)
    published = [each for each in found if each.present.manifest_id is not None]
    deployments = read_deployments(db, [_key(each.place, each.present) for each in published], rules, releases)
    by_place = {each.place: answer for each, answer in zip(published, deployments, strict=True)}
    return tuple(_read_state(db, rules, each, by_place.get(each.place), releases) for each in found)


def _read_state(
    db: Connection, rules: Rules, standing: _Standing, published: RecordedDeployment | None, releases: Releases
) -> EnvironmentState:
    steps = chain([standing.present], standing.earlier)
    previous = published.previous if published else None
    return EnvironmentState(
        environment=standing.place.environment,
        registry=standing.repository.registry,
        repository=standing.repository.name,
        published=published,
        withdrawn_at=Instant(standing.present.occurred_at) if published is None else None,
        roll_back_to=_choose(db, rules, standing.place, steps, releases, previous=previous),
    )


def _look_back(db: Connection, place: Place, moment: tuple[int, bytes, int]) -> Iterator[Step]:
    """The publications and withdrawals before the moment, newest first, up to MOST_LOOKED_BACK."""
    size, left = _FIRST_READ, MOST_LOOKED_BACK
    while left > 0:
        rows = db.execute(
            "SELECT occurred_at, event, tag_id, manifest_id, direction, seq FROM publications"
            " WHERE environment = ? AND repository_id = ? AND (occurred_at, event, tag_id) < (?, ?, ?)"
            " ORDER BY occurred_at DESC, event DESC, tag_id DESC LIMIT ?",
            (place.environment, place.repository_id, *moment, size),
        ).fetchall()
        for row in rows:
            yield Step(*row)
        if len(rows) < size:
            return
        moment, left, size = rows[-1][:3], left - size, size * 4


def _key(place: Place, step: Step) -> Key:
    return (step.occurred_at, step.event, place.environment, place.repository_id, step.tag_id)


def _choose(
    db: Connection,
    rules: Rules,
    place: Place,
    steps: Iterable[Step],
    releases: Releases,
    *,
    previous: EarlierDigest | None = None,
) -> EarlierDigest | None:
    """The deployment to roll back to; usually it is `previous`, the one before the present one, already read."""
    read: dict[Step, EarlierDigest] = {}

    def is_deleted(step: Step) -> bool:
        known = previous if previous is not None and previous.seq == step.seq else None
        read[step] = known or find_published(db, _key(place, step), rules, releases, rolled_back=False)
        return read[step].deleted

    choice = choose_step(steps, is_deleted=is_deleted)
    return None if choice is None else msgspec.structs.replace(read[choice.step], rolled_back=choice.rolled_back)


@dataclass(frozen=True, slots=True)
class Choice:
    """A step to return to; `rolled_back` if a rollback followed it."""

    step: Step
    rolled_back: bool


def choose_step(steps: Iterable[Step], *, is_deleted: Callable[[Step], bool]) -> Choice | None:
    """The rollback target in an environment's history, given newest first; None if there was only one digest.

    It is the newest earlier deployment of another digest. Digests that the registry no longer has, and then digests
    that were themselves left by a rollback, count only if there is no other.
    """
    first: Choice | None = None
    first_kept: Choice | None = None
    for choice in _earlier(steps):
        first = first or choice
        if not is_deleted(choice.step):
            if not choice.rolled_back:
                return choice
            first_kept = first_kept or choice
    return first_kept or first


def _earlier(steps: Iterable[Step]) -> Iterator[Choice]:
    """Each other digest's newest deployment, newest first."""
    seen: set[int | None] = {None}
    followed_by: str | None = None
    for number, step in enumerate(steps):
        if step.manifest_id not in seen:
            seen.add(step.manifest_id)
            if number:
                yield Choice(step, followed_by == "back")
        if step.manifest_id is not None:
            followed_by = step.direction
