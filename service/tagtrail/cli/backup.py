"""`tagtrail backup`: a consistent copy of the database, while the service runs."""

from contextlib import closing
from pathlib import Path
from time import monotonic

import click

from tagtrail.cli.options import data_directory, place_options
from tagtrail.cli.place import find_ledger
from tagtrail.cli.words import size, span, visible
from tagtrail.store.backup import back_up


@click.command(short_help="Copy the database while the service runs.")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@place_options
def backup(directory: Path) -> None:
    """Copy the database into DIR, as DIR/tagtrail.db, while the service goes on recording.

    The copy is checked before it gets its name. The log's key and its journal are not in it: keep the key elsewhere,
    and the journal where this machine cannot change it.
    """
    started = monotonic()
    with closing(find_ledger(data_directory())) as store:
        copy = back_up(store, directory.absolute())
    reached = f"up to line {copy.last_seq}" if copy.last_seq >= 0 else "without any line"
    click.echo(f"Copied {reached} to {visible(str(copy.path))}, {size(copy.size)} in {span(monotonic() - started)}.")
