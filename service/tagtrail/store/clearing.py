"""How deliveries leave the outbox: when they are finished for long enough, given up with their channel, or dropped."""

from collections.abc import Collection, Iterator
from typing import Final

from tagtrail.store.database import Connection
from tagtrail.store.outbox import COLUMNS, UNFINISHED, Attempt, Delivery, make_id
from tagtrail.store.questions.series import marks

NOT_CONFIGURED: Final = "no channel of this name is configured"
_TABLES: Final = (("delivery_lines", "delivery"), ("attempts", "delivery"), ("deliveries", "id"))


def find_expired(db: Connection, *, sent_before: int, failed_before: int, most: int) -> list[str]:
    """The ids of what was sent, or given up, before these instants, the oldest first; of each channel not the last that
    was sent, which says when that was.
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
    """Remove what `find_expired` finds; the number of rows, 0 when nothing is left to remove.

    What was merged goes with its summary, just before it. No more than `most` at once: nobody can record meanwhile.
    """
    expired = find_expired(tx, sent_before=sent_before, failed_before=failed_before, most=most)
    merged = _ids(tx, f"SELECT id FROM deliveries WHERE merged_into IN ({marks(expired)}) LIMIT ?", (*expired, most))
    _remove(tx, merged or expired)
    return len(merged or expired)


def find_waiting_channels(db: Connection) -> frozenset[str]:
    """The names of the channels for which anything waits."""
    return frozenset(row[0] for row in db.execute(f"SELECT DISTINCT channel FROM deliveries WHERE {UNFINISHED}"))


def give_up(tx: Connection, *, at: int, due_before: int, configured: Collection[str], most: int) -> list[Delivery]:
    """Give up what has waited since before that instant for a channel that is none of the configured ones."""
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
    """Remove the delivery of that id, or all of that channel, if they wait or were given up; the ids of these.

    What is being sent at the moment stays, unless whoever sent it has died, and so does what was sent.
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
