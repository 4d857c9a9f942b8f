"""The comparison of two instants: the tags that moved in between, and their digests before and after."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Final
from urllib.parse import urlencode

from tagtrail.errors import BadParameter
from tagtrail.store.compare import Compared, NamedDigest, find_compared, name_manifests
from tagtrail.store.deployments import RecordedDeployment, find_deployments
from tagtrail.store.names import Tag
from tagtrail.store.query import Filter, Query
from tagtrail.trail.instant import DAY, LATEST, format_instant
from tagtrail.trail.moves import Difference, find_differences
from tagtrail.trail.rules import Rules
from tagtrail.web.context import PageContext, WebPage
from tagtrail.web.filters import find_environment_choices, find_registry_choices

_MOST_SHOWN: Final = 60  # tags
_MOST_DECLARED: Final = 50
_LAST: Final = LATEST - 1  # the last instant after which a column can hold another
_QUICK: Final = (("last hour", DAY // 24), ("last 24 hours", DAY), ("last 7 days", 7 * DAY))

RepositoryKey = tuple[str, str]  # a registry and a repository


@dataclass(frozen=True, slots=True)
class Changed:
    """A tag that moved, with its digests before and after, and the lines of its moves, oldest first."""

    tag: Tag
    environments: tuple[str, ...]
    difference: Difference[int]
    violations: int
    was: NamedDigest | None = None
    became: NamedDigest | None = None

    @property
    def place(self) -> RepositoryKey:
        """Its repository."""
        return self.tag.repository.registry, self.tag.repository.name

    @property
    def lines(self) -> tuple[int, ...]:
        """The lines of its moves, oldest first."""
        return tuple(move.seq for move in self.difference.moves)


@dataclass(frozen=True, slots=True)
class Group:
    """A repository with its changes."""

    registry: str
    repository: str
    tags: tuple[Changed, ...]
    declared: tuple[RecordedDeployment, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """The number of changes. `environments` gives, by name, in how many repositories each environment changed."""

    tags: int
    repositories: int
    violations: int
    environments: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The changes after `since`, up to and including `until`.

    `since` is later than `requested_since` if there were too many moves to compare at once. `left_out` counts the tags
    that are not shown; `has_more_declared` says that more deployments were declared than are shown.
    """

    since: int
    until: int
    requested_since: int
    filters: Filter
    summary: Summary
    groups: tuple[Group, ...]
    left_out: int
    has_more_declared: bool
    quick: tuple[tuple[str, str], ...]
    environments: tuple[str, ...]
    registries: tuple[str, ...]

    @property
    def is_cut(self) -> bool:
        """Whether less than was filters for is compared."""
        return self.since != self.requested_since


def make_compare(context: PageContext) -> Comparison:
    """The changes between `from` and `until`, by default in the last 24 hours. Raises BadParameter."""
    filters = context.filter("from", "until", "registry", "repository", "environment")
    until = context.now if filters.until is None else min(filters.until, _LAST)
    since = _read_since(context, until)
    compared = find_compared(
        context.db, filters, since=since, until=until, tags=_tags_of(context.rules, filters.environment)
    )
    changed = _find_changed(compared, context.rules, environment=filters.environment)
    declared = find_deployments(
        context.db,
        Query(context.rules, replace(filters, since=compared.since + 1, until=until + 1), limit=_MOST_DECLARED),
        basis="declared",
    )
    shown = sort_changed(changed)[:_MOST_SHOWN]
    return Comparison(
        since=compared.since,
        until=until,
        requested_since=since,
        filters=replace(filters, until=None),
        summary=summarise(changed, declared.items),
        groups=group(_name(context, compared, shown), declared.items),
        left_out=len(changed) - len(shown),
        has_more_declared=declared.after is not None,
        quick=_quick(context),
        environments=find_environment_choices(context),
        registries=find_registry_choices(context),
    )


