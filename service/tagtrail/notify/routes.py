"""Routes: which channels want to know of something, and until when it has to wait there for the end of quiet hours."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from tagtrail.config.model import NotificationKind, NotifyConfig, QuietHours, RouteConfig
from tagtrail.trail.instant import SECOND
from tagtrail.trail.patterns import REPOSITORY_ALPHABET, TAG_ALPHABET, compile_glob
from tagtrail.trail.rules import EVERY_REGISTRY

_DAY: Final = timedelta(days=1)
_EVERYTHING: Final = RouteConfig(())


@dataclass(frozen=True, slots=True)
class Notification:
    """What routes are held against: one tag's move, a deployment, or a trouble, which has no repository.

    It may be of several kinds, and for several environments, at once.
    """

    kinds: frozenset[NotificationKind]
    registry: str | None = None
    repository: str | None = None
    tag: str | None = None
    environments: tuple[str, ...] = ()


class Routes:
    """The configured routes, their patterns compiled once. Safe to share between threads."""

    def __init__(self, config: NotifyConfig) -> None:
        self._is_first_only = config.match == "first"
        self._routes = [(route, _wants(route)) for route in config.routes]

    def matching(self, happening: Notification) -> tuple[int, ...]:
        """The positions in the configuration of the routes that want it: all of them, or only the first."""
        found = (at for at, (_, wants) in enumerate(self._routes) if wants(happening))
        if self._is_first_only:
            first = next(found, None)
            return () if first is None else (first,)
        return tuple(found)

    def lead_to(self, channel: str, happening: Notification) -> bool:
        """Whether a route to the channel is about the happening's place, whatever its kinds are."""
        return any(
            channel in route.channels and wants(replace(happening, kinds=route.kinds)) for route, wants in self._routes
        )

    def find_channels(self, happenings: Iterable[Notification], *, at: int) -> dict[str, int]:
        """The channels that want one of these, each with the instant from which on it may be told, `at` or later.

        Where several routes lead to a channel, the one that lets it be told first decides.
        """
        channels: dict[str, int] = {}
        for position in dict.fromkeys(position for each in happenings for position in self.matching(each)):
            route = self._routes[position][0]
            not_before = end_of_quiet(route.quiet, at) if route.quiet is not None else at
            for name in route.channels:
                channels[name] = min(channels.get(name, not_before), not_before)
        return channels


def _wants(route: RouteConfig) -> Callable[[Notification], bool]:
    """The test whether the route wants something: what costs most is looked at last."""
    is_everywhere = route.repository == _EVERYTHING.repository
    is_any_tag = route.tag == _EVERYTHING.tag
    repositories = compile_glob(route.repository, alphabet=REPOSITORY_ALPHABET)
    tags = compile_glob(route.tag, alphabet=TAG_ALPHABET)
    environments = compile_glob(route.environment or "*", alphabet=TAG_ALPHABET)

    def wants(happening: Notification) -> bool:
        return (
            not route.kinds.isdisjoint(happening.kinds)
            and route.registry in (EVERY_REGISTRY, happening.registry)
            and (is_any_tag or (happening.tag is not None and tags.matches(happening.tag)))
            and (is_everywhere or (happening.repository is not None and repositories.matches(happening.repository)))
            and (route.environment is None or any(environments.matches(name) for name in happening.environments))
        )

    return wants


def end_of_quiet(quiet: QuietHours, at: int) -> int:
    """When the quiet hours end in which the instant `at` lies; `at` itself where it lies in none.

    A time of day that a change of the clocks leaves out is counted as if the clocks had not been changed yet, and of
    one that they show twice the first is meant, as RFC 5545, section 3.3.5, has it.
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
