"""The commands that look after the ledger: `backup`, `rebuild`, `erase` for a person's data, `prune` for old lines."""

import sys
from collections.abc import Collection, Sequence
from contextlib import closing
from pathlib import Path
from time import monotonic

import click

from tagtrail.cli.open_trail import find_ledger
from tagtrail.cli.options import When, data_directory, location_options, open_recorder
from tagtrail.cli.text import local_time
from tagtrail.errors import NotRecorded, StorageUnavailable
from tagtrail.ledger import prune as retention
from tagtrail.ledger.batch import rebuild as rebuild_trail
from tagtrail.ledger.erase import Traces, check_request, find_holdings, remove_traces
from tagtrail.ledger.erase import erase as erase_holdings
from tagtrail.store.backup import back_up
from tagtrail.store.database import Store
from tagtrail.store.erasing import Holding
from tagtrail.store.events import get_received_at
from tagtrail.trail.instant import now
from tagtrail.wording.text import counted, listed, size, span, visible


@click.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@location_options
def backup(directory: Path) -> None:
    """Copy the database to DIR/tagtrail.db while the service runs.

    The copy is checked before it gets its name. It contains neither the signing key nor the journal: keep the key in
    another place, and the journal where this machine cannot change it.
    """
    started = monotonic()
    with closing(find_ledger(data_directory(), accept_older_schema=True)) as store:
        copy = back_up(store, directory.absolute())
    reached = f"up to line {copy.last_seq}" if copy.last_seq >= 0 else "without any line"
    click.echo(f"Copied {reached} to {visible(str(copy.path))}, {size(copy.size)} in {span(monotonic() - started)}.")


@click.command()
@location_options
def rebuild() -> None:
    """Derive the whole trail again from the ledger's lines.

    The lines themselves are not changed. Stop the service first.
    """
    from tagtrail.server.run import only_service  # noqa: PLC0415 - the other commands do not need the web server

    directory = data_directory()
    started = monotonic()
    with closing(find_ledger(directory, accept_older_schema=True)) as store, only_service(directory, patience=0):
        store.prepare()
        lines = rebuild_trail(store, progress=_show_progress)
    click.echo(f"The trail was derived again from {counted(lines, 'line', 'lines')} in {span(monotonic() - started)}.")


def _show_progress(seq: int) -> None:
    if sys.stderr.isatty():
        click.echo(f"line {seq} ...", err=True)


@click.command()
@click.option("--actor", required=True, metavar="NAME", help="The name to erase, as the registry reported it.")
@click.option(
    "--reason", required=True, metavar="TEXT", help="The reason; it stays in the ledger, and must not contain the name."
)
@click.option("--yes", is_flag=True, help="Erase. Without this option the command only prints what it would erase.")
@location_options
def erase(actor: str, reason: str, *, yes: bool) -> None:
    """Erase an actor's name, address and user agent, and the events as received.

    The ledger stays verifiable: its lines contain no names. Where Unicode can write the name in several ways, each
    spelling is found and printed.

    The service may be running; events that it records afterwards are not erased. Older backups and exports are not
    changed.
    """
    check_request(actor, reason)
    with closing(find_ledger(data_directory())) as store:
        spelled: set[str] = set()
        holdings = find_holdings(store, actor, spelled=spelled.add)
        if not holdings and not yes:
            raise NotRecorded(f"no personal data names {actor}")
        if not yes:
            click.echo(_describe_holdings(store, holdings, "Would be erased"))
            _print_spellings(spelled, actor)
            click.echo("Nothing was changed. Repeat the command with --yes to erase; this cannot be undone.")
            return
        recorded = erase_holdings(open_recorder(store), holdings, reason=reason)
        if holdings:
            click.echo(_describe_holdings(store, holdings, "Erased"))
            _print_spellings(spelled, actor)
        _print_recorded(recorded)
        _print_traces(remove_traces(store, actor, spelled=spelled), actor, store)


def _describe_holdings(store: Store, holdings: Sequence[Holding], verb: str) -> str:
    who = sum(holding.who for holding in holdings)
    raw = sum(holding.raw for holding in holdings)
    first, last = (local_time(get_received_at(store.reader(), holdings[at].seq) or 0) for at in (0, -1))
    return (
        f"{verb}: {counted(who, 'name', 'names')} and {counted(raw, 'event as received', 'events as received')}, of"
        f" {counted(len(holdings), 'line', 'lines')} from line {holdings[0].seq} ({first}) to line {holdings[-1].seq}"
        f" ({last})."
    )


