"""`tagtrail log verify`, `checkpoint`, `key`, `recover` and `new-epoch`: the commands about the signed log."""

import os
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from time import monotonic
from typing import Final

import click

from tagtrail.cli.open_trail import LedgerLocation, find_ledger
from tagtrail.cli.options import location, location_options, make_recorder, open_recorder
from tagtrail.config.secrets import prepare_data_directory
from tagtrail.errors import Contradicted, NotRecorded
from tagtrail.locks import hold_lock
from tagtrail.store.database import Store
from tagtrail.store.status import Verification, keep_verification
from tagtrail.store.tree import find_checkpoint
from tagtrail.tlog import recovery
from tagtrail.tlog.signer import rotate_key
from tagtrail.tlog.verification import count_lines, find_trouble, find_unproved
from tagtrail.trail.instant import now
from tagtrail.wording.text import counted, span, visible

VERIFY_LOCK: Final = "verify.lock"
_REASON = click.option("--reason", required=True, metavar="TEXT", help="The reason; it stays in the ledger for ever.")


@click.command()
@location_options
def checkpoint() -> None:
    """Print the newest checkpoint: the signed statement of how many lines the ledger has, and of their hash."""
    with closing(find_ledger(location().data)) as store:
        newest = find_checkpoint(store.reader())
        if newest is None:
            raise NotRecorded("nothing was signed yet; the service signs when it starts")
        click.echo(newest.note, nl=False)


@click.command()
@click.option("--background", is_flag=True, hidden=True, help="As the service runs it: at the lowest priority.")
@location_options
def verify(*, background: bool) -> None:
    """Verify the whole ledger: every line, every hash and every checkpoint ever signed.

    The service may run meanwhile. It reports the result at /readyz.
    """
    where = location()
    if background:
        os.nice(19)
    patience = 0.0 if background else None  # another verification in the background is as good as this one
    with closing(find_ledger(where.data)) as store, hold_lock(where.data / VERIFY_LOCK, patience=patience) as is_ours:
        if not is_ours:
            return
        started, size = monotonic(), count_lines(store)
        with click.progressbar(length=size, label="lines", file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:
            trouble = find_trouble(store, where.log.journal, size=size, progress=lambda seq: bar.update(seq - bar.pos))
        with store.writing() as tx:
            keep_verification(tx, Verification(now(), size, trouble))
        unproved = find_unproved(store.reader())
    if trouble is not None:
        raise Contradicted(f"the ledger does not verify: {trouble}")
    click.echo(f"Verified {counted(size, 'line', 'lines')} in {span(monotonic() - started)}: nothing is wrong.")
    for sentence in unproved:
        click.echo(visible(sentence))


@click.command()
@location_options
def recover() -> None:
    """Append lines that the database lost again, from the journal.

    For a database that was restored from an older backup. The lines are the same, byte for byte. The personal data
    that belonged to them (names, addresses, events as received) is lost with the newer database. Stop the service
    first.
    """
    where = location()
    with _stopped(where) as store:
        count = recovery.recover(store, open_recorder(store), where.log.journal)
        where.make_signer(store).sign()
    click.echo(f"{counted(count, 'line was', 'lines were')} appended again from {visible(str(where.log.journal))}.")


@click.command()
@_REASON
@location_options
def new_epoch(reason: str) -> None:
    """Continue the ledger as it is, as a new log that records what was lost.

    For a ledger that differs from its signed checkpoints and cannot be recovered. Auditors will see the gap and ask
    about it. Stop the service first.
    """
    where = location()
    with _stopped(where) as store:
        origin = recovery.begin_epoch(store, open_recorder(store), where.log, reason=reason)
        where.make_signer(store).sign()
    click.echo(f"The log continues as {visible(origin)}.")


@contextmanager
def _stopped(where: LedgerLocation) -> Iterator[Store]:
    """The ledger while no service runs. Where there is none, an empty one, to be filled from the journal."""
    from tagtrail.server.run import only_service  # noqa: PLC0415 - the other commands do not need the web server

    prepare_data_directory(where.data)
    store = Store(where.data)
    with closing(store), only_service(where.data, patience=0):
        store.prepare()
        yield store


@click.group()
def key() -> None:
    """The key that signs the log."""


@key.command("show")
@location_options
def show_keys() -> None:
    """Print the verifier keys, oldest first. Give them to auditors by another way than an export."""
    where = location()
    with closing(find_ledger(where.data)) as store:
        for each in where.make_signer(store).verifier_keys():
            click.echo(str(each))


@key.command("rotate")
@_REASON
@location_options
def rotate(reason: str) -> None:
    """Replace the key that signs the log. The service may run meanwhile.

    The change is a line of the ledger, and both keys sign a statement that names them, so that an auditor who has the
    old key can trust the new one. The command prints the new verifier key: give it to your auditors.
    """
    where = location()
    with closing(find_ledger(where.data)) as store:
        signer = where.make_signer(store)
        click.echo(str(rotate_key(store, make_recorder(store), signer, where.log, reason=reason)))
