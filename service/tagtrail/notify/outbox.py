"""The outbox: what a line just recorded gives to tell, written in the line's own transaction, or not at all."""

import logging
from collections.abc import Callable
from typing import Final

from tagtrail.config.model import NotificationKind, NotifyConfig
from tagtrail.ledger.project import Line, Meaning
from tagtrail.ledger.publish import Published
from tagtrail.line import Entry
from tagtrail.notify.routes import Notification, Routes
from tagtrail.store.database import Connection
from tagtrail.store.outbox import SERVICE, Delivery, add_delivery, enqueue, make_id
from tagtrail.trail.instant import SECOND, now

_log = logging.getLogger(__name__)
_DECLARED: Final[frozenset[NotificationKind]] = frozenset({"declared"})
_TROUBLE: Final[frozenset[NotificationKind]] = frozenset({"trouble"})


class Outbox:
    """Writes deliveries for the channels that the routes lead to; safe to call from many threads.

    `clock` gives our time, in nanoseconds: what settles does so by it, even where it was set back and the ledger's
    time runs ahead.
    """

    def __init__(self, config: NotifyConfig, *, clock: Callable[[], int] = now) -> None:
        self._routes = Routes(config)
        self._debounce = int(config.debounce * SECOND)
        self._clock = clock

    def __call__(self, tx: Connection, line: Line, meaning: Meaning) -> None:
        """Write down what is to be told of the line; nothing where it changed nothing, or came late."""
        happenings = find_notifications(line.entry, meaning)
        if not happenings:
            return
        made_at = self._clock()
        for channel, not_before in self._find_channels(happenings, at=made_at + self._debounce).items():
            delivery = _delivery(channel, line, made_at=made_at, not_before=not_before)
            enqueue(tx, delivery, seq=line.seq, settling_since=made_at - self._debounce)

    def add_trouble(self, tx: Connection, name: str, *, registry: str | None = None) -> list[str]:
        """Write down that there is a trouble of the service's own, of that name; the ids of its deliveries."""
        made_at = self._clock()
        happening = Notification(_TROUBLE, registry=registry)
        return [
            _add_trouble(tx, channel, name, made_at=made_at, not_before=not_before)
            for channel, not_before in self._routes.find_channels([happening], at=made_at).items()
        ]

    def _find_channels(self, happenings: list[Notification], *, at: int) -> dict[str, int]:
        """As the routes say; a defect of theirs costs a message, never the evidence."""
        try:
            return self._routes.find_channels(happenings, at=at)
        except Exception:
            _log.exception("what was recorded could not be held against the routes, and is told to nobody")
            return {}


def make_outbox(config: NotifyConfig, *, clock: Callable[[], int] = now) -> Outbox | None:
    """The outbox, or None where nothing is ever told: then recording costs nothing more."""
    return Outbox(config, clock=clock) if config.routes else None


def find_notifications(entry: Entry, meaning: Meaning) -> list[Notification]:
    """What there is to tell of a line: its moves and deployments, but none that came late, for those are history."""
    happenings = []
    for move in meaning.moves:
        if move.is_late:
            continue
        published = [one for one in meaning.published if one.tag == move.tag and not one.is_late]
        kinds: set[NotificationKind] = {move.kind}
        if move.violates:
            kinds.add("violation")
        if any(one.direction is not None for one in published):
            kinds.add("deployed")
        happenings.append(_happening(entry, frozenset(kinds), move.tag, published))
    declared = [one for one in meaning.published if one.basis == "declared" and not one.is_late]
    return happenings + [_happening(entry, _DECLARED, one.tag, [one]) for one in declared]


def _happening(
    entry: Entry, kinds: frozenset[NotificationKind], tag: str | None, published: list[Published]
) -> Notification:
    environments = tuple(one.environment for one in published)
    return Notification(kinds, entry.registry, entry.repository, tag, environments)


def _delivery(channel: str, line: Line, *, made_at: int, not_before: int) -> Delivery:
    """Its id is made of the line's own time, so that ids sort as lines do. Pushes and deployments gather by digest."""
    entry = line.entry
    gathering = entry.digest if entry.kind != "delete" and entry.digest is not None else f"line {line.seq}"
    return Delivery(
        id=make_id(line.received_at),
        channel=channel,
        subject=f"{entry.registry}/{entry.repository}",
        group_key=gathering,
        state="waiting",
        made_at=made_at,
        due_at=not_before,
        not_before=not_before,
    )


def _add_trouble(tx: Connection, channel: str, name: str, *, made_at: int, not_before: int) -> str:
    delivery = Delivery(make_id(made_at), channel, SERVICE, name, "waiting", made_at, not_before, not_before)
    add_delivery(tx, delivery)
    return delivery.id
