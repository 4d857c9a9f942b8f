"""`tagtrail notify ...`: what is told: try a channel, see how each stands, and try again what was given up."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

import click
import msgspec

from tagtrail.api.describing import describe_delivery
from tagtrail.cli.options import config_path, data_directory, data_path, place_options
from tagtrail.cli.place import find_ledger
from tagtrail.cli.screen import Screen
from tagtrail.cli.table import Column
from tagtrail.cli.words import counted, local_time, visible
from tagtrail.config.load import load, load_notify
from tagtrail.errors import BadParameter, NotDelivered, NotRecorded
from tagtrail.ledger.rulebook import load_rulebook
from tagtrail.notify.message import Fact, Message
from tagtrail.store.database import Connection, Store
from tagtrail.store.filters import STATES
from tagtrail.store.leases import drop as remove
from tagtrail.store.outbox import (
    Attempt,
    ChannelState,
    DeliveryAnswer,
    find_attempts,
    find_channels,
    find_deliveries,
    get_channel_state,
    get_last_problem,
    make_id,
)
from tagtrail.store.outbox import retry as try_again
from tagtrail.store.query import Filter, Query
from tagtrail.trail.instant import format_instant, now

_MOST: Final = 50  # deliveries shown


@click.group(short_help="Try channels, see what waits or failed, and try again.")
def notify() -> None:
    """What is told, and where: channels and their deliveries."""


@notify.command()
@click.argument("channel")
@place_options
def test(channel: str) -> None:
    """Send a test message to CHANNEL at once, past the outbox. The service need not run."""
    from tagtrail.notify.channels import make_channel  # noqa: PLC0415 - it takes what a question has no need of

    config = load(config_path(), data=data_path(), environ=os.environ)
    chosen = next((one for one in config.notify.channels if one.name == channel), None)
    if chosen is None:
        raise BadParameter("CHANNEL", f"there is no channel {channel!r}; {_known(config.notify.channels)}")
    outcome = make_channel(chosen).send(_test_message(channel))
    status = f" ({outcome.status})" if outcome.status is not None else ""
    if not outcome.is_sent:
        raise NotDelivered(f"{channel} did not take the message{status}: {outcome.detail or 'it does not say why'}")
    click.echo(f"{visible(channel)} took the message{status}.")
    if outcome.trouble is not None:
        raise NotDelivered(f"{channel} took the message, but not as you want it: {outcome.trouble}")


def _known(channels: Sequence[object]) -> str:
    names = ", ".join(str(getattr(one, "name", "")) for one in channels)
    return f"the channels are {names}" if names else "none is configured: add one under notify.channels"


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


@notify.command()
@click.option("--channel", metavar="NAME", help="The deliveries of this channel.")
@click.option("--state", type=click.Choice(STATES), help="The deliveries that stand so.")
@click.option("--limit", type=click.IntRange(min=1), default=_MOST, metavar="N", help=f"At most so many ({_MOST}).")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line; deliveries as the API shows them.")
@place_options
def status(*, channel: str | None, state: str | None, limit: int, as_json: bool) -> None:
    """How each channel stands; with --channel or --state, its deliveries one by one, the youngest first."""
    with closing(find_ledger(data_directory())) as store:
        if channel is not None or state is not None:
            _show_deliveries(store, Filter(channel=channel, state=state), limit=limit, as_json=as_json)
        else:
            _show_channels(store, as_json=as_json)


@notify.command("retry")
@click.argument("delivery", required=False, metavar="[ID]")
@click.option("--channel", metavar="NAME", help="All that failed of this channel.")
@place_options
def retry(*, delivery: str | None, channel: str | None) -> None:
    """Try once more what was given up: the delivery ID, or all of a channel. It is sent under the same id."""
    if (delivery is None) == (channel is None):
        raise click.UsageError("Name either a delivery or --channel.")
    with closing(find_ledger(data_directory())) as store, store.writing() as tx:
        waiting = try_again(tx, at=now(), delivery=delivery, channel=channel)
    if not waiting:
        raise NotRecorded(f"nothing of {delivery or channel} has failed; `tagtrail notify status` tells what has")
    click.echo(f"{counted(len(waiting), 'delivery waits', 'deliveries wait')} again.")


@notify.command("drop")
@click.argument("delivery", required=False, metavar="[ID]")
@click.option("--channel", metavar="NAME", help="All that waits for this channel or failed, configured or not.")
@place_options
def drop(*, delivery: str | None, channel: str | None) -> None:
    """Forget what waits or was given up: the delivery ID, or all of a channel. The ledger keeps what it was about."""
    if (delivery is None) == (channel is None):
        raise click.UsageError("Name either a delivery or --channel.")
    with closing(find_ledger(data_directory())) as store, store.writing() as tx:
        dropped = remove(tx, at=now(), delivery=delivery, channel=channel)
    if not dropped:
        raise NotRecorded(f"nothing of {delivery or channel} waits or has failed; `tagtrail notify status` tells more")
    click.echo(f"{counted(len(dropped), 'delivery was', 'deliveries were')} dropped.")


class ChannelDocument(msgspec.Struct, frozen=True):
    """How a channel stands."""

    channel: str
    configured: bool
    waiting: int
    oldest_due_at: str | None
    failed: int
    last_sent_at: str | None
    last_trouble: str | None


@dataclass(frozen=True, slots=True)
class _Standing:
    """A channel's row; `trouble` is its newest attempt, where that had any."""

    state: ChannelState
    is_configured: bool
    trouble: Attempt | None


