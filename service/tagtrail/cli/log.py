"""`tagtrail log`: the audit log, a readable line for each entry of the ledger, newest first."""

import click

from tagtrail.audit.describing import describe_entry
from tagtrail.cli.asked import Asked, Nothing
from tagtrail.cli.options import asking
from tagtrail.cli.sentences import Manner, Narrator, ReleaseTags
from tagtrail.store.questions.entries import find_entries


@click.command()
@asking("registry", "repository", "tag", "digest", "actor", "kind", "environment", "since", "until")
def log(asked: Asked) -> None:
    """The audit log, newest first: one line for each entry.

    Shown is the time by the registry's clock; --since and --until go by tagtrail's, in which the entries stand.
    """
    narrator = Narrator(Manner(asked.trail, is_whole=not asked.screen.is_terminal), ReleaseTags(asked.trail))
    asked.write(
        asked.each(find_entries),
        lambda rows: asked.screen.paragraphs(narrator.tell(entry) for entry in rows),
        lambda entry: describe_entry(entry, asked.trail.hosts),
        nothing=Nothing("No entry of the ledger fits."),
    )
