"""Service alerts as rows: one for each problem, from its beginning to its end.

The table and its `kind` values keep the words of the first migration: a trouble is an alert, `absent` an unavailable
channel.
"""

from dataclasses import dataclass
from typing import Final, Literal

from tagtrail.store.database import Connection

AlertKind = Literal["silent", "quarantine", "verification", "given_up", "absent"]

_COLUMNS: Final = "id, kind, subject, began_at, ended_at, seq, detail"


@dataclass(frozen=True, slots=True)
class Alert:
    """A problem of a registry, a channel or the ledger, from `began_at` to `ended_at` (None: open), by our clock."""

    id: int
    kind: AlertKind
    subject: str
    began_at: int
    ended_at: int | None
    seq: int | None
    detail: str


@dataclass(frozen=True, slots=True)
class GivenUp:
    """The number of a channel's deliveries that were given up, with the last attempt of the newest of them."""

    count: int
    status: int | None
    detail: str


@dataclass(frozen=True, slots=True)
class QuarantineCount:
    """A registry's events in quarantine: their number, the newest line, and the first and last time by our clock."""

    registry: str
    count: int
    seq: int
    first_at: int
    last_at: int


def begin_alert(
    tx: Connection, kind: AlertKind, subject: str, *, at: int, detail: str = "", seq: int | None = None
) -> int | None:
    """Open an alert; returns its id, or None if it is open already."""
    row = tx.execute(
        "INSERT INTO troubles (kind, subject, began_at, seq, detail) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (kind, subject) WHERE ended_at IS NULL DO NOTHING RETURNING id",
        (kind, subject, at, seq, detail),
    ).fetchone()
    return None if row is None else int(row[0])


def end_alert(tx: Connection, kind: AlertKind, subject: str, *, at: int) -> int | None:
    """Close an alert; returns its id, or None if none was open."""
    row = tx.execute(
        "UPDATE troubles SET ended_at = ? WHERE kind = ? AND subject = ? AND ended_at IS NULL RETURNING id",
        (at, kind, subject),
    ).fetchone()
    return None if row is None else int(row[0])


def get_alert(db: Connection, identity: int) -> Alert | None:
    """The alert with that id."""
    row = db.execute(f"SELECT {_COLUMNS} FROM troubles WHERE id = ?", (identity,)).fetchone()
    return Alert(*row) if row else None


def find_open_alerts(db: Connection) -> list[Alert]:
    """The open alerts, oldest first."""
    return [
        Alert(*row)
        for row in db.execute(f"SELECT {_COLUMNS} FROM troubles WHERE ended_at IS NULL ORDER BY began_at, id")
    ]


def get_last_end(db: Connection, kind: AlertKind, subject: str) -> int:
    """When the last such alert was closed; 0 if there was none."""
    (ended_at,) = db.execute(
        "SELECT max(ended_at) FROM troubles WHERE kind = ? AND subject = ?", (kind, subject)
    ).fetchone()
    return int(ended_at or 0)


def count_given_up(db: Connection, channel: str) -> GivenUp:
    """The channel's deliveries that were given up and not retried."""
    (count,) = db.execute(
        "SELECT count(*) FROM deliveries WHERE channel = ? AND state = 'failed'", (channel,)
    ).fetchone()
    last = db.execute(
        "SELECT a.status, a.detail FROM attempts a WHERE a.delivery = (SELECT id FROM deliveries WHERE channel = ?"
        " AND state = 'failed' ORDER BY finished_at DESC, id DESC LIMIT 1) ORDER BY a.number DESC LIMIT 1",
        (channel,),
    ).fetchone()
    return GivenUp(count, *(last or (None, "")))


def get_last_given_up(db: Connection, channel: str) -> int | None:
    """When the channel's last delivery was given up, of those that were not retried; None if there is none."""
    (at,) = db.execute(
        "SELECT max(finished_at) FROM deliveries WHERE channel = ? AND state = 'failed'", (channel,)
    ).fetchone()
    return None if at is None else int(at)


def count_quarantined(db: Connection, *, since_seq: int) -> list[QuarantineCount]:
    """The events in quarantine from that line on, by registry."""
    rows = db.execute(
        "SELECT q.registry, count(*), max(q.seq), min(e.received_at), max(e.received_at) FROM quarantine q"
        " JOIN entries e ON e.seq = q.seq WHERE q.seq >= ? GROUP BY q.registry ORDER BY q.registry",
        (since_seq,),
    )
    return [QuarantineCount(*row) for row in rows]


def get_time_down(db: Connection, *, since: int) -> int:
    """Nanoseconds for which the service was stopped since that instant, as far as its stops were recorded."""
    rows = db.execute(
        "SELECT received_at, kind FROM entries WHERE kind IN ('started', 'stopped') ORDER BY seq DESC LIMIT 1000"
    )
    total, started_at = 0, None
    for received_at, kind in rows:
        if kind == "stopped" and started_at is not None:
            total += max(0, started_at - max(received_at, since))
        started_at = received_at if kind == "started" else None
        if received_at < since:
            break
    return total
