"""Claims deliveries, records the outcome of attempts, and removes old deliveries.

A claim is one conditional statement in a write transaction, so two dispatchers never have the same delivery. It is a
lease: if its process dies, the next one sends the delivery again, under the same id.
"""

from collections.abc import Collection, Iterator
from typing import Any, Final

from tagtrail.store.database import Connection
from tagtrail.store.outbox import COLUMNS, SERVICE, SUMMARY, UNFINISHED, Attempt, Delivery, add_delivery, make_id
from tagtrail.store.series import marks

# The oldest unfinished delivery of each subject of a channel. If one behind it may be sent earlier (a route without
# quiet hours), the oldest is sent then too: order is kept, and nothing urgent waits for the morning.
_HEADS: Final = (
    "SELECT min(id) AS head, min(not_before) AS earliest FROM deliveries"
    f" WHERE channel = :channel AND {UNFINISHED} GROUP BY subject"
)
_MOST_MERGED: Final = 5_000  # in one transaction, during which nothing can be recorded
# A summary reports many subjects: while it is unfinished, its whole channel waits for it.
_SUMMARIES: Final = f"SELECT 1 FROM deliveries WHERE channel = :channel AND subject = '{SUMMARY}' AND {UNFINISHED}"
_IS_FREE: Final = f"(subject = '{SUMMARY}' OR NOT EXISTS ({_SUMMARIES}))"
_TIME: Final = "iif(state = 'sending', lease_until, iif(attempts = 0, earliest, not_before))"


def get_next_time(db: Connection, channel: str) -> int | None:
    """When the channel's next delivery can be claimed; None if it has no unfinished one."""
    (at,) = db.execute(
        f"SELECT min({_TIME}) FROM ({_HEADS}) JOIN deliveries ON id = head WHERE {_IS_FREE}",
        {"channel": channel},
    ).fetchone()
    return None if at is None else int(at)


def claim(tx: Connection, channel: str, *, now: int, lease_until: int, burst: int) -> Delivery | None:
    """Claim the channel's next delivery: the oldest that is due and is the first of its subject; None if none is due.

    More than `burst` deliveries that are due and were never tried are first merged into one summary. The `attempts` of
    the result is the number of the attempt that begins.
    """
    return _merge(tx, channel, now=now, lease_until=lease_until, burst=burst) or _claim_one(
        tx, channel, now=now, lease_until=lease_until
    )


def _claim_one(tx: Connection, channel: str, *, now: int, lease_until: int) -> Delivery | None:
    row = tx.execute(
        "UPDATE deliveries SET state = 'sending', lease_until = :lease, attempts = attempts + 1 WHERE id ="
        f" (SELECT id FROM ({_HEADS}) JOIN deliveries ON id = head WHERE {_TIME} <= :now AND {_IS_FREE}"
        f" ORDER BY id LIMIT 1) RETURNING {COLUMNS}",
        {"channel": channel, "now": now, "lease": lease_until},
    ).fetchone()
    return Delivery(*row) if row else None


def _merge(tx: Connection, channel: str, *, now: int, lease_until: int, burst: int) -> Delivery | None:
    """Merge all due deliveries that were never tried into a claimed summary, if there are more than `burst`.

    A delivery that was tried may have arrived. It keeps its id, and those behind it keep their order.
    """
    known: dict[str, Any] = {"channel": channel, "now": now, "most": burst + 1}
    if len(tx.execute(f"{_MERGEABLE} LIMIT :most", known).fetchall()) <= burst:
        return None
    summary = Delivery(
        make_id(now), channel, SUMMARY, SUMMARY, "sending", now, now, now, lease_until=lease_until, attempts=1
    )
    tx.execute(
        "UPDATE deliveries SET state = 'merged', merged_into = :summary, finished_at = :now WHERE id IN"
        f" ({_MERGEABLE} ORDER BY each.id LIMIT {_MOST_MERGED})",
        {**known, "summary": summary.id},
    )
    add_delivery(tx, summary)
    return summary


# For each subject whose oldest delivery was never tried: all deliveries up to the youngest that is due.
_MERGEABLE: Final = (
    "SELECT each.id FROM (SELECT subject, min(id) AS head, max(iif(not_before <= :now, id, '')) AS last"
    f" FROM deliveries WHERE channel = :channel AND {UNFINISHED} AND subject NOT IN ('{SERVICE}', '{SUMMARY}')"
    " GROUP BY subject) AS subjects JOIN deliveries AS first ON first.id = head"
    f" JOIN deliveries AS each ON each.channel = :channel AND each.subject = subjects.subject AND each.{UNFINISHED}"
    " AND each.id <= last WHERE first.state = 'waiting' AND first.attempts = 0"
    f" AND NOT EXISTS ({_SUMMARIES})"
)