def _read_since(context: PageContext, until: int) -> int:
    since = context.instant("from")
    if since is None:
        return max(0, until - DAY)
    if until <= since:
        raise BadParameter("until", "until does not lie after from; nothing can change between them")
    return since


def _tags_of(rules: Rules, environment: str | None) -> frozenset[str] | None:
    """The tags that mean the environment anywhere; None where none is filters for."""
    return (
        None if environment is None else frozenset(rule.tag for rule in rules.environments if rule.name == environment)
    )


def _find_changed(compared: Compared, rules: Rules, *, environment: str | None = None) -> list[Changed]:
    """Each tag that moved, with its environments by the rules in force."""
    found = []
    for tag, difference in find_differences(compared.moves).items():
        place = tag.repository
        environments = tuple(rule.name for rule in rules.environments_of(place.registry, place.name, tag.name))
        if environment is None or environment in environments:
            violations = sum(move.seq in compared.violations for move in difference.moves)
            found.append(Changed(tag, environments, difference, violations))
    return found


def sort_changed(changed: Iterable[Changed]) -> list[Changed]:
    """By repository, then by tag; environments first, then violated release tags."""
    known = list(changed)
    of_environments = {each.place for each in known if each.environments}
    return sorted(
        known,
        key=lambda each: (
            each.place not in of_environments,
            each.place,
            not each.environments,
            not each.violations,
            each.tag.name,
        ),
    )


def group(changed: Iterable[Changed], declared: Iterable[RecordedDeployment]) -> tuple[Group, ...]:
    """Changes and declared deployments by repository; repositories with declarations only come last."""
    waiting: dict[RepositoryKey, list[RecordedDeployment]] = {}
    for deployment in declared:
        waiting.setdefault((deployment.registry, deployment.repository), []).append(deployment)
    groups = [
        Group(registry, repository, tuple(tags), tuple(waiting.pop((registry, repository), ())))
        for (registry, repository), tags in groupby(changed, key=lambda each: each.place)
    ]
    return (*groups, *(Group(registry, name, (), tuple(rest)) for (registry, name), rest in sorted(waiting.items())))


def summarise(changed: Sequence[Changed], declared: Iterable[RecordedDeployment]) -> Summary:
    """The number of changes."""
    touched = {(name, each.place) for each in changed for name in each.environments}
    touched |= {(each.environment, (each.registry, each.repository)) for each in declared}
    environments = Counter(name for name, _ in touched)
    return Summary(
        tags=len(changed),
        repositories=len({each.place for each in changed}),
        violations=sum(bool(each.violations) for each in changed),
        environments=tuple(sorted(environments.items())),
    )


def _name(context: PageContext, compared: Compared, changed: Sequence[Changed]) -> list[Changed]:
    """The same tags with their digests, and the release tags that named each digest at that instant."""
    before = name_manifests(context.db, _ids(each.difference.was for each in changed), at=compared.since)
    after = name_manifests(context.db, _ids(each.difference.became for each in changed), at=compared.until)
    return [
        replace(each, was=_look_up(before, each.difference.was), became=_look_up(after, each.difference.became))
        for each in changed
    ]


def _ids(found: Iterable[int | None]) -> set[int]:
    return {identity for identity in found if identity is not None}


def _look_up(named: Mapping[int, NamedDigest], identity: int | None) -> NamedDigest | None:
    return None if identity is None else named[identity]


def _quick(context: PageContext) -> tuple[tuple[str, str], ...]:
    """Links to common ranges that end now."""
    kept = {name: text for name, text in context.parameters.items() if name not in ("from", "until", "cursor", "limit")}
    return tuple(
        (
            said,
            f"?{urlencode({**kept, 'from': _whole_second(context.now - length), 'until': _whole_second(context.now)})}",
        )
        for said, length in _QUICK
    )


def _whole_second(instant: int) -> str:
    return format_instant(instant, 0)


COMPARE: Final = WebPage("compare", "/compare", make_compare)
