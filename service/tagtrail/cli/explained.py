"""`tagtrail notify explain`: who would be told of a tag's newest move, why, and in which words. Nothing is sent."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import click
import msgspec
from rich.text import Text

from tagtrail.cli.asked import Asked
from tagtrail.cli.options import asking, config_path, place
from tagtrail.cli.references import Subject, find_subject
from tagtrail.cli.words import listed, local_time, visible
from tagtrail.config.load import load_notify
from tagtrail.config.model import NotifyConfig
from tagtrail.errors import BadParameter, ConfigurationError, NotRecorded
from tagtrail.notify.explain import RouteDecision, find_notifications, judge
from tagtrail.notify.routes import Notification, Routes
from tagtrail.store.messages import find_gathered, find_message_data, get_newest_line
from tagtrail.store.query import Filter
from tagtrail.trail.instant import SECOND, format_instant, now, parse_instant

_IDENTITY: Final = "msg_00000000-0000-7000-8000-000000000000"


class ExplainedRoute(msgspec.Struct, frozen=True):
    """A route of the configuration, by its position there; `why` says why it does not match."""

    route: int
    matches: bool
    why: str | None
    channels: tuple[str, ...]


class ExplainedChannel(msgspec.Struct, frozen=True):
    """What a channel would get; `held_until` is the end of quiet hours, if it is told now."""

    channel: str
    kind: str
    held_until: str | None
    preview: str


class Explained(msgspec.Struct, frozen=True):
    """What `--json` prints: the newest move of the tag, the routes, and the channels that are told."""

    registry: str
    repository: str
    tag: str
    line: int
    kinds: tuple[str, ...]
    environments: tuple[str, ...]
    routes: tuple[ExplainedRoute, ...]
    channels: tuple[ExplainedChannel, ...]


@dataclass(frozen=True, slots=True)
class _Question:
    """The tag's newest move with what was pushed together with it, held against the routes."""

    subject: Subject
    config: NotifyConfig
    seq: int
    lines: tuple[int, ...]
    happenings: tuple[Notification, ...]
    asked: Notification


@click.command("explain")
@click.argument("image", metavar="REPOSITORY:TAG")
@asking("registry", is_list=False)
def explain_told(asked: Asked, image: str) -> None:
    """Who would be told of a tag's newest move, why, and in which words.

    Nothing is sent, and no secret of a channel is read. What is shown is how things stand now: the real message says
    what was so when it was sent.
    """
    question = _find(asked, find_subject(asked, image))
    verdicts = judge(question.config, question.happenings, question.asked)
    channels = list(_preview(asked, question))
    if asked.as_json:
        asked.screen.json([_describe(question, verdicts, channels)])
        return
    _show(asked, question, verdicts, channels)


def _find(asked: Asked, subject: Subject) -> _Question:
    """Raises BadParameter, and NotRecorded."""
    if subject.tag is None:
        raise BadParameter("reference", f"{subject.repository} names no tag; write {subject.repository}:prod")
    config = load_notify(config_path(), environ=os.environ)
    with asked.trail.store.snapshot() as db:
        wanted = Filter(registry=subject.registry, repository=subject.repository, tag=subject.tag)
        seq = get_newest_line(db, wanted)
        if seq is None:
            raise NotRecorded(f"no move of {subject.repository}:{subject.tag} is recorded")
        lines = find_gathered(db, seq, within=int(config.debounce * SECOND))
        happenings = find_notifications(find_message_data(db, lines, asked.trail.rules))
        alone = find_notifications(find_message_data(db, [seq], asked.trail.rules))
    # One of very many tags may be none of those that a message is made of; it went the way that they did.
    asked_for = (one for one in (*reversed(happenings), *alone) if one.tag == subject.tag)
    about = next(asked_for, replace(alone[-1], tag=subject.tag))
    return _Question(subject, config, seq, tuple(lines), (*happenings, about), about)


def _preview(asked: Asked, question: _Question) -> Iterator[ExplainedChannel]:
    """What each channel that is told would get."""
    from tagtrail.notify.channels import make_channel  # noqa: PLC0415 - it takes what a question has no need of
    from tagtrail.notify.composer import MessageComposer  # noqa: PLC0415

    at = now()
    routes = Routes(question.config)
    teller = MessageComposer(asked.trail.store, public_url=place().public_url, routes=routes)
    configured = {channel.name: channel for channel in question.config.channels}
    for name, not_before in routes.find_channels(question.happenings, at=at).items():
        channel = configured[name]
        message = teller.tell_lines(question.lines, channel, identity=_IDENTITY)
        try:
            preview = make_channel(channel).preview(message)
        except ConfigurationError as error:
            preview = str(error)
        held_until = format_instant(not_before) if not_before > at else None
        yield ExplainedChannel(name, channel.kind, held_until, preview)


def _describe(
    question: _Question, verdicts: Sequence[RouteDecision], channels: Sequence[ExplainedChannel]
) -> Explained:
    return Explained(
        registry=question.subject.registry,
        repository=question.subject.repository,
        tag=question.subject.tag or "",
        line=question.seq,
        kinds=tuple(sorted(question.asked.kinds)),
        environments=question.asked.environments,
        routes=tuple(ExplainedRoute(one.position, one.matches, one.why, one.route.channels) for one in verdicts),
        channels=tuple(channels),
    )


def _show(
    asked: Asked, question: _Question, verdicts: Sequence[RouteDecision], channels: Sequence[ExplainedChannel]
) -> None:
    screen, subject = asked.screen, question.subject
    kinds = listed(sorted(question.asked.kinds), most=None)
    environments = f", published for {listed(question.asked.environments)}" if question.asked.environments else ""
    name = Text(visible(f"{subject.repository}:{subject.tag}"), "bold")
    screen.say(name, f" in registry {subject.registry}, line {question.seq}: {kinds}{environments}")
    others = dict.fromkeys(one.tag or "" for one in question.happenings if one.tag != subject.tag)
    if others:
        within = f"{question.config.debounce:g} s"
        screen.say(f"Told together with {listed(others)}: the same digest, pushed within {within}.")
    screen.say("")
    if not verdicts:
        screen.say("No routes are configured, so nobody is told; add some under notify.routes.")
    for verdict in verdicts:
        to = listed(verdict.route.channels, most=None)
        what = f"matches: {to}" if verdict.matches else f"does not match: {visible(verdict.why or '')}"
        screen.say(Text(f"routes[{verdict.position}] {what}", "" if verdict.matches else "dim"))
    if verdicts and not channels:
        screen.say("Nobody is told.")
    for channel in channels:
        screen.say("")
        held = f", held back until {local_time(parse_instant(channel.held_until))}" if channel.held_until else ""
        screen.say(Text(f"{visible(channel.channel)} ({channel.kind}) would get{held}:", "bold"))
        for line in channel.preview.rstrip("\n").split("\n"):
            screen.whole(f"  {visible(line)}")
