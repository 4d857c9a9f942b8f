"""The outbox as it is asked about: deliveries, the youngest first, each with what it tells of."""

from dataclasses import dataclass

from tagtrail.store.answers import Cut, Filter, Page
from tagtrail.store.database import Connection
from tagtrail.store.outbox import COLUMNS, Attempt, Delivery, find_attempts, find_lines, get_delivery, make_id
from tagtrail.store.questions.series import MOST_EXAMINED

_AFTER_ALL = "n"  # sorts after every id, which begin with `msg_`
_MOST_LINES = 100  # of a summary there may be thousands


@dataclass(frozen=True, slots=True)
class DeliveryAnswer:
    """A delivery with the ledger's lines that it tells of, oldest first; of a summary only so many."""

    delivery: Delivery
    lines: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class AttemptedDelivery:
    """A delivery with what came of its attempts."""

    answer: DeliveryAnswer
    attempts: tuple[Attempt, ...]


def find_deliveries(db: Connection, asked: Filter, cut: Cut) -> Page[DeliveryAnswer]:
    """Deliveries, the youngest first. Key: (id,). Looks at `channel`, `state`, `since`, `until` (by the id)."""
    below = cut.after[0] if cut.after else _AFTER_ALL if asked.until is None else _least_id(asked.until)
    most = max(MOST_EXAMINED, cut.limit + 1)
    rows = db.execute(
        f"SELECT {COLUMNS} FROM deliveries WHERE id < ? AND id >= ? ORDER BY id DESC LIMIT ?",
        (below, "" if asked.since is None else _least_id(asked.since), most),
    ).fetchall()
    fitting = [found for found in (Delivery(*row) for row in rows) if _fits(found, asked)]
    items = tuple(DeliveryAnswer(each, find_lines(db, each.id)[:_MOST_LINES]) for each in fitting[: cut.limit])
    if len(fitting) > cut.limit:
        return Page(items, (items[-1].delivery.id,))
    return Page(items, (rows[-1][0],) if len(rows) == most else None)


def _fits(delivery: Delivery, asked: Filter) -> bool:
    return asked.channel in (None, delivery.channel) and asked.state in (None, delivery.state)


def _least_id(instant: int) -> str:
    """The least id that a delivery of that instant can have."""
    return make_id(instant)[: len("msg_00000000-0000-7000")]


def get_attempted(db: Connection, delivery: str) -> AttemptedDelivery | None:
    """The delivery of that id with its attempts, the first first."""
    found = get_delivery(db, delivery)
    if found is None:
        return None
    answer = DeliveryAnswer(found, find_lines(db, delivery)[:_MOST_LINES])
    return AttemptedDelivery(answer, tuple(find_attempts(db, delivery)))


def find_channels(db: Connection) -> tuple[str, ...]:
    """Every channel that there was ever a delivery for, by name."""
    return tuple(row[0] for row in db.execute("SELECT DISTINCT channel FROM deliveries ORDER BY channel"))


def get_last_trouble(db: Connection, channel: str) -> Attempt | None:
    """The last attempt of the youngest delivery that has any, where it sent nothing or had something to say besides."""
    row = db.execute(
        "SELECT a.delivery, a.number, a.at, a.outcome, a.detail, a.status FROM attempts AS a"
        " JOIN deliveries AS d ON d.id = a.delivery WHERE d.channel = ? ORDER BY d.id DESC, a.number DESC LIMIT 1",
        (channel,),
    ).fetchone()
    found = Attempt(*row) if row else None
    return found if found is not None and (found.outcome != "sent" or found.detail) else None


def was_made(db: Connection, channel: str, subject: str, gathering: str, *, since: int) -> bool:
    """Whether the channel has such a delivery that was made since the instant."""
    row = db.execute(
        "SELECT 1 FROM deliveries WHERE id >= ? AND channel = ? AND subject = ? AND gathering = ? LIMIT 1",
        (_least_id(since), channel, subject, gathering),
    ).fetchone()
    return row is not None