def _show_channels(store: Store, *, as_json: bool) -> None:
    configured = [one.name for one in load_notify(config_path(), environ=os.environ).channels]
    with store.snapshot() as db:
        names = dict.fromkeys([*configured, *find_channels(db)])
        rows = [
            _Standing(get_channel_state(db, name), name in configured, get_last_problem(db, name)) for name in names
        ]
    screen = Screen()
    if as_json:
        screen.json(map(_describe, rows))
    elif not screen.table(_CHANNELS, rows):
        screen.aside("No channel is configured; add one under notify.channels.")
    elif any(not row.is_configured and row.state.unfinished for row in rows):
        screen.aside("For a channel that is not configured nothing is sent: `tagtrail notify drop --channel NAME`.")


def _show_deliveries(store: Store, asked: Filter, *, limit: int, as_json: bool) -> None:
    with store.snapshot() as db:
        rows = list(islice(_iterate(db, asked), limit))
        tried = {row.delivery.id: _last_detail(db, row.delivery.id) for row in rows}
    screen = Screen()
    if as_json:
        screen.json(map(describe_delivery, rows))
    elif not screen.table([*_DELIVERIES, _why(tried)], rows):
        screen.aside("There are no such deliveries.")


def _iterate(db: Connection, asked: Filter) -> Iterator[DeliveryAnswer]:
    """All that fits, page by page."""
    query = Query(load_rulebook(db).latest, asked, limit=500)
    while True:
        page = find_deliveries(db, query)
        yield from page.items
        if page.after is None:
            return
        query = replace(query, after=page.after)


def _last_detail(db: Connection, delivery: str) -> str:
    attempts = find_attempts(db, delivery)
    return _words(attempts[-1]) if attempts else ""


def _words(attempt: Attempt) -> str:
    """What came of an attempt, where there is more to say than that it was sent."""
    if attempt.outcome == "sent":
        return visible(attempt.detail)
    return " ".join(filter(None, (str(attempt.status or ""), visible(attempt.detail)))) or "it does not say why"


def _describe(row: _Standing) -> ChannelDocument:
    oldest, sent = row.state.oldest_due_at, row.state.last_sent_at
    return ChannelDocument(
        channel=row.state.channel,
        configured=row.is_configured,
        waiting=row.state.unfinished,
        oldest_due_at=format_instant(oldest) if oldest is not None else None,
        failed=row.state.failed,
        last_sent_at=format_instant(sent) if sent is not None else None,
        last_trouble=_words(row.trouble) if row.trouble is not None else None,
    )


def _time(instant: int | None) -> str:
    return local_time(instant) if instant is not None else ""


def _name(row: _Standing) -> str:
    return visible(row.state.channel) if row.is_configured else f"{visible(row.state.channel)} (not configured)"


def _why(tried: Mapping[str, str]) -> Column[DeliveryAnswer]:
    return Column("LAST ANSWER", lambda row: tried.get(row.delivery.id, ""), folds=True, clause="last answer")


_CHANNELS: list[Column[_Standing]] = [
    Column("CHANNEL", _name, style="bold"),
    Column("WAITING", lambda row: str(row.state.unfinished), right=True, clause="waiting"),
    Column("OLDEST", lambda row: _time(row.state.oldest_due_at), clause="oldest"),
    Column("FAILED", lambda row: str(row.state.failed), right=True, clause="failed"),
    Column("LAST SENT", lambda row: _time(row.state.last_sent_at) or "never", clause="last sent"),
    Column("LAST TROUBLE", lambda row: _words(row.trouble) if row.trouble else "", folds=True, clause="last trouble"),
]
_DELIVERIES: list[Column[DeliveryAnswer]] = [
    Column("ID", lambda row: row.delivery.id, style="bold"),
    Column("CHANNEL", lambda row: visible(row.delivery.channel)),
    Column("STATE", lambda row: row.delivery.state),
    Column("ABOUT", lambda row: visible(row.delivery.subject), folds=True, clause="about"),
    Column("DUE", lambda row: local_time(row.delivery.due_at), clause="due"),
    Column("TRIES", lambda row: str(row.delivery.attempts), right=True, clause="tries"),
]
