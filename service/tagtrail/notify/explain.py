"""Why something is told, or is not: each route held against it, with the first of its conditions that does not fit."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from tagtrail.config.model import NotificationKind, NotifyConfig, RouteConfig
from tagtrail.notify.routes import Notification, Routes
from tagtrail.store.messages import MessageData, MessageDeployment
from tagtrail.trail.rules import EVERY_REGISTRY

_EVERYTHING: Final = RouteConfig(())


@dataclass(frozen=True, slots=True)
class RouteDecision:
    """What a route says: its position in the configuration, whether it matches, and if not, why."""

    position: int
    route: RouteConfig
    matches: bool
    why: str | None = None


def find_notifications(told: MessageData) -> list[Notification]:
    """What routes are held against, of lines that are in the ledger already."""
    found = []
    for move in told.moves:
        published = [one for one in told.deployments if one.seq == move.seq and one.tag == move.tag]
        kinds: set[NotificationKind] = {move.kind}
        if move.violates:
            kinds.add("violation")
        if any(one.answer is not None for one in published):
            kinds.add("deployed")
        found.append(_happening(frozenset(kinds), move.registry, move.repository, move.tag, published))
    declared = [one for one in told.deployments if one.answer is not None and one.answer.basis == "declared"]
    found += [_happening(frozenset({"declared"}), one.registry, one.repository, one.tag, [one]) for one in declared]
    return found


def _happening(
    kinds: frozenset[NotificationKind],
    registry: str,
    repository: str,
    tag: str | None,
    published: Sequence[MessageDeployment],
) -> Notification:
    return Notification(kinds, registry, repository, tag, tuple(one.environment for one in published))


def judge(config: NotifyConfig, happenings: Sequence[Notification], asked: Notification) -> list[RouteDecision]:
    """What each route says of all that happens at once; of one that does not match, why it does not want `asked`."""
    routes = Routes(config)
    matching = {position for happening in happenings for position in routes.matching(happening)}
    verdicts = []
    for position, route in enumerate(config.routes):
        is_wanted = position in matching
        why = None if is_wanted else next(_reasons(route, asked), _by_an_earlier(matching))
        verdicts.append(RouteDecision(position, route, is_wanted, why))
    return verdicts


def _by_an_earlier(matching: set[int]) -> str:
    first = f"routes[{min(matching)}]" if matching else "an earlier one"
    return f"`match` is first, and {first} has decided"


def _reasons(route: RouteConfig, asked: Notification) -> Iterator[str]:
    """The conditions of the route that do not fit, in the order of the configuration."""
    if not _wants(replace(_EVERYTHING, repository=route.repository), asked):
        yield f"its repository is {route.repository}"
    if not _wants(replace(_EVERYTHING, tag=route.tag), asked):
        yield f"its tag is {route.tag}"
    if not _wants(replace(_EVERYTHING, environment=route.environment), asked):
        meant = ", ".join(asked.environments) or "none"
        yield f"its environment is {route.environment}, and this was published for {meant}"
    if route.registry not in (EVERY_REGISTRY, asked.registry):
        yield f"its registry is {route.registry}"
    if not _wants(replace(_EVERYTHING, kinds=route.kinds), asked):
        kinds, these = ", ".join(sorted(route.kinds)), ", ".join(sorted(asked.kinds))
        yield f"its kinds are {kinds}, and this is {these}"


def _wants(route: RouteConfig, asked: Notification) -> bool:
    return bool(Routes(NotifyConfig(routes=(route,))).matching(asked))
