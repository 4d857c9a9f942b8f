"""The outbox as rows: the deliveries to each channel, written in the transaction of the lines that they report."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from tagtrail.store.database import Connection
from tagtrail.store.fields import Count
from tagtrail.store.query import Filter, Page, Query
from tagtrail.store.series import MOST_EXAMINED
from tagtrail.trail.instant import Instant

DeliveryState = Literal["waiting", "sending", "sent", "failed", "merged"]
AttemptOutcome = Literal["sent", "postponed", "failed"]

SERVICE: Final = "service"  # the subject of alerts, which belong to no repository
SUMMARY: Final = "*"  # the subject and the group key of a summary
UNFINISHED: Final = "state IN ('waiting', 'sending')"  # as the index says it, so that it is used
# The database has its first word for the group key: `gathering`.
COLUMNS: Final = (
    "id, channel, subject, gathering, state, made_at, due_at, not_before, lease_until, attempts, finished_at,"
    " merged_into"
)
_INSERT: Final = f"INSERT INTO deliveries ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_MOST_BESIDE: Final = 20  # younger deliveries of a repository that are checked before a line joins an older one


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to one channel; instants in nanoseconds since 1970, UTC.

    `due_at` is when it was first due, `not_before` when it may be tried next. While it is `sending`, its
    claim lasts until `lease_until`, and `attempts` already counts that attempt. Lines of deliveries with the same
    `subject` and `group_key` are reported together.
    """

    id: str
    channel: str
    subject: str
    group_key: str
    state: DeliveryState
    made_at: int
    due_at: int
    not_before: int
    lease_until: int | None = None
    attempts: int = 0
    finished_at: int | None = None
    merged_into: str | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt and its outcome: sent, postponed (it will be tried again), or failed (it was given up)."""

    delivery: str
    number: int
    at: int
    outcome: AttemptOutcome
    detail: str
    status: int | None = None


@dataclass(frozen=True, slots=True)
class ChannelState:
    """A channel's counts: unfinished deliveries and the oldest of them, failed ones, and when it last got a message."""

    channel: str
    unfinished: int
    oldest_due_at: int | None
    failed: int
    last_sent_at: int | None


def make_id(at: int) -> str:
    """A delivery's id: a UUIDv7 with the microsecond in it (RFC 9562, section 6.2, method 3), so that ids sort."""
    milliseconds, rest = divmod(at, 1_000_000)
    fraction = (rest << 12) // 1_000_000
    return f"msg_{UUID(int=milliseconds << 80 | 7 << 76 | fraction << 64 | 2 << 62 | secrets.randbits(62))}"


def add_delivery(tx: Connection, delivery: Delivery, *, lines: Sequence[int] = ()) -> None:
    """Write a delivery that reports these lines."""
    tx.execute(
        _INSERT,
        (
            delivery.id, delivery.channel, delivery.subject, delivery.group_key, delivery.state, delivery.made_at,
            delivery.due_at, delivery.not_before, delivery.lease_until, delivery.attempts, delivery.finished_at,
            delivery.merged_into,
        ),
    )  # fmt: skip
    for seq in lines:
        _add_line(tx, delivery.id, seq)


def enqueue(tx: Connection, delivery: Delivery, *, seq: int, debounced_since: int) -> str:
    """Add the line to the youngest delivery with the same group key that is still debounced, or write this one.

    A delivery is debounced if it was made after `debounced_since` and was not tried. If a younger delivery reports the
    same tag or environment, the line does not join, since it would overtake that one. A joined delivery is due as soon
    as this one would be. Returns the id of the delivery that reports the line.
    """
    row = tx.execute(
        "SELECT id FROM deliveries WHERE channel = ? AND subject = ? AND gathering = ? AND state = 'waiting'"
        " AND attempts = 0 AND made_at > ? ORDER BY id DESC LIMIT 1",
        (delivery.channel, delivery.subject, delivery.group_key, debounced_since),
    ).fetchone()
    if row is not None and not _is_overtaken(tx, delivery, row[0], seq):
        _add_line(tx, row[0], seq)
        _hasten(tx, row[0], delivery)
        return str(row[0])
    add_delivery(tx, delivery, lines=[seq])
    return delivery.id


