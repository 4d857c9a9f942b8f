"""Why a channel gets a message or not: each route with the first of its conditions that does not match."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from tagtrail.config.model import NotifyConfig, RouteConfig
from tagtrail.notify.routes import Notification, Routes, compile_route, notify_declaration, notify_move
from tagtrail.store.messages import MessageData
from tagtrail.trail.rules import EVERY_REGISTRY

_ANY: Final = RouteConfig(())


@dataclass(frozen=True, slots=True)
class RouteDecision:
    """Whether a route matches: its position in the configuration, and the reason if it does not."""

    position: int
    route: RouteConfig
    matches: bool
    why: str | None = None


def read_notifications(data: MessageData) -> list[Notification]:
    """The notifications of lines that are in the ledger, as `outbox.find_notifications` makes them for a new line."""
    found = []
    for move in data.moves:
        published = [one for one in data.deployments if one.seq == move.seq and one.tag == move.tag]
        found.append(
            notify_move(
                move.registry,
                move.repository,
                move.tag,
                move.kind,
                violates=move.violates,
                is_deployed=any(one.recorded is not None for one in published),
                environments=(one.environment for one in published),
            )
        )
    declared = [one for one in data.deployments if one.recorded is not None and one.recorded.basis == "declared"]
    return found + [notify_declaration(one.registry, one.repository, one.tag, one.environment) for one in declared]


def explain_routes(
    config: NotifyConfig, notifications: Sequence[Notification], subject: Notification
) -> list[RouteDecision]:
    """The decision of each route for notifications that are sent as one message.

    If a route matches none of them, `why` says which of its conditions `subject` does not meet.
    """
    routes = Routes(config)
    matching = {position for each in notifications for position in routes.find_matching(each)}
    decisions = []
    for position, route in enumerate(config.routes):
        is_matching = position in matching
        why = None if is_matching else next(_mismatches(route, subject), _decided_by(matching))
        decisions.append(RouteDecision(position, route, is_matching, why))
    return decisions


def _decided_by(matching: set[int]) -> str:
    earlier = f"routes[{min(matching)}]" if matching else "an earlier route"
    return f"with `match: first` {earlier} has decided already"


def _mismatches(route: RouteConfig, subject: Notification) -> Iterator[str]:
    """The conditions of the route that the notification does not meet, in the order of the configuration."""
    if not _matches(replace(_ANY, repository=route.repository), subject):
        yield f"its repository is {route.repository}"
    if not _matches(replace(_ANY, tag=route.tag), subject):
        yield f"its tag is {route.tag}"
    if not _matches(replace(_ANY, environment=route.environment), subject):
        published = ", ".join(subject.environments) or "none"
        yield f"its environment is {route.environment}, and this was published for {published}"
    if route.registry not in (EVERY_REGISTRY, subject.registry):
        yield f"its registry is {route.registry}"
    if not _matches(replace(_ANY, kinds=route.kinds), subject):
        kinds, these = ", ".join(sorted(route.kinds)), ", ".join(sorted(subject.kinds))
        yield f"its kinds are {kinds}, and this is {these}"


def _matches(route: RouteConfig, subject: Notification) -> bool:
    return compile_route(route)(subject)
