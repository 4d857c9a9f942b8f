"""Writes deliveries into the outbox, in the same transaction as the ledger line or the alert that they report."""

import logging
from collections.abc import Callable, Iterable

from tagtrail.config.model import NotifyConfig
from tagtrail.ledger.project import Meaning
from tagtrail.ledger.submission import Line
from tagtrail.line import Entry
from tagtrail.notify.routes import Notification, Routes, notify_alert, notify_declaration, notify_move
from tagtrail.store.database import Connection
from tagtrail.store.outbox import SERVICE, Delivery, add_delivery, enqueue, make_id, was_made
from tagtrail.trail.instant import SECOND, now

_log = logging.getLogger(__name__)


class OutboxWriter:
    """Writes deliveries for the channels that the routes lead to; safe to call from many threads.

    `clock` gives our time, in nanoseconds. The debounce time is measured by this clock, even if it was set back and
    the ledger's time runs ahead.
    """

    def __init__(self, config: NotifyConfig, *, clock: Callable[[], int] = now) -> None:
        self._routes = Routes(config)
        self._fallback = config.fallback
        self._debounce = int(config.debounce * SECOND)
        self._clock = clock

    def __call__(self, tx: Connection, line: Line, meaning: Meaning) -> None:
        """Write the deliveries of a new line; none if it changed nothing or arrived late."""
        notifications = find_notifications(line.entry, meaning)
        if not notifications:
            return
        made_at = self._clock()
        for channel, not_before in self._find_channels(notifications, at=made_at + self._debounce).items():
            delivery = _make_delivery(channel, line, made_at=made_at, not_before=not_before)
            enqueue(tx, delivery, seq=line.seq, debounced_since=made_at - self._debounce)

    def add_alert(self, tx: Connection, key: str, *, registry: str | None = None) -> list[str]:
        """Write the deliveries of a service alert, without debounce; returns their ids.

        `key` is their group key, from which the message is made later. `registry` is what the alert is about, if any.
        """
        at = self._clock()
        return _add_alerts(tx, self._routes.find_channels([notify_alert(registry)], at=at), key, at=at)

    def add_channel_alert(self, tx: Connection, key: str, *, about: str, interval: int = 0) -> None:
        """Write the deliveries of an alert about a channel: to all others that get alerts, and to the fallback.

        A channel that got an alert with this key within the last `interval` nanoseconds gets none.
        """
        at = self._clock()
        channels = self._routes.find_channels([notify_alert()], at=at)
        if self._fallback is not None:
            channels[self._fallback] = at
        channels.pop(about, None)
        if interval:
            recent = [name for name in channels if was_made(tx, name, SERVICE, key, since=at - interval)]
            channels = {name: not_before for name, not_before in channels.items() if name not in recent}
        _add_alerts(tx, channels, key, at=at)

    def _find_channels(self, notifications: Iterable[Notification], *, at: int) -> dict[str, int]:
        """As the routes say. An error in a route loses the message, but never the ledger line."""
        try:
            return self._routes.find_channels(notifications, at=at)
        except Exception:
            _log.exception("the routes failed on a recorded line; no message is sent for it")
            return {}


def make_outbox(config: NotifyConfig, *, clock: Callable[[], int] = now) -> OutboxWriter | None:
    """The outbox, or None without routes: recording then does no additional work."""
    return OutboxWriter(config, clock=clock) if config.routes else None


def find_notifications(entry: Entry, meaning: Meaning) -> list[Notification]:
    """The notifications of a new line: its moves and deployments, without those that arrived late."""
    found = []
    for move in meaning.moves:
        if move.is_late:
            continue
        published = [one for one in meaning.published if one.tag == move.tag and not one.is_late]
        found.append(
            notify_move(
                entry.registry,
                entry.repository,
                move.tag,
                move.kind,
                violates=move.violates,
                is_deployed=any(one.direction is not None for one in published),
                environments=(one.environment for one in published),
            )
        )
    declared = [one for one in meaning.published if one.basis == "declared" and not one.is_late]
    return found + [notify_declaration(entry.registry, entry.repository, one.tag, one.environment) for one in declared]


def _make_delivery(channel: str, line: Line, *, made_at: int, not_before: int) -> Delivery:
    """The delivery of a line. Its id holds the line's own time, so that ids sort as lines do.

    Pushes and deployments of one digest share a group key.
    """
    entry = line.entry
    group_key = entry.digest if entry.kind != "delete" and entry.digest is not None else f"line {line.seq}"
    return Delivery(
        id=make_id(line.received_at),
        channel=channel,
        subject=f"{entry.registry}/{entry.repository}",
        group_key=group_key,
        state="waiting",
        made_at=made_at,
        due_at=not_before,
        not_before=not_before,
    )


def _add_alerts(tx: Connection, channels: dict[str, int], key: str, *, at: int) -> list[str]:
    made = [
        Delivery(make_id(at), channel, SERVICE, key, "waiting", at, not_before, not_before)
        for channel, not_before in channels.items()
    ]
    for delivery in made:
        add_delivery(tx, delivery)
    return [delivery.id for delivery in made]
