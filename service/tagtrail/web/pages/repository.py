"""A repository: its tags along time, what they are now, and which were deleted."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tagtrail.errors import NotRecorded
from tagtrail.store.names import Repository, find_repositories
from tagtrail.store.query import Filter
from tagtrail.store.tags import TaggedDigest, read_tags
from tagtrail.store.timeline import MOST_TAGS, KnownTag, find_digests, find_known_tags
from tagtrail.trail.rules import TagRule
from tagtrail.web.context import Page, Visit
from tagtrail.web.paging import Portion
from tagtrail.web.timeline.picture import Timeline, make_timeline

_ROWS: Final = 50  # tags
_MOST_DELETED: Final = 50


@dataclass(frozen=True, slots=True)
class Row:
    """A tag as it is now, the rule that makes it a release or a moving tag, and the environments that it means."""

    tag: TaggedDigest
    rule: TagRule
    environments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Deleted:
    """A tag that was deleted, by the line `seq`, and the digest that it named last."""

    tag: str
    deleted_at: int
    digest: str | None
    seq: int


@dataclass(frozen=True, slots=True)
class RepositoryView:
    """Everything on the page. `deleted` are the newest; `is_whole` unless there are more tags than were looked at."""

    registry: str
    repository: str
    reference: str
    timeline: Timeline
    tags: tuple[Row, ...]
    portion: Portion
    deleted: tuple[Deleted, ...]
    looked_at: int
    is_whole: bool


def make_repository(visit: Visit, *, registry: str, repository: str) -> RepositoryView:
    """A repository by its registry and name. Raises NotRecorded."""
    asked = Filter(registry=registry, repository=repository)
    found = next(iter(find_repositories(visit.db, asked)), None)
    if found is None:
        raise NotRecorded(f"no repository {repository[:80]} is recorded in a registry {registry[:80]}")
    environments = visit.rules.environments_in(registry, repository).values()
    tags, is_whole = find_known_tags(visit.db, found, first=[rule.tag for rule in environments], most=MOST_TAGS)
    timeline = make_timeline(visit, found, tags)
    present = _order(visit, found, tags)
    portion = Portion.of(visit.parameters, "tags", len(present), size=_ROWS)
    listed = read_tags(visit.db, visit.rules, found, portion.cut(present))
    return RepositoryView(
        registry=registry,
        repository=repository,
        reference=visit.hosts.reference(registry, listed[0].host if listed else None, repository),
        timeline=timeline,
        tags=tuple(_make_row(visit, tag) for tag in listed),
        portion=portion,
        deleted=_make_deleted(visit, tags),
        looked_at=MOST_TAGS,
        is_whole=is_whole,
    )


def _order(visit: Visit, repository: Repository, tags: Sequence[KnownTag]) -> list[KnownTag]:
    """The tags that name something now: environments', other moving ones, then releases, newest first."""
    means = [rule.tag for rule in visit.rules.environments_in(repository.registry, repository.name).values()]

    def key(tag: KnownTag) -> tuple[int, int]:
        is_release = visit.rules.is_release(repository.name, tag.name)
        return means.index(tag.name) if tag.name in means else len(means) + is_release, -tag.since

    return sorted((tag for tag in tags if tag.manifest_id is not None), key=key)


def _make_row(visit: Visit, tag: TaggedDigest) -> Row:
    means = visit.rules.environments_of(tag.registry, tag.repository, tag.tag)
    return Row(tag, visit.rules.explain(tag.repository, tag.tag), tuple(rule.name for rule in means))


def _make_deleted(visit: Visit, tags: tuple[KnownTag, ...]) -> tuple[Deleted, ...]:
    gone = sorted((tag for tag in tags if tag.manifest_id is None), key=lambda tag: tag.since, reverse=True)
    gone = gone[:_MOST_DELETED]
    digests = find_digests(visit.db, (tag.last_id for tag in gone if tag.last_id is not None))
    return tuple(Deleted(tag.name, tag.since, digests.get(tag.last_id or 0), tag.seq) for tag in gone)


REPOSITORY: Final = Page("repository", "/registries/<registry>/<repository:repository>", make_repository)
