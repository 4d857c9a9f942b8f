"""`tagtrail notify`: test a channel, show channels and deliveries, retry or drop what failed."""

import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

import click
import msgspec

from tagtrail.cli.groups import LazyCommand, LazyGroup
from tagtrail.cli.open_trail import find_ledger
from tagtrail.cli.options import config_path, data_directory, data_path, json_option, location_options, notify_config
from tagtrail.cli.output import Output
from tagtrail.cli.table import TableColumn, time_column
from tagtrail.config.load import load
from tagtrail.errors import BadParameter, NotDelivered, NotRecorded
from tagtrail.ledger.rulebook import load_rulebook
from tagtrail.notify.message import Fact, Message
from tagtrail.store.database import Connection
from tagtrail.store.filters import STATES
from tagtrail.store.leases import drop as drop_deliveries
from tagtrail.store.outbox import (
    Attempt,
    ChannelState,
    RecordedDelivery,
    find_attempts,
    find_channels,
    find_deliveries,
    get_channel_state,
    get_last_problem,
    make_id,
)
from tagtrail.store.outbox import retry as retry_deliveries
from tagtrail.store.query import Filter, Query
from tagtrail.trail.instant import now
from tagtrail.wording.text import counted, format_optional, visible

_MOST: Final = 50  # deliveries shown
_PAGE: Final = 500  # deliveries read at once


@click.group(
    cls=LazyGroup,
    sections={
        "Commands": {
            "explain": LazyCommand("notify_explain:explain", "Which channels a tag's newest move notifies, and why."),
            "test": LazyCommand("notify:test", "Send a test message to a channel."),
            "status": LazyCommand("notify:status", "The state of each channel, or of its deliveries."),
            "retry": LazyCommand("notify:retry", "Retry failed deliveries."),
            "drop": LazyCommand("notify:drop", "Drop waiting and failed deliveries."),
        }
    },
)
def notify() -> None:
    """Channels, and the deliveries of notifications to them."""


@click.command()
@click.argument("channel")
@location_options
def test(channel: str) -> None:
    """Send a test message to CHANNEL at once, past the outbox. The service need not run."""
    from tagtrail.notify.channels import make_channel  # noqa: PLC0415 - only this command needs the channels' libraries

    config = load(config_path(), data=data_path(), environ=os.environ)
    chosen = next((one for one in config.notify.channels if one.name == channel), None)
    if chosen is None:
        names = ", ".join(one.name for one in config.notify.channels)
        known = f"the channels are {names}" if names else "none is configured: add one under notify.channels"
        raise BadParameter("CHANNEL", f"there is no channel {channel!r}; {known}")
    outcome = make_channel(chosen).send(_test_message(channel))
    code = f" ({outcome.status})" if outcome.status is not None else ""
    if not outcome.is_sent:
        raise NotDelivered(f"{channel} did not accept the message{code}: {outcome.detail or 'it does not say why'}")
    click.echo(f"{visible(channel)} accepted the message{code}.")
    if outcome.template_error is not None:
        raise NotDelivered(f"{channel} accepted the message, but not in the configured form: {outcome.template_error}")


def _test_message(channel: str) -> Message:
    at = now()
    return Message(
        id=make_id(at),
        kind="test",
        tone="notice",
        title="A test message",
        sentences=("Messages from tagtrail reach this channel.",),
        occurred_at=at,
        facts=(Fact("Channel", channel),),
    )


@click.command()
@click.option("--channel", metavar="NAME", help="List the deliveries to this channel.")
@click.option("--state", type=click.Choice(STATES), help="List the deliveries in this state.")
@click.option(
    "--limit", type=click.IntRange(min=1), default=_MOST, metavar="N", help=f"At most N deliveries ({_MOST})."
)
@json_option
@location_options
def status(*, channel: str | None, state: str | None, limit: int, as_json: bool) -> None:
    """The state of each channel. With --channel or --state: its deliveries one by one, newest first."""
    output = Output()
    with closing(find_ledger(data_directory())) as store, store.snapshot() as db:
        if channel is not None or state is not None:
            _show_deliveries(db, output, Filter(channel=channel, state=state), limit=limit, as_json=as_json)
        else:
            _show_channels(db, output, as_json=as_json)


@click.command()
@click.argument("delivery", required=False, metavar="[ID]")
@click.option("--channel", metavar="NAME", help="All failed deliveries to this channel.")
@location_options
def retry(*, delivery: str | None, channel: str | None) -> None:
    """Retry failed deliveries: the one with this ID, or all of a channel. A message keeps its id."""
    _check_choice(delivery, channel)
    with closing(find_ledger(data_directory())) as store, store.writing() as tx:
        waiting = retry_deliveries(tx, at=now(), delivery=delivery, channel=channel)
    if not waiting:
        raise NotRecorded(f"no delivery of {delivery or channel} has failed; see `tagtrail notify status`")
    click.echo(f"{counted(len(waiting), 'delivery waits', 'deliveries wait')} again.")


