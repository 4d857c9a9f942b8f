"""`tagtrail environments`: what is published for each environment, now or at a time."""

from dataclasses import dataclass

import click
from rich.text import Text

from tagtrail.cli import columns
from tagtrail.cli.asked import Asked, Nothing
from tagtrail.cli.options import When, asking
from tagtrail.cli.place import Trail
from tagtrail.cli.references import narrow
from tagtrail.cli.table import Column
from tagtrail.cli.when import end_of_second
from tagtrail.cli.words import local_time, visible
from tagtrail.store.deployments import EarlierDigest
from tagtrail.store.environments import EnvironmentState, find_environments


@click.command(short_help="What is published for every environment.")
@click.argument("image", metavar="[REPOSITORY]", required=False)
@click.option("--at", type=When(), metavar="TIME", help="What was published then, by the registry's clock.")
@asking("registry", "repository", "environment")
def environments(asked: Asked, image: str | None, at: int | None) -> None:
    """What is published for every environment, and what it could go back to.

    EarlierDigest is not running: only the environment itself knows what runs there.
    """
    show_environments(narrow(asked, image) if image else asked, at=at, is_named=image is not None)


def show_environments(asked: Asked, *, at: int | None, is_named: bool) -> None:
    """Write what is published for the environments that the filter asks for, now or at the end of the second of `at`.

    Raises NotRecorded for none where one `is_named`.
    """
    then = None if at is None else end_of_second(at)
    when = "" if at is None else f" at {local_time(at)}"
    asked.answer(
        asked.each(find_environments, at=then),
        _columns(asked.trail),
        lambda row: row,
        nothing=Nothing(f"Nothing was published for any environment{when}.", is_unknown=is_named),
    )


def _columns(trail: Trail) -> list[Column[EnvironmentState]]:
    return [
        Column("ENVIRONMENT", lambda row: visible(row.environment), style="bold", folds=True),
        *columns.image(trail, _image),
        Column("RELEASE", _release, folds=True, clause="as"),
        Column("SINCE", _since, clause="since"),
        Column("BY", _actor, folds=True, clause="by"),
        Column("BACK TO", lambda row: _back(trail, row.roll_back_to), folds=True, clause="back to"),
        Column("LINE", _line, right=True, style="dim", clause="line"),
    ]


@dataclass(frozen=True, slots=True)
class _Withdrawn:
    """What is shown for an image where an environment has none any more."""

    registry: str
    repository: str
    host: str | None = None
    tag: str | None = None
    digest: str | None = None


def _image(row: EnvironmentState) -> columns.Image:
    return row.published or _Withdrawn(row.registry, row.repository)


def _release(row: EnvironmentState) -> str | Text:
    if row.published is None:
        return Text("withdrawn", "red")
    return columns.release(row.published)


def _actor(row: EnvironmentState) -> str:
    return visible(row.published.actor or "") if row.published else ""


def _line(row: EnvironmentState) -> str:
    return str(row.published.seq) if row.published else ""


def _since(row: EnvironmentState) -> str:
    instant = row.published.at if row.published else row.withdrawn_at
    return local_time(instant) if instant is not None else ""


def _back(trail: Trail, target: EarlierDigest | None) -> str:
    if target is None:
        return ""
    return columns.both(target.release_tags_then, target.release_tags_now) or columns.name_digest(trail, target)
