"""Routes: which channels a notification goes to, and until when quiet hours hold it back there."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from tagtrail.config.model import NotificationKind, NotifyConfig, QuietHours, RouteConfig
from tagtrail.trail.instant import SECOND
from tagtrail.trail.moves import MoveKind
from tagtrail.trail.patterns import REPOSITORY_ALPHABET, TAG_ALPHABET, compile_glob
from tagtrail.trail.rules import EVERY_REGISTRY

_DAY: Final = timedelta(days=1)
_ANY: Final = RouteConfig(())


@dataclass(frozen=True, slots=True)
class Notification:
    """Something that routes may send: a move of one tag, a deployment, or a service alert, which has no repository.

    It may have several kinds and several environments at once.
    """

    kinds: frozenset[NotificationKind]
    registry: str | None = None
    repository: str | None = None
    tag: str | None = None
    environments: tuple[str, ...] = ()


def notify_move(
    registry: str | None,
    repository: str | None,
    tag: str,
    kind: MoveKind,
    *,
    violates: bool,
    is_deployed: bool,
    environments: Iterable[str],
) -> Notification:
    """The notification of a tag's move. `environments` are those that the tag means."""
    kinds: set[NotificationKind] = {kind}
    if violates:
        kinds.add("violation")
    if is_deployed:
        kinds.add("deployed")
    return Notification(frozenset(kinds), registry, repository, tag, tuple(environments))


def notify_declaration(registry: str | None, repository: str | None, tag: str | None, environment: str) -> Notification:
    """The notification of a deployment that a pipeline declared."""
    return Notification(frozenset({"declared"}), registry, repository, tag, (environment,))


def notify_alert(registry: str | None = None) -> Notification:
    """The notification of a service alert; `registry` is the registry that it is about, if any."""
    return Notification(frozenset({"alert"}), registry)


class Routes:
    """The configured routes with their patterns compiled. Safe to share between threads."""

    def __init__(self, config: NotifyConfig) -> None:
        self._is_first_only = config.match == "first"
        self._routes = [(route, compile_route(route)) for route in config.routes]

    def find_matching(self, notification: Notification) -> tuple[int, ...]:
        """The positions in the configuration of the routes that match; with `match: first` only the first of them."""
        found = (at for at, (_, matches) in enumerate(self._routes) if matches(notification))
        if self._is_first_only:
            first = next(found, None)
            return () if first is None else (first,)
        return tuple(found)

    def reaches(self, channel: str, notification: Notification) -> bool:
        """Whether a route to the channel matches when kinds are ignored."""
        return any(
            channel in route.channels and matches(replace(notification, kinds=route.kinds))
            for route, matches in self._routes
        )

    def find_channels(self, notifications: Iterable[Notification], *, at: int) -> dict[str, int]:
        """The channels that get any of these, each with the instant, `at` or later, before which nothing is sent.

        If several routes lead to a channel, the earliest instant counts.
        """
        channels: dict[str, int] = {}
        for position in dict.fromkeys(position for each in notifications for position in self.find_matching(each)):
            route = self._routes[position][0]
            not_before = end_of_quiet(route.quiet, at) if route.quiet is not None else at
            for name in route.channels:
                channels[name] = min(channels.get(name, not_before), not_before)
        return channels


def compile_route(route: RouteConfig) -> Callable[[Notification], bool]:
    """The test whether the route matches a notification. The most expensive conditions come last."""
    is_any_repository = route.repository == _ANY.repository
    is_any_tag = route.tag == _ANY.tag
    repositories = compile_glob(route.repository, alphabet=REPOSITORY_ALPHABET)
    tags = compile_glob(route.tag, alphabet=TAG_ALPHABET)
    environments = compile_glob(route.environment or "*", alphabet=TAG_ALPHABET)

    def matches(one: Notification) -> bool:
        return (
            not route.kinds.isdisjoint(one.kinds)
            and route.registry in (EVERY_REGISTRY, one.registry)
            and (is_any_tag or (one.tag is not None and tags.matches(one.tag)))
            and (is_any_repository or (one.repository is not None and repositories.matches(one.repository)))
            and (route.environment is None or any(environments.matches(name) for name in one.environments))
        )

    return matches


def end_of_quiet(quiet: QuietHours, at: int) -> int:
    """The end of the quiet hours that contain the instant `at`; `at` itself outside quiet hours.

    A local time that a clock change skips counts as if the clocks had not changed yet. Of a local time that occurs
    twice the first counts. Both follow RFC 5545, section 3.3.5.
    """
    zone = ZoneInfo(quiet.zone)
    today = datetime.fromtimestamp(at // SECOND, zone).date()
    for first_day in (today - _DAY, today):
        last_day = first_day if quiet.begins < quiet.ends else first_day + _DAY
        if _instant(first_day, quiet.begins, zone) <= at < (end := _instant(last_day, quiet.ends, zone)):
            return end
    return at


def _instant(day: date, clock: time, zone: ZoneInfo) -> int:
    """Nanoseconds since 1970 when the zone's clock shows that time on that day."""
    return int(datetime.combine(day, clock, zone).timestamp()) * SECOND
