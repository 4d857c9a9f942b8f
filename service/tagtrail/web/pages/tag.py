"""A tag: its digest now and at an instant, all of its moves, and how to roll it back."""

from dataclasses import dataclass, replace
from typing import Final

from tagtrail.store.deployments import EarlierDigest
from tagtrail.store.environments import find_environments
from tagtrail.store.history import MOST_REPEATED, TagMove, find_history, find_step_back
from tagtrail.store.names import Tag, get_tag
from tagtrail.store.query import Filter, Query
from tagtrail.store.tags import TaggedDigest, find_tags
from tagtrail.trail.rules import TagRule
from tagtrail.web.context import PageContext, WebPage
from tagtrail.web.paging import Paging
from tagtrail.wording.rollback import RollbackPlan, plan_rollback


@dataclass(frozen=True, slots=True)
class TagAtInstant:
    """The tag at an instant, by its last move before that; None if the tag did not exist yet."""

    at: int
    move: TagMove | None


@dataclass(frozen=True, slots=True)
class Rollback:
    """The rollback for an environment, or (None) by the tag's moves alone."""

    environment: str | None
    way: RollbackPlan


@dataclass(frozen=True, slots=True)
class TagView:
    """Everything on the page. `now` is None while the tag is deleted; `last` is its newest move, if any.

    Repeated pushes are counted up to `most_repeated`.
    """

    registry: str
    repository: str
    tag: str
    rule: TagRule
    environments: tuple[str, ...]
    now: TaggedDigest | None
    last: TagMove | None
    then: TagAtInstant | None
    moves: tuple[TagMove, ...]
    paging: Paging
    backs: tuple[Rollback, ...]
    most_repeated: int = MOST_REPEATED


def make_tag(context: PageContext, *, registry: str, repository: str, tag: str) -> TagView:
    """The tag with this registry, repository and name. Raises NotRecorded, and BadParameter for an impossible name."""
    filters = Filter(registry=registry, repository=repository, tag=tag)
    found = get_tag(context.db, filters)
    shown = context.filter("since", "until", "at")
    shown = replace(filters, since=shown.since, until=shown.until)
    moves = find_history(context.db, context.query(shown, (int, bytes)))
    now = next(iter(find_tags(context.db, Query(context.rules, filters, limit=1)).items), None)
    environments = tuple(rule.name for rule in context.rules.environments_of(registry, repository, tag))
    return TagView(
        registry=registry,
        repository=repository,
        tag=tag,
        rule=context.rules.explain(repository, tag),
        environments=environments,
        now=now,
        last=_find_newest(context, filters),
        then=_look_at(context, filters),
        moves=moves.items,
        paging=Paging.of(moves, context.parameters),
        backs=_find_backs(context, found, environments),
    )


def _find_newest(context: PageContext, filters: Filter) -> TagMove | None:
    return next(iter(find_history(context.db, Query(context.rules, filters, limit=1)).items), None)


def _look_at(context: PageContext, filters: Filter) -> TagAtInstant | None:
    """The tag at the instant `at` of the query, after all moves of that instant."""
    at = context.instant("at")
    return None if at is None else TagAtInstant(at, _find_newest(context, replace(filters, until=at + 1)))


def _find_backs(context: PageContext, tag: Tag, environments: tuple[str, ...]) -> tuple[Rollback, ...]:
    """The rollback of each environment of the tag; for other tags, the rollback to the digest before."""
    if not environments:
        target = find_step_back(context.db, tag, context.rules)
        return () if target is None else (_make_back(context, tag, None, target),)
    place = Filter(registry=tag.repository.registry, repository=tag.repository.name)
    return tuple(
        _make_back(context, tag, name, state.roll_back_to)
        for name in environments
        for state in find_environments(
            context.db, Query(context.rules, replace(place, environment=name), limit=1)
        ).items
        if state.roll_back_to is not None
    )


def _make_back(context: PageContext, tag: Tag, environment: str | None, target: EarlierDigest) -> Rollback:
    return Rollback(environment, plan_rollback(context.db, target, tag=tag.name))


TAG: Final = WebPage("tag", "/registries/<registry>/<repository:repository>:<tag:tag>", make_tag)