def end_attempt(tx: Connection, attempt: Attempt, *, not_before: int | None = None) -> bool:
    """Record the outcome of the attempt; a postponed delivery waits until `not_before`.

    False if the lease had expired and another process has claimed the delivery. That process then decides its state,
    unless this attempt sent it.
    """
    tx.execute(
        "INSERT INTO attempts (delivery, number, at, outcome, status, detail) VALUES (?, ?, ?, ?, ?, ?)",
        (attempt.delivery, attempt.number, attempt.at, attempt.outcome, attempt.status, attempt.detail),
    )
    is_postponed = attempt.outcome == "postponed"
    changed = tx.execute(
        "UPDATE deliveries SET state = :state, lease_until = NULL, not_before = coalesce(:not_before, not_before),"
        " finished_at = :finished_at WHERE id = :id AND state <> 'sent'"
        " AND (state = 'sending' AND attempts = :number OR :state = 'sent')",
        {
            "id": attempt.delivery,
            "number": attempt.number,
            "state": "waiting" if is_postponed else attempt.outcome,
            "not_before": not_before,
            "finished_at": None if is_postponed else attempt.at,
        },
    )
    return bool(changed.rowcount)


def release_claims(tx: Connection) -> int:
    """Release all claims, for a process that has just become the leader; returns how many."""
    released = tx.execute("UPDATE deliveries SET state = 'waiting', lease_until = NULL WHERE state = 'sending'")
    return int(released.rowcount)


NOT_CONFIGURED: Final = "no channel of this name is configured"
_TABLES: Final = (("delivery_lines", "delivery"), ("attempts", "delivery"), ("deliveries", "id"))


def find_expired(db: Connection, *, sent_before: int, failed_before: int, most: int) -> list[str]:
    """The ids of deliveries that were sent or given up before these instants, oldest first.

    Each channel's last sent delivery is left out, so that its time stays known.
    """
    before = make_id(max(sent_before, failed_before))
    return _ids(
        db,
        "SELECT id FROM deliveries AS d WHERE id < ? AND (state = 'failed' AND finished_at < ? OR state = 'sent' AND"
        " finished_at < ? AND EXISTS (SELECT 1 FROM deliveries AS n WHERE n.channel = d.channel AND n.state = 'sent'"
        " AND n.finished_at > d.finished_at)) ORDER BY id LIMIT ?",
        (before, failed_before, sent_before, most),
    )


def remove_expired(tx: Connection, *, sent_before: int, failed_before: int, most: int) -> int:
    """Remove what `find_expired` finds, at most `most` at once; returns the number, 0 when nothing is left.

    Deliveries that were merged into a summary are removed before it. Nothing can be recorded meanwhile.
    """
    expired = find_expired(tx, sent_before=sent_before, failed_before=failed_before, most=most)
    merged = _ids(tx, f"SELECT id FROM deliveries WHERE merged_into IN ({marks(expired)}) LIMIT ?", (*expired, most))
    _remove(tx, merged or expired)
    return len(merged or expired)


def find_waiting_channels(db: Connection) -> frozenset[str]:
    """The names of the channels with unfinished deliveries."""
    return frozenset(row[0] for row in db.execute(f"SELECT DISTINCT channel FROM deliveries WHERE {UNFINISHED}"))


def give_up(tx: Connection, *, at: int, due_before: int, configured: Collection[str], most: int) -> list[Delivery]:
    """Give up deliveries that were due before that instant and whose channel is not configured."""
    channels = tuple(configured)
    rows = tx.execute(
        f"UPDATE deliveries SET state = 'failed', finished_at = ?, attempts = attempts + 1 WHERE id IN (SELECT id FROM"
        f" deliveries WHERE state = 'waiting' AND due_at < ? AND channel NOT IN ({marks(channels)}) LIMIT ?)"
        f" RETURNING {COLUMNS}",
        (at, due_before, *channels, most),
    ).fetchall()
    given_up = [Delivery(*row) for row in rows]
    for each in given_up:
        attempt = Attempt(each.id, each.attempts, at, "failed", NOT_CONFIGURED)
        tx.execute(
            "INSERT INTO attempts (delivery, number, at, outcome, detail) VALUES (?, ?, ?, ?, ?)",
            (attempt.delivery, attempt.number, attempt.at, attempt.outcome, attempt.detail),
        )
    return given_up


def drop(tx: Connection, *, at: int, delivery: str | None = None, channel: str | None = None) -> list[str]:
    """Remove the delivery with that id, or all of that channel, if they wait or were given up; returns their ids.

    Sent deliveries stay, and so do those that are being sent, unless their lease has expired.
    """
    dropped = _ids(
        tx,
        "SELECT id FROM deliveries WHERE (state IN ('waiting', 'failed') OR state = 'sending' AND lease_until < ?)"
        " AND (id = ? OR channel = ?) ORDER BY id",
        (at, delivery, channel),
    )
    for some in _pieces(dropped):
        merged = _ids(tx, f"SELECT id FROM deliveries WHERE merged_into IN ({marks(some)})", some)
        for each in (*_pieces(merged), some):
            _remove(tx, each)
    return dropped


def _ids(db: Connection, sql: str, values: Collection[object]) -> list[str]:
    return [row[0] for row in db.execute(sql, tuple(values)).fetchall()]


def _pieces(ids: list[str], size: int = 500) -> Iterator[list[str]]:
    return (ids[start : start + size] for start in range(0, len(ids), size))


def _remove(tx: Connection, ids: list[str]) -> None:
    for table, column in _TABLES:
        tx.execute(f"DELETE FROM {table} WHERE {column} IN ({marks(ids)})", ids)