def _print_spellings(spelled: Collection[str], actor: str) -> None:
    """Print the spellings of the name, where there are others than the given one: they look the same."""
    if set(spelled) <= {actor}:
        return
    ways = listed((ascii(text)[1:-1] for text in sorted({actor, *spelled})), most=None)
    click.echo(f"The name has several spellings that look the same; all are included: {ways}.")


def _print_recorded(recorded: Sequence[int]) -> None:
    if recorded:
        click.echo(f"Recorded as {listed((f'line {seq}' for seq in recorded), most=None)}.")
    else:
        click.echo("No personal data has this name; nothing was recorded.")


def _print_traces(traces: Traces, actor: str, store: Store) -> None:
    """Print where the name still stands. Raises StorageUnavailable where a reader kept a file from being emptied."""
    if not traces.is_emptied:
        raise StorageUnavailable(
            "a reader kept the write-ahead log from being emptied, and it may contain the name; repeat the command when"
            " no other process reads the database"
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
        click.echo("  These files are not part of the ledger: look at them.")


@click.command()
@click.option(
    "--before", type=When(), metavar="TIME", help="Delete lines written before this time, at least 30 days ago."
)
@click.option(
    "--raw-before",
    type=When(),
    metavar="TIME",
    help="Delete the events as received of lines before this time, at least a day ago; keep the lines.",
)
@click.option("--reason", required=True, metavar="TEXT", help="The reason; it stays in the ledger.")
@click.option("--yes", is_flag=True, help="Delete. Without this option the command only prints what it would delete.")
@location_options
def prune(before: int | None, raw_before: int | None, reason: str, *, yes: bool) -> None:
    """Delete old lines that nothing in the trail depends on, and old events as received.

    Moves, deployments, violations, the first push of each digest, and annotated lines are never deleted. Times are by
    tagtrail's clock. The service may be running; it waits while lines are deleted.
    """
    if before is None and raw_before is None:
        raise click.UsageError("Name what to delete: --before TIME, --raw-before TIME, or both.")
    for instant, least, parameter in (
        (before, retention.LEAST_DAYS, "--before"),
        (raw_before, retention.LEAST_DAYS_RAW, "--raw-before"),
    ):
        if instant is not None:
            retention.check_request(instant, reason, now=now(), least_days=least, parameter=parameter)
    with closing(find_ledger(data_directory())) as store:
        if before is not None:
            _prune_lines(store, before, reason, yes=yes)
        if raw_before is not None:
            _prune_raw(store, raw_before, reason, yes=yes)
    if not yes:
        click.echo("Nothing was changed. Repeat the command with --yes to delete; this cannot be undone.")


def _prune_lines(store: Store, instant: int, reason: str, *, yes: bool) -> None:
    before = retention.find_line_at(store.reader(), instant)
    if not yes:
        click.echo(_describe_plan("Would be deleted", retention.plan(store, before=before), instant))
        return
    done = retention.prune(store, open_recorder(store), before=before, reason=reason)
    if done is None:
        click.echo(f"Before {local_time(instant)} there is no line that can be deleted; nothing was recorded.")
        return
    seq, dropped = done
    click.echo(f"{_describe_plan('Deleted', dropped, instant)} Recorded as line {seq}.")


def _describe_plan(verb: str, planned: retention.Plan, instant: int) -> str:
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(planned.kinds.items()))
    return (
        f"{verb}: {counted(planned.count, 'line', 'lines')} of those written before {local_time(instant)}"
        + (f" ({kinds})" if kinds else "")
        + "."
    )


def _prune_raw(store: Store, instant: int, reason: str, *, yes: bool) -> None:
    before = retention.find_line_at(store.reader(), instant)
    count = retention.count_raw_before(store, before)
    what = f"{counted(count, 'event as received', 'events as received')} of lines before {local_time(instant)}."
    if not yes:
        click.echo(f"Would be deleted: {what}")
    elif count:
        seq = retention.prune_raw(open_recorder(store), before=before, reason=reason)
        click.echo(f"Deleted: {what} Recorded as line {seq}.")
    else:
        click.echo(f"Before {local_time(instant)} there is no event as received; nothing was recorded.")
