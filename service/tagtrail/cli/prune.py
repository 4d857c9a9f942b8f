"""`tagtrail prune`: old lines that nothing rests on leave the ledger; without it, nothing ever does."""

from contextlib import closing

import click

from tagtrail.cli.options import When, data_directory, place_options
from tagtrail.cli.place import find_ledger, open_recorder
from tagtrail.cli.words import counted, local_time
from tagtrail.ledger import prune as retention
from tagtrail.store.database import Store
from tagtrail.trail.instant import now


@click.command(short_help="Drop old lines that nothing rests on.")
@click.option("--before", type=When(), metavar="TIME", help="Lines written before this time, at least 30 days ago.")
@click.option(
    "--raw-before",
    type=When(),
    metavar="TIME",
    help="Of lines before this time, at least a day ago, only the events as received.",
)
@click.option("--reason", required=True, metavar="TEXT", help="Why; it stays in the ledger.")
@click.option("--yes", is_flag=True, help="Do it. Without this, only what would be dropped is told.")
@place_options
def prune(before: int | None, raw_before: int | None, reason: str, *, yes: bool) -> None:
    """Drop old lines that nothing in the trail rests on, and old events as received.

    Never dropped are moves, deployments, violations, each digest's first push, and whatever was annotated. Times are
    by tagtrail's clock. The service may be running; it records nothing while lines are dropped.
    """
    if before is None and raw_before is None:
        raise click.UsageError("Name what to drop: --before TIME, --raw-before TIME, or both.")
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
        click.echo("Nothing was changed. Give the command again with --yes to do it; it cannot be undone.")


def _prune_lines(store: Store, instant: int, reason: str, *, yes: bool) -> None:
    before = retention.find_line_at(store.reader(), instant)
    if not yes:
        click.echo(_describe("Would be dropped", retention.plan(store, before=before), instant))
        return
    done = retention.prune(store, open_recorder(store), before=before, reason=reason)
    if done is None:
        click.echo(f"Before {local_time(instant)} there is no line that nothing rests on; nothing was recorded.")
        return
    seq, dropped = done
    click.echo(f"{_describe('Dropped', dropped, instant)} Recorded as line {seq}.")


def _describe(verb: str, planned: retention.Plan, instant: int) -> str:
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
        click.echo(f"Would be dropped: {what}")
    elif count:
        seq = retention.prune_raw(open_recorder(store), before=before, reason=reason)
        click.echo(f"Dropped: {what} Recorded as line {seq}.")
    else:
        click.echo(f"Before {local_time(instant)} there is no event as received any more; nothing was recorded.")
