"""Taking deliveries out of the outbox: one claims each at a time, and writes down what came of it.

Whatever is claimed here is claimed inside the one write transaction, by a statement that says what must still be so:
two dispatchers never have one delivery at the same time. A claim is a lease; whoever dies with it leaves the delivery
to the next, under the same id.
"""

from typing import Any, Final

from tagtrail.store.database import Connection
from tagtrail.store.outbox import COLUMNS, SERVICE, SUMMARY, UNFINISHED, Attempt, Delivery, add_delivery, make_id

# The oldest unfinished delivery of each subject of a channel. What waits behind it and may be sent earlier (a route
# without quiet hours wanted it) takes it along, so that order is kept and nothing urgent waits for the morning.
_HEADS: Final = (
    "SELECT min(id) AS head, min(not_before) AS earliest FROM deliveries"
    f" WHERE channel = :channel AND {UNFINISHED} GROUP BY subject"
)
_MOST_MERGED: Final = 5_000  # at once; nobody can record anything meanwhile
# A summary tells of many subjects: while it is unfinished, all of its channel waits for it.
_SUMMARIES: Final = f"SELECT 1 FROM deliveries WHERE channel = :channel AND subject = '{SUMMARY}' AND {UNFINISHED}"
_IS_FREE: Final = f"(subject = '{SUMMARY}' OR NOT EXISTS ({_SUMMARIES}))"
_TIME: Final = "iif(state = 'sending', lease_until, iif(attempts = 0, earliest, not_before))"


def get_next_time(db: Connection, channel: str) -> int | None:
    """From when on there is something to claim in the channel; None while nothing is unfinished."""
    (at,) = db.execute(
        f"SELECT min({_TIME}) FROM ({_HEADS}) JOIN deliveries ON id = head WHERE {_IS_FREE}",
        {"channel": channel},
    ).fetchone()
    return None if at is None else int(at)


def claim(tx: Connection, channel: str, *, now: int, lease_until: int, burst: int) -> Delivery | None:
    """Claim what the channel is to be sent next: the oldest delivery that is due and has none of its subject before it.

    More than `burst` that are due at once and were never tried are merged into one summary first. None: nothing is
    due. The `attempts` of what is returned is the number of the attempt that begins.
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
    """A summary, claimed, in the place of all that is due and was never tried, if there is more of it than `burst`.

    What was tried may have arrived, so it keeps its id, and what is behind it its order.
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


# Of each subject whose oldest delivery was never tried: all up to the youngest that is due.
_MERGEABLE: Final = (
    "SELECT each.id FROM (SELECT subject, min(id) AS head, max(iif(not_before <= :now, id, '')) AS last"
    f" FROM deliveries WHERE channel = :channel AND {UNFINISHED} AND subject NOT IN ('{SERVICE}', '{SUMMARY}')"
    " GROUP BY subject) AS subjects JOIN deliveries AS first ON first.id = head"
    f" JOIN deliveries AS each ON each.channel = :channel AND each.subject = subjects.subject AND each.{UNFINISHED}"
    " AND each.id <= last WHERE first.state = 'waiting' AND first.attempts = 0"
    f" AND NOT EXISTS ({_SUMMARIES})"
)


def end_attempt(tx: Connection, attempt: Attempt, *, not_before: int | None = None) -> bool:
    """Write down what came of the attempt; a postponed delivery waits until `not_before`.

    False where the lease had run out and another has the delivery by now: then that one decides how it goes on,
    unless this attempt did send it.
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
    """Take back every lease, for the one dispatcher that knows that whoever had it is gone; how many there were."""
    released = tx.execute("UPDATE deliveries SET state = 'waiting', lease_until = NULL WHERE state = 'sending'")
    return int(released.rowcount)
