"""`tagtrail erase`: deletes what is disclosed of a person; the ledger's lines and every proof stay as they are."""

from collections.abc import Collection, Sequence
from contextlib import closing

import click

from tagtrail.cli.options import data_directory, place_options
from tagtrail.cli.place import find_ledger, open_recorder
from tagtrail.cli.words import counted, listed, local_time, visible
from tagtrail.errors import NotRecorded, StorageUnavailable
from tagtrail.ledger.erase import Traces, check_request, erase, find_holdings, remove_traces
from tagtrail.store.database import Store
from tagtrail.store.erasing import Holding
from tagtrail.store.events import get_received_at


@click.command("erase", short_help="Erase what is known of a person.")
@click.option("--actor", required=True, metavar="NAME", help="Whom: the name as the registry reported it.")
@click.option("--reason", required=True, metavar="TEXT", help="Why; it stays in the ledger and must not hold the name.")
@click.option("--yes", is_flag=True, help="Do it. Without this, only what would be erased is told.")
@place_options
def erase_command(actor: str, reason: str, *, yes: bool) -> None:
    """Erase an actor's name, address and user agent, and the events as received, from the record.

    A name that Unicode can write in several ways is found in each of them, and each is told.

    What was recorded stays proved: lines hold no names. The service may be running; what it records afterwards is not
    erased. Older backups and exports are not touched.
    """
    check_request(actor, reason)
    with closing(find_ledger(data_directory())) as store:
        spelled: set[str] = set()
        holdings = find_holdings(store, actor, spelled=spelled.add)
        if not holdings and not yes:
            raise NotRecorded(f"nothing that is disclosed names {actor}")
        if not yes:
            click.echo(_describe(store, holdings, "Would be erased"))
            _tell_spellings(spelled, actor)
            click.echo("Nothing was changed. Give the command again with --yes to do it; it cannot be undone.")
            return
        recorded = erase(open_recorder(store), holdings, reason=reason)
        if holdings:
            click.echo(_describe(store, holdings, "Erased"))
            _tell_spellings(spelled, actor)
        _tell_recorded(recorded)
        _tell_traces(remove_traces(store, actor, spelled=spelled), actor, store)


def _describe(store: Store, holdings: Sequence[Holding], verb: str) -> str:
    who = sum(holding.who for holding in holdings)
    raw = sum(holding.raw for holding in holdings)
    first, last = (local_time(get_received_at(store.reader(), holdings[at].seq) or 0) for at in (0, -1))
    return (
        f"{verb}: {counted(who, 'name', 'names')} and {counted(raw, 'event as received', 'events as received')}, of"
        f" {counted(len(holdings), 'line', 'lines')} from line {holdings[0].seq} ({first}) to line {holdings[-1].seq}"
        f" ({last})."
    )


def _tell_spellings(spelled: Collection[str], actor: str) -> None:
    """Say how the name is written, where it is not only as it was given: the ways look the same."""
    if set(spelled) <= {actor}:
        return
    ways = listed((ascii(text)[1:-1] for text in sorted({actor, *spelled})), most=None)
    click.echo(f"It is written in ways that look the same, all of which are meant: {ways}.")


def _tell_recorded(recorded: Sequence[int]) -> None:
    if recorded:
        click.echo(f"Recorded as {listed((f'line {seq}' for seq in recorded), most=None)}.")
    else:
        click.echo("Nothing that is disclosed names them; nothing was recorded.")


def _tell_traces(traces: Traces, actor: str, store: Store) -> None:
    """Say where the name was found afterwards. Raises StorageUnavailable where a reader was in the way."""
    if not traces.is_emptied:
        raise StorageUnavailable(
            "a reader kept the write-ahead log from being emptied, and it may hold the name; give the command again"
            " when nobody reads"
        )
    if not traces.files:
        click.echo(f"The name is in no file of {visible(str(store.directory))} any more.")
        return
    click.echo(f"The text {visible(actor)} still stands in {listed(traces.files, most=None)}:")
    kept = traces.kept
    click.echo(
        f"  in {counted(kept.lines, 'line', 'lines')} (a repository, a tag, a change: lines are never changed), in"
        f" {counted(kept.disclosures, 'disclosure', 'disclosures')} and {counted(kept.actors, 'name', 'names')} of"
        " others, as a part of something longer."
    )
    if not (kept.lines or kept.disclosures or kept.actors):
        click.echo("  None of it is the ledger's: look at these files.")