@click.command()
@click.argument("delivery", required=False, metavar="[ID]")
@click.option("--channel", metavar="NAME", help="All waiting and failed deliveries to this channel, configured or not.")
@location_options
def drop(*, delivery: str | None, channel: str | None) -> None:
    """Drop waiting or failed deliveries: the one with this ID, or all of a channel. The ledger is not changed."""
    _check_choice(delivery, channel)
    with closing(find_ledger(data_directory())) as store, store.writing() as tx:
        dropped = drop_deliveries(tx, at=now(), delivery=delivery, channel=channel)
    if not dropped:
        raise NotRecorded(f"no delivery of {delivery or channel} waits or has failed; see `tagtrail notify status`")
    click.echo(f"{counted(len(dropped), 'delivery was', 'deliveries were')} dropped.")


def _check_choice(delivery: str | None, channel: str | None) -> None:
    if (delivery is None) == (channel is None):
        raise click.UsageError("Name either a delivery or --channel.")


class ChannelDocument(msgspec.Struct, frozen=True):
    """The state of a channel, as `notify status --json` prints it."""

    channel: str
    configured: bool
    waiting: int
    oldest_due_at: str | None
    failed: int
    last_sent_at: str | None
    last_problem: str | None


@dataclass(frozen=True, slots=True)
class _ChannelRow:
    """A channel; `problem` is its newest attempt, where that did not go well."""

    state: ChannelState
    is_configured: bool
    problem: Attempt | None


def _show_channels(db: Connection, output: Output, *, as_json: bool) -> None:
    configured = [one.name for one in notify_config().channels]
    names = dict.fromkeys([*configured, *find_channels(db)])
    rows = [_ChannelRow(get_channel_state(db, name), name in configured, get_last_problem(db, name)) for name in names]
    if as_json:
        output.json(map(_describe, rows))
    elif not output.table(_CHANNELS, rows):
        output.aside("No channel is configured; add one under notify.channels.")
    elif any(not row.is_configured and row.state.unfinished for row in rows):
        output.aside("Nothing is sent to a channel that is not configured: `tagtrail notify drop --channel NAME`.")


def _describe(row: _ChannelRow) -> ChannelDocument:
    return ChannelDocument(
        channel=row.state.channel,
        configured=row.is_configured,
        waiting=row.state.unfinished,
        oldest_due_at=format_optional(row.state.oldest_due_at),
        failed=row.state.failed,
        last_sent_at=format_optional(row.state.last_sent_at),
        last_problem=_result(row.problem) if row.problem is not None else None,
    )


def _show_deliveries(db: Connection, output: Output, wanted: Filter, *, limit: int, as_json: bool) -> None:
    rows = list(islice(_iterate_deliveries(db, wanted), limit))
    if as_json:
        output.json(rows)
        return
    attempts = {row.id: find_attempts(db, row.id) for row in rows}

    def last_result(row: RecordedDelivery) -> str:
        tried = attempts[row.id]
        return _result(tried[-1]) if tried else ""

    if not output.table([*_DELIVERIES, TableColumn("LAST ANSWER", last_result)], rows):
        output.aside("There are no such deliveries.")


def _iterate_deliveries(db: Connection, wanted: Filter) -> Iterator[RecordedDelivery]:
    query = Query(load_rulebook(db).latest, wanted, limit=_PAGE)
    while True:
        page = find_deliveries(db, query)
        yield from page.items
        if page.after is None:
            return
        query = replace(query, after=page.after)


def _result(attempt: Attempt) -> str:
    """The result of an attempt, where there is more to say than that it was sent."""
    if attempt.outcome == "sent":
        return visible(attempt.detail)
    return " ".join(filter(None, (str(attempt.status or ""), visible(attempt.detail)))) or "it does not say why"


_CHANNELS: Final[list[TableColumn[_ChannelRow]]] = [
    TableColumn(
        "CHANNEL",
        lambda row: row.state.channel if row.is_configured else f"{row.state.channel} (not configured)",
        style="bold",
    ),
    TableColumn("WAITING", lambda row: str(row.state.unfinished), right=True),
    time_column("OLDEST", lambda row: row.state.oldest_due_at),
    TableColumn("FAILED", lambda row: str(row.state.failed), right=True),
    time_column("LAST SENT", lambda row: row.state.last_sent_at, missing="never"),
    TableColumn("LAST PROBLEM", lambda row: _result(row.problem) if row.problem else ""),
]
_DELIVERIES: Final[list[TableColumn[RecordedDelivery]]] = [
    TableColumn("ID", lambda row: row.id, style="bold"),
    TableColumn("CHANNEL", lambda row: row.channel),
    TableColumn("STATE", lambda row: row.state, narrow="below"),
    TableColumn("ABOUT", lambda row: row.subject),
    time_column("DUE", lambda row: row.due_at),
    TableColumn("TRIES", lambda row: str(row.attempts), right=True),
]
