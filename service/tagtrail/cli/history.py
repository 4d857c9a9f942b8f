"""`tagtrail history`: every move of one tag, newest first, and how long each lasted."""

import click
from rich.text import Text

from tagtrail.cli import columns
from tagtrail.cli.asked import Asked, Nothing
from tagtrail.cli.options import asking
from tagtrail.cli.place import Trail
from tagtrail.cli.references import PARAMETER, find_subject
from tagtrail.cli.sentences import STYLES
from tagtrail.cli.table import Column
from tagtrail.cli.words import listed, local_time, span
from tagtrail.errors import BadParameter
from tagtrail.store.history import TagMove, find_history
from tagtrail.trail.instant import SECOND, now
from tagtrail.wording.clauses import MOVE_WORDS


@click.command()
@click.argument("image", metavar="REPOSITORY:TAG")
@asking("registry", "since", "until")
def history(asked: Asked, image: str) -> None:
    """What a tag pointed at, from when to when, newest first."""
    subject = find_subject(asked, image)
    if subject.tag is None:
        raise BadParameter(PARAMETER, f"{image[:80]!r} names no tag; write team/app:prod, or ask `tagtrail tags`")
    asked = asked.about(registry=subject.registry, repository=subject.repository, tag=subject.tag)
    asked.answer(
        asked.each(find_history),
        _columns(asked.trail),
        lambda row: row,
        nothing=Nothing(f"{subject} did not move in that time."),
    )


def _columns(trail: Trail) -> list[Column[TagMove]]:
    return [
        Column("SINCE", lambda row: local_time(row.at)),
        Column("UNTIL", lambda row: columns.until(row.until), form="wide"),
        Column("FOR", _lasted, form="narrow", right=True, clause="for"),
        Column("MOVE", _move),
        Column("IMAGE", lambda row: columns.name_image(trail.manner(is_whole=True), row), form="wide", style="bold"),
        Column("DIGEST", lambda row: columns.name_digest(trail, row), form="narrow"),
        Column("RELEASE", lambda row: listed(row.release_tags), folds=True, clause="as"),
        Column("REPEATED", lambda row: f"{row.repeated}x" if row.repeated else "", form="wide", right=True),
        columns.BY,
        columns.LINE,
    ]


def _lasted(row: TagMove) -> str:
    return span(((now() if row.until is None else row.until) - row.at) / SECOND)


def _move(row: TagMove) -> Text:
    words = Text.assemble((MOVE_WORDS[row.kind], STYLES[row.kind]))
    return words.append(" VIOLATION", "bold red") if row.violation else words
