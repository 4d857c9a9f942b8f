"""`tagtrail notify explain`: which channels a tag's newest move notifies, why, and with which message."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import click
import msgspec

from tagtrail.cli.options import location, notify_config
from tagtrail.cli.query import TrailQuery, query_options
from tagtrail.cli.references import PARAMETER, Subject, find_subject
from tagtrail.cli.text import local_time
from tagtrail.config.model import NotifyConfig
from tagtrail.errors import BadParameter, ConfigurationError, NotRecorded
from tagtrail.notify.explain import RouteDecision, explain_routes, read_notifications
from tagtrail.notify.routes import Notification, Routes
from tagtrail.store.messages import find_debounced, find_message_data, get_newest_line
from tagtrail.store.query import Filter
from tagtrail.trail.instant import SECOND, format_instant, now, parse_instant
from tagtrail.wording.text import listed

_IDENTITY: Final = "msg_00000000-0000-7000-8000-000000000000"


class ExplainedRoute(msgspec.Struct, frozen=True):
    """A route, by its position in the configuration; `why` says why it does not match."""

    route: int
    matches: bool
    why: str | None
    channels: tuple[str, ...]


class ExplainedChannel(msgspec.Struct, frozen=True):
    """The message that a channel would get; `held_until` is the end of its quiet hours, where they hold it back."""

    channel: str
    kind: str
    held_until: str | None
    preview: str


class ExplainedMove(msgspec.Struct, frozen=True):
    """The answer of `--json`: the newest move of the tag, the routes, and the channels that are notified."""

    registry: str
    repository: str
    tag: str
    line: int
    kinds: tuple[str, ...]
    environments: tuple[str, ...]
    routes: tuple[ExplainedRoute, ...]
    channels: tuple[ExplainedChannel, ...]


@dataclass(frozen=True, slots=True)
class _NewestMove:
    """The newest move of a tag, with the tags that were pushed together with it."""

    subject: Subject
    config: NotifyConfig
    seq: int
    lines: tuple[int, ...]
    notifications: tuple[Notification, ...]
    own: Notification


@click.command()
@click.argument("tag", metavar="REPOSITORY:TAG")
@query_options("registry", is_list=False)
def explain(query: TrailQuery, tag: str) -> None:
    """Which channels a tag's newest move notifies, why, and with which message.

    Nothing is sent, and no secret of a channel is read. The message is composed from the trail as it is now; the real
    message was composed when it was sent.
    """
    move = _find(query, find_subject(query, tag))
    decisions = explain_routes(move.config, move.notifications, move.own)
    channels = list(_preview(query, move))
    if query.as_json:
        query.output.json([_describe(move, decisions, channels)])
        return
    _show(query, move, decisions, channels)


def _find(query: TrailQuery, subject: Subject) -> _NewestMove:
    """The newest move of a tag. Raises BadParameter and NotRecorded."""
    if subject.tag is None:
        raise BadParameter(PARAMETER, f"{subject.repository} names no tag; write {subject.repository}:prod")
    config = notify_config()
    with query.trail.store.snapshot() as db:
        wanted = Filter(registry=subject.registry, repository=subject.repository, tag=subject.tag)
        seq = get_newest_line(db, wanted)
        if seq is None:
            raise NotRecorded(f"no move of {subject.repository}:{subject.tag} is recorded")
        lines = find_debounced(db, seq, within=int(config.debounce * SECOND))
        notifications = read_notifications(find_message_data(db, lines, query.trail.rules))
        alone = read_notifications(find_message_data(db, [seq], query.trail.rules))
    # A message names only some of very many tags. A tag that it leaves out is routed as the others.
    candidates = (one for one in (*reversed(notifications), *alone) if one.tag == subject.tag)
    about = next(candidates, replace(alone[-1], tag=subject.tag))
    return _NewestMove(subject, config, seq, tuple(lines), (*notifications, about), about)


def _preview(query: TrailQuery, move: _NewestMove) -> Iterator[ExplainedChannel]:
    """The message that each notified channel would get."""
    from tagtrail.notify.channels import make_channel  # noqa: PLC0415 - it needs the channels' libraries
    from tagtrail.notify.composer import MessageComposer  # noqa: PLC0415

    at = now()
    routes = Routes(move.config)
    composer = MessageComposer(query.trail.store, public_url=location().public_url, routes=routes)
    configured = {channel.name: channel for channel in move.config.channels}
    for name, not_before in routes.find_channels(move.notifications, at=at).items():
        channel = configured[name]
        message = composer.compose_lines(move.lines, channel, identity=_IDENTITY)
        try:
            preview = make_channel(channel).preview(message)
        except ConfigurationError as error:
            preview = str(error)
        held_until = format_instant(not_before) if not_before > at else None
        yield ExplainedChannel(name, channel.kind, held_until, preview)


def _describe(
    move: _NewestMove, decisions: Sequence[RouteDecision], channels: Sequence[ExplainedChannel]
) -> ExplainedMove:
    return ExplainedMove(
        registry=move.subject.registry,
        repository=move.subject.repository,
        tag=move.subject.tag or "",
        line=move.seq,
        kinds=tuple(sorted(move.own.kinds)),
        environments=move.own.environments,
        routes=tuple(ExplainedRoute(one.position, one.matches, one.why, one.route.channels) for one in decisions),
        channels=tuple(channels),
    )


def _show(
    query: TrailQuery, move: _NewestMove, decisions: Sequence[RouteDecision], channels: Sequence[ExplainedChannel]
) -> None:
    output, subject = query.output, move.subject
    kinds = listed(sorted(move.own.kinds), most=None)
    environments = f", published for {listed(move.own.environments)}" if move.own.environments else ""
    name = (f"{subject.repository}:{subject.tag}", "bold")
    output.say(name, f" in registry {subject.registry}, line {move.seq}: {kinds}{environments}")
    others = dict.fromkeys(one.tag or "" for one in move.notifications if one.tag != subject.tag)
    if others:
        within = f"{move.config.debounce:g} s"
        output.say(f"One message with {listed(others)}: the same digest, pushed within {within}.")
    output.say("")
    if not decisions:
        output.say("No routes are configured, so no channel is notified; add some under notify.routes.")
    for decision in decisions:
        to = listed(decision.route.channels, most=None)
        what = f"matches: {to}" if decision.matches else f"does not match: {decision.why or ''}"
        output.say((f"routes[{decision.position}] {what}", "" if decision.matches else "dim"))
    if decisions and not channels:
        output.say("No channel is notified.")
    for channel in channels:
        output.say("")
        held = f", held back until {local_time(parse_instant(channel.held_until))}" if channel.held_until else ""
        output.say((f"{channel.channel} ({channel.kind}) would get{held}:", "bold"))
        for line in channel.preview.rstrip("\n").split("\n"):
            output.copyable(f"  {line}")