def _is_overtaken(tx: Connection, delivery: Delivery, older: str, seq: int) -> bool:
    """Whether a delivery younger than `older` reports a tag or an environment of the line."""
    younger = [
        row[0]
        for row in tx.execute(
            f"SELECT id FROM deliveries WHERE channel = ? AND subject = ? AND id > ? AND {UNFINISHED} LIMIT ?",
            (delivery.channel, delivery.subject, older, _MOST_BESIDE),
        )
    ]
    if len(younger) == _MOST_BESIDE:
        return True
    return any(
        tx.execute(
            "SELECT 1 FROM delivery_lines AS known WHERE delivery = ? AND (EXISTS (SELECT 1 FROM moves AS one"
            " JOIN moves AS other USING (tag_id) WHERE one.seq = known.seq AND other.seq = ?) OR EXISTS (SELECT 1"
            " FROM publications AS one JOIN publications AS other USING (environment, repository_id)"
            " WHERE one.seq = known.seq AND other.seq = ?)) LIMIT 1",
            (each, seq, seq),
        ).fetchone()
        for each in younger
    )


def _hasten(tx: Connection, older: str, delivery: Delivery) -> None:
    """Make the older delivery due no later than this one would be."""
    tx.execute(
        "UPDATE deliveries SET due_at = min(due_at, :due_at), not_before = min(not_before, :not_before) WHERE id = :id",
        {"id": older, "due_at": delivery.due_at, "not_before": delivery.not_before},
    )


def _add_line(tx: Connection, delivery: str, seq: int) -> None:
    tx.execute("INSERT INTO delivery_lines (delivery, seq) VALUES (?, ?)", (delivery, seq))


def get_delivery(db: Connection, delivery: str) -> Delivery | None:
    """The delivery with that id, or None."""
    row = db.execute(f"SELECT {COLUMNS} FROM deliveries WHERE id = ?", (delivery,)).fetchone()
    return Delivery(*row) if row else None


def find_lines(db: Connection, delivery: str) -> tuple[int, ...]:
    """The lines that the delivery reports, oldest first; those of a summary come from the deliveries merged into it."""
    rows = db.execute(
        "SELECT seq FROM delivery_lines WHERE delivery = ? UNION SELECT seq FROM deliveries"
        " JOIN delivery_lines ON delivery = id WHERE merged_into = ? ORDER BY seq",
        (delivery, delivery),
    )
    return tuple(row[0] for row in rows)


def find_attempts(db: Connection, delivery: str) -> list[Attempt]:
    """The delivery's attempts, in order."""
    rows = db.execute(
        "SELECT delivery, number, at, outcome, detail, status FROM attempts WHERE delivery = ? ORDER BY number",
        (delivery,),
    )
    return [Attempt(*row) for row in rows]


def get_channel_state(db: Connection, channel: str) -> ChannelState:
    """The channel's counts."""
    unfinished, oldest = db.execute(
        f"SELECT count(*), min(due_at) FROM deliveries WHERE channel = ? AND {UNFINISHED}", (channel,)
    ).fetchone()
    (failed,) = db.execute(
        "SELECT count(*) FROM deliveries WHERE channel = ? AND state = 'failed'", (channel,)
    ).fetchone()
    (last_sent_at,) = db.execute(
        "SELECT max(finished_at) FROM deliveries WHERE channel = ? AND state = 'sent'", (channel,)
    ).fetchone()
    return ChannelState(channel, unfinished, oldest, failed, last_sent_at)


def retry(tx: Connection, *, at: int, delivery: str | None = None, channel: str | None = None) -> list[str]:
    """Try the failed delivery of that id, all failed ones of that channel, or (neither) all of them, once more.

    Giving up is counted from now on. Returns the ids of those that had failed and wait again.
    """
    rows = tx.execute(
        "UPDATE deliveries SET state = 'waiting', due_at = :at, not_before = :at, finished_at = NULL"
        " WHERE state = 'failed' AND (:delivery IS NULL OR id = :delivery) AND (:channel IS NULL OR channel = :channel)"
        " RETURNING id",
        {"at": at, "delivery": delivery, "channel": channel},
    )
    return sorted(row[0] for row in rows.fetchall())


_AFTER_ALL = "n"  # sorts after every id, which begin with `msg_`
_MOST_LINES = 100  # of a summary there may be thousands


class RecordedDelivery(msgspec.Struct, frozen=True):
    """A message to a channel."""

    id: Annotated[str, Meta(description="The same in every attempt, so that a receiver recognizes a repeated message.")]
    channel: str
    subject: Annotated[
        str,
        Meta(
            description="Messages about one subject are sent in order: a registry's repository, `service` for alerts,"
            " `*` for a summary."
        ),
    ]
    state: DeliveryState
    made_at: Instant
    due_at: Annotated[Instant, Meta(description="When it was first due; the time until giving up starts here.")]
    not_before: Annotated[
        Instant | None, Meta(description="When it is tried next, at the earliest; null once finished.")
    ]
    attempts: Annotated[Count, Meta(description="Attempts so far, with the one under way.")]
    finished_at: Instant | None
    merged_into: Annotated[str | None, Meta(description="The summary that was sent instead.")]
    lines: Annotated[tuple[int, ...], Meta(description="The ledger's lines that it reports; at most 100 are shown.")]


