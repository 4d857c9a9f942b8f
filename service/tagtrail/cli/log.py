"""`tagtrail log`: the audit log, a readable line for each entry; and, as its subcommands, the log that is signed."""

import click

from tagtrail.cli.asked import Asked, Nothing
from tagtrail.cli.group import UsualGroup
from tagtrail.cli.options import asking
from tagtrail.cli.sealed import checkpoint, key, new_epoch, recover, verify
from tagtrail.cli.sentences import teller
from tagtrail.store.entries import find_entries


@click.group(cls=UsualGroup, short_help="The audit log; `log verify`, `log recover` ...: as it is signed.")
def log() -> None:
    """The audit log, newest first; and the ledger behind it, as it is signed."""


@log.command("list")
@asking("registry", "repository", "tag", "digest", "actor", "kind", "environment", "since", "until")
def list_entries(asked: Asked) -> None:
    """The audit log, newest first: one line for each entry.

    Shown is the time by the registry's clock; --since and --until go by tagtrail's, in which the entries stand.

    `log checkpoint`, `log verify`, `log key`, `log recover` and `log new-epoch` are about the ledger as it is signed.
    """
    tell = teller(asked.trail, is_whole=not asked.screen.is_terminal)
    asked.write(
        asked.each(find_entries),
        lambda rows: asked.screen.paragraphs(tell(entry) for entry in rows),
        lambda entry: entry,
        nothing=Nothing("No entry of the ledger fits."),
    )


for _command in (checkpoint, verify, recover, new_epoch, key):
    log.add_command(_command)
