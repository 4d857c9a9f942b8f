"""`tagtrail rollback`: what an environment can go back to, and the commands that do it. Nothing is done here."""

from dataclasses import dataclass

import click
import msgspec
from rich.text import Text

from tagtrail.cli import columns
from tagtrail.cli.asked import Asked
from tagtrail.cli.options import asking
from tagtrail.cli.place import Trail
from tagtrail.cli.references import Subject, find_environment
from tagtrail.cli.table import Column
from tagtrail.cli.words import local_time, span, visible
from tagtrail.errors import NotRecorded
from tagtrail.store.deployments import EarlierDigest, RecordedDeployment
from tagtrail.store.environments import EnvironmentState, find_environments
from tagtrail.trail.instant import SECOND, now
from tagtrail.wording.rollback import Commands, WayBack, choose_tag, make_way_back


class RollBack(msgspec.Struct, frozen=True):
    """What `--json` prints: the environment as the API shows it, the tag to put back, and how."""

    environment: EnvironmentState
    tag: str | None
    commands: Commands


@click.command(short_help="What an environment can go back to, and how.")
@click.argument("place", metavar="REPOSITORY@ENVIRONMENT")
@asking("registry", is_list=False)
def rollback(asked: Asked, place: str) -> None:
    """What an environment can go back to, and the commands that do it.

    tagtrail itself never writes to a registry.
    """
    subject, environment = find_environment(asked, place)
    state = _get_state(asked, subject, environment)
    target = state.roll_back_to
    if target is None:
        raise NotRecorded(f"{environment} of {subject.repository} never had another digest to go back to")
    with asked.trail.store.snapshot() as db:
        tag = choose_tag(asked.trail.rules, target, state.environment)
        way = make_way_back(db, target, tag=tag)
    if asked.as_json:
        asked.screen.json([RollBack(state, way.tag, way.commands)])
        return
    _show(asked, state, way)
    asked.screen.say("")
    asked.screen.say("To deploy it by its digest:")
    asked.screen.whole(f"  {way.pinned}")
    if way.obstacle is not None:
        asked.screen.say(Text(way.obstacle, "yellow"))
    elif way.tag is not None:
        _show_commands(asked, way)


def _get_state(asked: Asked, subject: Subject, environment: str) -> EnvironmentState:
    wanted = asked.about(registry=subject.registry, repository=subject.repository, environment=environment)
    state = next(wanted.each(find_environments), None)
    if state is not None:
        return state
    others = wanted.about(environment=None).each(find_environments)
    known = ", ".join(other.environment for other in others) or "none"
    raise NotRecorded(f"nothing of {subject.repository} was published for {environment}; its environments are: {known}")


@dataclass(frozen=True, slots=True)
class _Line:
    """One of the two images that are compared: what is published, and what it can go back to."""

    role: str
    image: RecordedDeployment | EarlierDigest


def _show(asked: Asked, state: EnvironmentState, way: WayBack) -> None:
    place = Text(visible(f"{state.repository}@{state.environment}"), "bold")
    asked.screen.say(place, visible(f" in registry {state.registry}"))
    if state.published is None:
        asked.screen.say(f"Nothing is published since {local_time(state.withdrawn_at or 0)}: the tag was deleted.")
    images = [_Line("published", state.published)] if state.published else []
    asked.screen.table(_columns(asked.trail), [*images, _Line("go back to", way.target)])
    for doubt in way.doubts:
        asked.screen.say(Text(doubt, "yellow"))


def _columns(trail: Trail) -> list[Column[_Line]]:
    def digest(line: _Line, *, is_whole: bool) -> str:
        return trail.manner(is_whole=is_whole).digest(line.image.digest)

    return [
        Column("", lambda line: line.role, style="bold"),
        Column("RELEASE", lambda line: _release(line.image), folds=True),
        Column("DIGEST", lambda line: digest(line, is_whole=True), form="wide"),
        Column("DIGEST", lambda line: digest(line, is_whole=False), form="narrow"),
        Column("SINCE", lambda line: local_time(line.image.at), clause="since"),
        Column("UNTIL", lambda line: columns.until(line.image.until), clause="until"),
        Column("FOR", _lasted, right=True, clause="for"),
        Column("LINE", lambda line: str(line.image.seq), right=True, style="dim", clause="line"),
    ]


def _release(image: RecordedDeployment | EarlierDigest) -> str | Text:
    return columns.both(image.release_tags_then, image.release_tags_now) or Text("unpinned", "yellow")


def _lasted(line: _Line) -> str:
    ended = now() if line.image.until is None else line.image.until
    return span((ended - line.image.at) / SECOND)


def _show_commands(asked: Asked, way: WayBack) -> None:
    asked.screen.say("")
    asked.screen.say(f"To put the tag {way.tag} back, by one of these (tagtrail itself never writes to a registry):")
    for command in (*way.commands.skopeo, *way.commands.crane, *way.commands.docker):
        asked.screen.whole(f"  {command}")
    if way.docker_doubt is not None:
        asked.screen.say(Text(way.docker_doubt, "yellow"))
