"""`tagtrail violations`: release tags that moved or were deleted."""

import click
from rich.text import Text

from tagtrail.cli import columns
from tagtrail.cli.asked import Asked, Nothing
from tagtrail.cli.options import asking
from tagtrail.cli.place import Trail
from tagtrail.cli.sentences import STYLES
from tagtrail.cli.table import Column
from tagtrail.cli.words import local_time
from tagtrail.store.releases import Violation, find_violations
from tagtrail.wording.clauses import MOVE_WORDS

_WORDS = MOVE_WORDS | {"created": "pushed anew"}


@click.command()
@asking("registry", "repository", "tag", "digest", "actor", "since", "until")
def violations(asked: Asked) -> None:
    """Release tags that moved or were deleted, newest first.

    A release tag names one digest for ever; who pulls it after it moved gets something else under the same name.
    """
    asked.answer(
        asked.each(find_violations),
        _columns(asked.trail),
        lambda row: row,
        nothing=Nothing("No release tag moved or was deleted, as far as the registry told."),
    )


def _columns(trail: Trail) -> list[Column[Violation]]:
    def was(row: Violation, *, is_whole: bool) -> str:
        return trail.manner(is_whole=is_whole).digest(row.previous_digest) if row.previous_digest else ""

    return [
        Column("WHEN", lambda row: local_time(row.at)),
        Column("MOVE", lambda row: Text(_WORDS[row.kind], STYLES[row.kind])),
        *columns.image(trail, lambda row: row, without_digest="none"),
        Column("WAS", lambda row: was(row, is_whole=True), form="wide"),
        Column("WAS", lambda row: was(row, is_whole=False), form="narrow", clause="was"),
        columns.BY,
        columns.LINE,
    ]
