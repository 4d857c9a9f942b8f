"""`tagtrail deployments`: what was published for which environment, newest first, and what it replaced."""

import click
from rich.text import Text

from tagtrail.cli import columns
from tagtrail.cli.asked import Asked, Nothing
from tagtrail.cli.options import asking
from tagtrail.cli.place import Trail
from tagtrail.cli.references import narrow
from tagtrail.cli.table import Column
from tagtrail.cli.words import listed, local_time, span, visible
from tagtrail.store.deployments import RecordedDeployment, find_deployments
from tagtrail.trail.instant import SECOND

_STYLES = {"first": "green", "forward": "green", "back": "cyan", "again": "dim"}


@click.command()
@click.argument("image", metavar="[REPOSITORY]", required=False)
@asking("registry", "repository", "tag", "digest", "actor", "environment", "since", "until")
def deployments(asked: Asked, image: str | None) -> None:
    """What was published for an environment, newest first.

    It went first, forward, back (to what the environment had before) or again (the same); it is unpinned if no
    release tag names the digest, and a release tag that has left it since is marked (then). BEFORE is what it
    replaced, and LASTED how long that was published.
    """
    asked = narrow(asked, image) if image else asked
    asked.answer(
        asked.each(find_deployments),
        _columns(asked.trail),
        lambda row: row,
        nothing=Nothing("No deployment is recorded that fits.", is_unknown=image is not None),
    )


def _columns(trail: Trail) -> list[Column[RecordedDeployment]]:
    return [
        Column("WHEN", lambda row: local_time(row.at)),
        Column("ENVIRONMENT", lambda row: visible(row.environment), style="bold", folds=True),
        *columns.image(trail, lambda row: row),
        Column("RELEASE", columns.release, folds=True, clause="as"),
        Column("WENT", lambda row: Text(row.direction, _STYLES[row.direction])),
        Column("BASIS", lambda row: row.basis, form="wide"),
        columns.BY,
        Column("CHANGE", lambda row: visible(row.change or ""), form="wide"),
        Column("BEFORE", lambda row: _before(trail, row), folds=True, clause="before:"),
        Column("LASTED", _lasted, folds=True, clause="which lasted"),
        columns.LINE,
    ]


def _before(trail: Trail, row: RecordedDeployment) -> str:
    before = row.previous
    if before is None:
        return ""
    tags = dict.fromkeys(before.release_tags_then + before.release_tags_now)
    return listed(tags) or columns.name_digest(trail, before)


def _lasted(row: RecordedDeployment) -> str:
    before = row.previous
    if before is None or before.until is None:
        return ""
    return span((before.until - before.at) / SECOND)
