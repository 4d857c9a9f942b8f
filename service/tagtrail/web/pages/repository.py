"""A repository: its timeline, its tags now, and its deleted tags."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tagtrail.errors import NotRecorded
from tagtrail.store.names import Repository, find_repositories
from tagtrail.store.query import Filter
from tagtrail.store.tags import TaggedDigest, read_tags
from tagtrail.store.timeline import MOST_TAGS, TimelineTag, find_digests, find_known_tags
from tagtrail.trail.rules import TagRule
from tagtrail.web.context import PageContext, WebPage
from tagtrail.web.paging import Portion
from tagtrail.web.timeline.picture import Timeline, make_timeline

_ROWS: Final = 50  # tags
_MOST_DELETED: Final = 50


@dataclass(frozen=True, slots=True)
class TagRow:
    """A tag now, the rule that makes it a release tag or a moving tag, and its environments."""

    tag: TaggedDigest
    rule: TagRule
    environments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Deleted:
    """A deleted tag, the line `seq` that deleted it, and its last digest."""

    tag: str
    deleted_at: int
    digest: str | None
    seq: int


@dataclass(frozen=True, slots=True)
class RepositoryView:
    """Everything on the page. `deleted` holds the newest; `is_whole` is false if only `looked_at` tags were read."""

    registry: str
    repository: str
    reference: str
    timeline: Timeline
    tags: tuple[TagRow, ...]
    portion: Portion
    deleted: tuple[Deleted, ...]
    looked_at: int
    is_whole: bool


def make_repository(context: PageContext, *, registry: str, repository: str) -> RepositoryView:
    """The repository with this registry and name. Raises NotRecorded."""
    filters = Filter(registry=registry, repository=repository)
    found = next(iter(find_repositories(context.db, filters)), None)
    if found is None:
        raise NotRecorded(f"no repository {repository[:80]} is recorded in a registry {registry[:80]}")
    environments = context.rules.environments_in(registry, repository).values()
    tags, is_whole = find_known_tags(context.db, found, first=[rule.tag for rule in environments], most=MOST_TAGS)
    timeline = make_timeline(context, found, tags)
    present = _order(context, found, tags)
    portion = Portion.of(context.parameters, "tags", len(present), size=_ROWS)
    listed = read_tags(context.db, context.rules, found, portion.cut(present))
    return RepositoryView(
        registry=registry,
        repository=repository,
        reference=context.hosts.reference(registry, listed[0].host if listed else None, repository),
        timeline=timeline,
        tags=tuple(_make_row(context, tag) for tag in listed),
        portion=portion,
        deleted=_make_deleted(context, tags),
        looked_at=MOST_TAGS,
        is_whole=is_whole,
    )


def _order(context: PageContext, repository: Repository, tags: Sequence[TimelineTag]) -> list[TimelineTag]:
    """The existing tags: those of environments, other moving tags, then release tags, newest first."""
    means = [rule.tag for rule in context.rules.environments_in(repository.registry, repository.name).values()]

    def key(tag: TimelineTag) -> tuple[int, int]:
        is_release = context.rules.is_release(repository.name, tag.name)
        return means.index(tag.name) if tag.name in means else len(means) + is_release, -tag.since

    return sorted((tag for tag in tags if tag.manifest_id is not None), key=key)


def _make_row(context: PageContext, tag: TaggedDigest) -> TagRow:
    means = context.rules.environments_of(tag.registry, tag.repository, tag.tag)
    return TagRow(tag, context.rules.explain(tag.repository, tag.tag), tuple(rule.name for rule in means))


def _make_deleted(context: PageContext, tags: tuple[TimelineTag, ...]) -> tuple[Deleted, ...]:
    gone = sorted((tag for tag in tags if tag.manifest_id is None), key=lambda tag: tag.since, reverse=True)
    gone = gone[:_MOST_DELETED]
    digests = find_digests(context.db, (tag.last_id for tag in gone if tag.last_id is not None))
    return tuple(Deleted(tag.name, tag.since, digests.get(tag.last_id or 0), tag.seq) for tag in gone)


REPOSITORY: Final = WebPage("repository", "/registries/<registry>/<repository:repository>", make_repository)