class RecordedAttempt(msgspec.Struct, frozen=True):
    """An attempt to send a message, and its outcome."""

    number: Annotated[int, Meta(ge=1)]
    at: Instant
    outcome: AttemptOutcome
    status: Annotated[int | None, Meta(description="Of the answer, where there was one over HTTP.")]
    detail: Annotated[
        str | None,
        Meta(description="Why it was not sent, or what is wrong with a template; takes the scope `identity`."),
    ]


class DeliveryHistory(msgspec.Struct, frozen=True):
    """A message to a channel with its attempts, the first first."""

    delivery: RecordedDelivery
    attempts: tuple[RecordedAttempt, ...]


def find_deliveries(db: Connection, query: Query) -> Page[RecordedDelivery]:
    """Deliveries, the youngest first. Key: (id,). Looks at `channel`, `state`, `since`, `until` (by the id)."""
    filters = query.filters
    below = query.after[0] if query.after else _AFTER_ALL if filters.until is None else _least_id(filters.until)
    most = max(MOST_EXAMINED, query.limit + 1)
    rows = db.execute(
        f"SELECT {COLUMNS} FROM deliveries WHERE id < ? AND id >= ? ORDER BY id DESC LIMIT ?",
        (below, "" if filters.since is None else _least_id(filters.since), most),
    ).fetchall()
    fitting = [found for found in (Delivery(*row) for row in rows) if _fits(found, filters)]
    items = tuple(_show_delivery(db, each) for each in fitting[: query.limit])
    if len(fitting) > query.limit:
        return Page(items, (items[-1].id,))
    return Page(items, (rows[-1][0],) if len(rows) == most else None)


def _show_delivery(db: Connection, delivery: Delivery) -> RecordedDelivery:
    return RecordedDelivery(
        id=delivery.id,
        channel=delivery.channel,
        subject=delivery.subject,
        state=delivery.state,
        made_at=Instant(delivery.made_at),
        due_at=Instant(delivery.due_at),
        not_before=Instant(delivery.not_before) if delivery.finished_at is None else None,
        attempts=delivery.attempts,
        finished_at=Instant.maybe(delivery.finished_at),
        merged_into=delivery.merged_into,
        lines=find_lines(db, delivery.id)[:_MOST_LINES],
    )


def _fits(delivery: Delivery, filters: Filter) -> bool:
    return filters.channel in (None, delivery.channel) and filters.state in (None, delivery.state)


def _least_id(instant: int) -> str:
    """The lowest id that a delivery of that instant can have."""
    return make_id(instant)[: len("msg_00000000-0000-7000")]


def get_delivery_history(db: Connection, delivery: str) -> DeliveryHistory | None:
    """The delivery with that id and its attempts, in order; None if there is none."""
    found = get_delivery(db, delivery)
    if found is None:
        return None
    attempts = (
        RecordedAttempt(each.number, Instant(each.at), each.outcome, each.status, each.detail or None)
        for each in find_attempts(db, delivery)
    )
    return DeliveryHistory(_show_delivery(db, found), tuple(attempts))


def find_channels(db: Connection) -> tuple[str, ...]:
    """The names of all channels that have deliveries, sorted."""
    return tuple(row[0] for row in db.execute("SELECT DISTINCT channel FROM deliveries ORDER BY channel"))


def get_last_problem(db: Connection, channel: str) -> Attempt | None:
    """The last attempt of the youngest tried delivery, if it failed or recorded a detail; else None."""
    row = db.execute(
        "SELECT a.delivery, a.number, a.at, a.outcome, a.detail, a.status FROM attempts AS a"
        " JOIN deliveries AS d ON d.id = a.delivery WHERE d.channel = ? ORDER BY d.id DESC, a.number DESC LIMIT 1",
        (channel,),
    ).fetchone()
    found = Attempt(*row) if row else None
    return found if found is not None and (found.outcome != "sent" or found.detail) else None


def was_made(db: Connection, channel: str, subject: str, key: str, *, since: int) -> bool:
    """Whether the channel has a delivery with this subject and group key that was made since the instant."""
    row = db.execute(
        "SELECT 1 FROM deliveries WHERE id >= ? AND channel = ? AND subject = ? AND gathering = ? LIMIT 1",
        (_least_id(since), channel, subject, key),
    ).fetchone()
    return row is not None
