"""The section `notify`: which channels there are, and which routes lead to them."""

from collections.abc import Iterator
from functools import partial
from typing import Literal

from tagtrail.config import fields
from tagtrail.config.channels import read_channel
from tagtrail.config.document import Node
from tagtrail.config.model import NOTIFICATION_KINDS, ChannelConfig, NotificationKind, NotifyConfig, Quiet, RouteConfig
from tagtrail.config.sources import Surroundings
from tagtrail.errors import ConfigurationError
from tagtrail.trail.rules import EVERY_REGISTRY

_EVERYTHING = RouteConfig(())


def read_notify(node: Node, around: Surroundings | None) -> NotifyConfig:
    """What is told, and where. Raises ConfigurationError.

    Without `around` secrets and files are left alone: for whoever writes into the outbox and sends nothing.
    """
    section = node.section("settle", "give_up_after", "fallback", "silent_after", "channels", "match", "routes")
    default = NotifyConfig()
    config = NotifyConfig(
        settle=section.read("settle", lambda node: node.duration(least=0, most=600), default.settle),
        give_up_after=section.read(
            "give_up_after", lambda node: node.duration(least=60, most=30 * 86_400), default.give_up_after
        ),
        fallback=section.read("fallback", lambda node: node.parse(fields.name), default.fallback),
        silent_after=section.read(
            "silent_after", lambda node: node.duration(least=60, most=366 * 86_400), default.silent_after
        ),
        channels=section.read("channels", partial(_channels, around=around), default.channels),
        match=section.read("match", _match, default.match),
        routes=section.read("routes", _routes, default.routes),
    )
    _refuse_contradictions(config, node.path)
    return config


def _channels(node: Node, *, around: Surroundings | None) -> tuple[ChannelConfig, ...]:
    items = node.items(example="- {name: ops-chat, kind: slack, url: {env: OPS_CHAT_URL}}")
    return tuple(read_channel(item, around) for item in items)


def _match(node: Node) -> Literal["all", "first"]:
    return node.choice("all", "first")


def _routes(node: Node) -> tuple[RouteConfig, ...]:
    return tuple(_route(item) for item in node.items(example="- channels: [ops-chat]"))


def _route(node: Node) -> RouteConfig:
    section = node.section("channels", "repository", "tag", "environment", "registry", "kinds", "quiet")
    default = _EVERYTHING
    return RouteConfig(
        channels=_names(section.require("channels", example="[ops-chat]")),
        repository=section.read("repository", lambda node: node.parse(fields.repository_glob), default.repository),
        tag=section.read("tag", lambda node: node.parse(fields.tag_glob), default.tag),
        environment=section.read("environment", lambda node: node.parse(fields.environment_glob), default.environment),
        registry=section.read("registry", _registry, default.registry),
        kinds=section.read("kinds", _kinds, default.kinds),
        quiet=section.read("quiet", _quiet, default.quiet),
    )


def _names(node: Node) -> tuple[str, ...]:
    names = tuple(item.parse(fields.name) for item in node.items(example="- ops-chat"))
    if not names:
        raise node.refuse("is an empty list", "name at least one channel, or take the route out")
    return names


def _registry(node: Node) -> str:
    return EVERY_REGISTRY if node.text() == EVERY_REGISTRY else node.parse(fields.name)


def _kinds(node: Node) -> frozenset[NotificationKind]:
    kinds: frozenset[NotificationKind] = frozenset(
        item.choice(*NOTIFICATION_KINDS) for item in node.items(example="- moved")
    )
    if not kinds:
        raise node.refuse("is an empty list", "name at least one kind, or take the key out for all of them")
    return kinds


def _quiet(node: Node) -> Quiet:
    section = node.section("from", "until", "zone")
    quiet = Quiet(
        begins=section.require("from", example='"22:00"').parse(fields.time_of_day),
        ends=section.require("until", example='"07:00"').parse(fields.time_of_day),
        zone=section.require("zone", example="Europe/Berlin").parse(fields.zone),
    )
    if quiet.begins == quiet.ends:
        raise node.refuse("ends when it begins", "write another time under `until`, or take the route out")
    return quiet


def _refuse_contradictions(config: NotifyConfig, path: str) -> None:
    """What is wrong only in combination with the rest of the section."""
    positions: dict[str, int] = {}
    for at, channel in enumerate(config.channels):
        first = positions.setdefault(channel.name, at)
        if first != at:
            raise ConfigurationError(
                f"{path}.channels[{at}].name is {channel.name!r}, as {path}.channels[{first}].name is already; "
                "give every channel a name of its own"
            )
    for key, name in _named_channels(config):
        if name not in positions:
            known = ", ".join(positions) or "none yet"
            raise ConfigurationError(f"{path}.{key} is {name!r}, which is no channel; the channels are {known}")
    for at in range(len(config.routes)):
        _refuse_dead_route(config, at, f"{path}.routes[{at}]")


def _named_channels(config: NotifyConfig) -> Iterator[tuple[str, str]]:
    if config.fallback is not None:
        yield "fallback", config.fallback
    for at, route in enumerate(config.routes):
        for position, name in enumerate(route.channels):
            yield f"routes[{at}].channels[{position}]", name


def _refuse_dead_route(config: NotifyConfig, at: int, path: str) -> None:
    """A route that nothing can match."""
    route = config.routes[at]
    if route.kinds == {"alert"} and not _takes_alerts(route):
        raise ConfigurationError(
            f"{path} sends only alerts, which have no repository, tag and environment; take these out of it"
        )
    for first, earlier in enumerate(config.routes[:at] if config.match == "first" else ()):
        if _takes_all_of(earlier, route):
            raise ConfigurationError(
                f"{path} is never reached, since routes[{first}] takes all that it wants and `match` is first; "
                "put it before that one, or take it out"
            )


def _takes_alerts(route: RouteConfig) -> bool:
    every = _EVERYTHING
    return (route.repository, route.tag, route.environment) == (every.repository, every.tag, every.environment)


def _takes_all_of(earlier: RouteConfig, later: RouteConfig) -> bool:
    pairs = (
        (earlier.repository, later.repository, _EVERYTHING.repository),
        (earlier.tag, later.tag, _EVERYTHING.tag),
        (earlier.environment, later.environment, None),
        (earlier.registry, later.registry, EVERY_REGISTRY),
    )
    return earlier.kinds >= later.kinds and all(first in (second, every) for first, second, every in pairs)
