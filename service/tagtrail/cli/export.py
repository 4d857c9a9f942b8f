"""`tagtrail export`: make a zip that an auditor can check without this service."""

import os
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

import click

from tagtrail import __version__
from tagtrail.access.disclosures import Requester
from tagtrail.cli.open_trail import find_ledger
from tagtrail.cli.options import filter_options, location, location_options, open_recorder, read_texts
from tagtrail.errors import BadParameter
from tagtrail.export.bundle import COMMAND_LINE, Bundle, hand_over, prepare
from tagtrail.export.query import FILTERS, MOST_DRAWN, read_export_query
from tagtrail.export.selection import INCLUDED, PRUNED, WITHHELD
from tagtrail.ledger.record import Recorder
from tagtrail.line import Who
from tagtrail.tlog.guard import check_ledger
from tagtrail.wording.text import counted, visible

_STANDARD_OUTPUT: Final = "-"


@click.command()
@filter_options(*FILTERS)
@click.option("--identities", is_flag=True, help="Include personal data: actors, addresses, events as received.")
@click.option(
    "--since-checkpoint",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Prove that the log has only grown since the checkpoint in this file, which the auditor kept.",
)
@click.option(
    "--sample", type=click.IntRange(1, MOST_DRAWN), metavar="N", help="Only N of the matching lines, drawn with --seed."
)
@click.option(
    "--seed", metavar="TEXT", help="A text that the auditor chooses for the draw; with it, anybody can repeat the draw."
)
@click.option(
    "--size", type=click.IntRange(min=0), metavar="N", help="Export the ledger as of the checkpoint over N lines."
)
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="FILE",
    help="The zip to write; it must not exist yet. - is standard output.",
)
@location_options
def export(output: str, since_checkpoint: Path | None, **given: Any) -> None:
    """Make a zip that an auditor can check without this service. Its README.txt says how.

    The zip contains the exact lines, a proof that ties them to a signed checkpoint, tables for spreadsheets, and the
    program that checks everything. Lines that do not match are withheld, and listed by number. --since and --until use
    tagtrail's clock. The export itself is recorded as a line of the ledger. The service may be running.
    """
    texts = read_texts(given)
    if since_checkpoint is not None:
        texts["since_checkpoint"] = _read_checkpoint(since_checkpoint)
    query = read_export_query(texts)
    where = location()
    with closing(find_ledger(where.data)) as store:
        check_ledger(store, where.log.journal)
        signer = where.make_signer(store)
        identities = query.identities is True
        with _created(output) as file:
            bundle = prepare(store, query, sign=signer.sign, asked_by=COMMAND_LINE, identities=identities)
            _write(bundle, open_recorder(store), file)
    click.echo(_describe(bundle, output), err=output == _STANDARD_OUTPUT)


def _read_checkpoint(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except OSError as error:
        raise BadParameter("since-checkpoint", f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise BadParameter("since-checkpoint", f"{path} is no checkpoint: it is not UTF-8 text") from None


def _write(bundle: Bundle, recorder: Recorder, file: BinaryIO) -> None:
    """Write the zip, with a progress bar on a terminal."""
    requester = Requester(who=Who(user_agent=f"tagtrail/{__version__} (command line)"))
    with (
        click.progressbar(length=bundle.work, label="lines", file=sys.stderr, hidden=not sys.stderr.isatty()) as bar,
        closing(hand_over(bundle, recorder, requester, progress=bar.update)) as pieces,
    ):
        for piece in pieces:
            file.write(piece)


@contextmanager
def _created(output: str) -> Iterator[BinaryIO]:
    """The file, readable by its owner only. It gets its name when it is complete. Raises BadParameter."""
    if output == _STANDARD_OUTPUT:
        yield sys.stdout.buffer
        return
    path = Path(output)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    if path.exists():
        raise BadParameter("output", f"{output} exists already; name another file")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)  # unlike a rename, it never replaces a file
    except FileExistsError:
        raise BadParameter("output", f"{output} exists already; name another file") from None
    finally:
        draft.unlink(missing_ok=True)


def _describe(bundle: Bundle, output: str) -> str:
    count = bundle.selection.count
    left_out = [
        *([f"{counted(count(WITHHELD), 'line', 'lines')} withheld"] if count(WITHHELD) else []),
        *([f"{counted(count(PRUNED), 'line', 'lines')} pruned"] if count(PRUNED) else []),
    ]
    return (
        f"{'The export' if output == _STANDARD_OUTPUT else visible(output)} has"
        f" {counted(count(INCLUDED), 'line', 'lines')} of the {bundle.log.size} of {visible(bundle.log.origin)}"
        f"{''.join(f', {text}' for text in left_out)}. Its README.txt says how to check it."
        " Give the auditor the key by another way: tagtrail log key show"
    )
