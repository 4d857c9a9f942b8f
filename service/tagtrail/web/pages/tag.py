"""A tag: what it is now, what it was at a time, every move that it made, and how to put it back."""

from dataclasses import dataclass, replace
from typing import Final

from tagtrail.store.deployments import EarlierDigest
from tagtrail.store.environments import find_environments
from tagtrail.store.history import MOST_REPEATED, TagMove, find_history, find_step_back
from tagtrail.store.names import Tag, get_tag
from tagtrail.store.query import Filter, Query
from tagtrail.store.tags import TaggedDigest, find_tags
from tagtrail.trail.rules import TagRule
from tagtrail.web.context import Page, Visit
from tagtrail.web.paging import Paging
from tagtrail.wording.rollback import WayBack, make_way_back


@dataclass(frozen=True, slots=True)
class Then:
    """What the tag was at an instant, by the move before it; None where it was not there yet."""

    at: int
    move: TagMove | None


@dataclass(frozen=True, slots=True)
class Back:
    """The way back for an environment, or (None) by the tag's moves alone."""

    environment: str | None
    way: WayBack


@dataclass(frozen=True, slots=True)
class TagView:
    """Everything on the page. `now` is None while the tag is deleted; `last` is its newest move of all, if any.

    Repeated pushes are counted up to `most_repeated`.
    """

    registry: str
    repository: str
    tag: str
    rule: TagRule
    environments: tuple[str, ...]
    now: TaggedDigest | None
    last: TagMove | None
    then: Then | None
    moves: tuple[TagMove, ...]
    paging: Paging
    backs: tuple[Back, ...]
    most_repeated: int = MOST_REPEATED


def make_tag(visit: Visit, *, registry: str, repository: str, tag: str) -> TagView:
    """A tag by its registry, repository and name. Raises NotRecorded, and BadParameter for what can be no tag."""
    asked = Filter(registry=registry, repository=repository, tag=tag)
    found = get_tag(visit.db, asked)
    range_ = visit.filter("since", "until", "at")
    shown = replace(asked, since=range_.since, until=range_.until)
    moves = find_history(visit.db, visit.query(shown, (int, bytes)))
    now = next(iter(find_tags(visit.db, Query(visit.rules, asked, limit=1)).items), None)
    environments = tuple(rule.name for rule in visit.rules.environments_of(registry, repository, tag))
    return TagView(
        registry=registry,
        repository=repository,
        tag=tag,
        rule=visit.rules.explain(repository, tag),
        environments=environments,
        now=now,
        last=_find_newest(visit, asked),
        then=_look_at(visit, asked),
        moves=moves.items,
        paging=Paging.of(moves, visit.parameters),
        backs=_find_backs(visit, found, environments),
    )


def _find_newest(visit: Visit, asked: Filter) -> TagMove | None:
    return next(iter(find_history(visit.db, Query(visit.rules, asked, limit=1)).items), None)


def _look_at(visit: Visit, asked: Filter) -> Then | None:
    """What it was at the instant `at` of the query: after whatever happened at that very instant."""
    at = visit.instant("at")
    return None if at is None else Then(at, _find_newest(visit, replace(asked, until=at + 1)))


def _find_backs(visit: Visit, tag: Tag, environments: tuple[str, ...]) -> tuple[Back, ...]:
    """For each environment that the tag means what it can go back to; for other tags, the digest before."""
    if not environments:
        target = find_step_back(visit.db, tag, visit.rules)
        return () if target is None else (_make_back(visit, tag, None, target),)
    place = Filter(registry=tag.repository.registry, repository=tag.repository.name)
    return tuple(
        _make_back(visit, tag, name, state.roll_back_to)
        for name in environments
        for state in find_environments(visit.db, Query(visit.rules, replace(place, environment=name), limit=1)).items
        if state.roll_back_to is not None
    )


def _make_back(visit: Visit, tag: Tag, environment: str | None, target: EarlierDigest) -> Back:
    return Back(environment, make_way_back(visit.db, target, tag=tag.name))


TAG: Final = Page("tag", "/registries/<registry>/<repository:repository>:<tag:tag>", make_tag)
