"""`tagtrail log ...`: the ledger as it is signed: its checkpoint, the whole of it verified, what to do in trouble."""

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from time import monotonic
from typing import Final

import click

from tagtrail.cli.options import make_recorder, place, place_options
from tagtrail.cli.place import Place, find_ledger
from tagtrail.cli.words import counted, span, visible
from tagtrail.config.secrets import prepare_data_directory
from tagtrail.errors import Contradicted, NotRecorded
from tagtrail.ledger.record import Recorder
from tagtrail.store.database import Store
from tagtrail.store.status import Verification, keep_verification
from tagtrail.store.tree import find_checkpoint
from tagtrail.tlog import recovery as recovering
from tagtrail.tlog.place import make_sealer
from tagtrail.tlog.signer import rotate_key
from tagtrail.tlog.verification import count_lines, find_trouble
from tagtrail.trail.instant import now

VERIFY_LOCK: Final = "verify.lock"
_REASON = click.option("--reason", required=True, metavar="TEXT", help="Why; it stands in the ledger for ever.")


@click.command()
@place_options
def checkpoint() -> None:
    """Print the newest checkpoint: how far the ledger has grown, signed."""
    with closing(find_ledger(place().data)) as store:
        newest = find_checkpoint(store.reader())
        if newest is None:
            raise NotRecorded("nothing was signed yet; the service signs when it starts")
        click.echo(newest.note, nl=False)


@click.command()
@click.option("--background", is_flag=True, hidden=True, help="As the service runs it: at the lowest priority.")
@place_options
def verify(*, background: bool) -> None:
    """Verify the whole ledger: every line, every hash, every checkpoint ever signed.

    The service may run meanwhile. What was found is remembered, and the service tells of it at /readyz.
    """
    where = place()
    if background:
        os.nice(19)
    with closing(find_ledger(where.data)) as store, _alone(where, wait=not background) as is_alone:
        if not is_alone:
            return
        started, size = monotonic(), count_lines(store)
        with click.progressbar(length=size, label="lines", file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:
            trouble = find_trouble(store, where.log.journal, size=size, progress=lambda seq: bar.update(seq - bar.pos))
        with store.writing() as tx:
            keep_verification(tx, Verification(now(), size, trouble))
    if trouble is not None:
        raise Contradicted(f"the ledger does not verify: {trouble}")
    click.echo(f"Verified {counted(size, 'line', 'lines')} in {span(monotonic() - started)}: nothing is wrong.")


@contextmanager
def _alone(where: Place, *, wait: bool) -> Iterator[bool]:
    """Keep others from verifying this ledger meanwhile; whether they do so already, where that is not waited for."""
    lock = os.open(where.data / VERIFY_LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True
    finally:
        os.close(lock)


@click.command()
@place_options
def recover() -> None:
    """Append the lines that the ledger lost again, from the journal.

    For a database that was put back from a backup. The lines are the same, byte for byte; what they disclosed (who,
    and the events as received) is lost with the newer database. The service has to be stopped.
    """
    where = place()
    with _stopped(where) as store:
        count = recovering.recover(store, Recorder(store), where.log.journal)
        _seal(where, store)
    click.echo(f"{counted(count, 'line was', 'lines were')} appended again from {visible(str(where.log.journal))}.")


@click.command("new-epoch")
@_REASON
@place_options
def new_epoch(reason: str) -> None:
    """Go on with the ledger as it is, as a new log that says what was lost.

    For a ledger that is not what was signed of it, and that nobody can bring back. Auditors will see it, and ask. The
    service has to be stopped.
    """
    where = place()
    with _stopped(where) as store:
        origin = recovering.begin_epoch(store, Recorder(store), where.log, reason=reason)
        _seal(where, store)
    click.echo(f"The log goes on as {visible(origin)}.")


@click.group()
def key() -> None:
    """The key that signs the log."""


@key.command("show")
@place_options
def show() -> None:
    """Print the verifier keys, oldest first: what an auditor has to be given by another way than an export."""
    where = place()
    with closing(find_ledger(where.data)) as store:
        for each in make_sealer(store, where.ledger, public_url=where.public_url).verifier_keys():
            click.echo(str(each))


@key.command("rotate")
@_REASON
@place_options
def rotate(reason: str) -> None:
    """Replace the key that signs the log; the service may go on meanwhile.

    The change is a line of the ledger, and the next checkpoint is signed by both keys, so that whoever knows the old
    one can follow. The new verifier key is printed: give it to your auditors.
    """
    where = place()
    with closing(find_ledger(where.data)) as store:
        sealer = make_sealer(store, where.ledger, public_url=where.public_url)
        click.echo(str(rotate_key(store, make_recorder(store), sealer, where.log, reason=reason)))


@contextmanager
def _stopped(where: Place) -> Iterator[Store]:
    """The ledger, while no service runs; an empty one where there is none, to be filled from the journal."""
    from tagtrail.server.run import only_service  # noqa: PLC0415 - a question need not load the web server

    prepare_data_directory(where.data)
    store = Store(where.data)
    with closing(store), only_service(where.data, patience=0):
        store.prepare()
        yield store


def _seal(where: Place, store: Store) -> None:
    make_sealer(store, where.ledger, public_url=where.public_url).seal()
