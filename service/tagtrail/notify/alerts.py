"""Service alerts: problems of tagtrail itself, reported once when they begin and once when they are over."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from tagtrail.config.model import Config, NotifyConfig
from tagtrail.notify.outbox import OutboxWriter
from tagtrail.store import alerts as stored
from tagtrail.store.alerts import AlertKind
from tagtrail.store.database import Connection, Store
from tagtrail.store.lines import find_window
from tagtrail.store.outbox import SERVICE, Delivery, get_channel_state
from tagtrail.store.query import Filter
from tagtrail.store.registries import find_last_seen
from tagtrail.store.status import find_verification
from tagtrail.trail.instant import DAY, SECOND, now
from tagtrail.wording.text import counted

ReportKind = Literal["given up", "template"]

_QUIET_FOR: Final = 3_600 * SECOND  # without a new event the quarantine counts as quiet
_REPORT_INTERVAL: Final = 3_600 * SECOND  # a channel that is down may fail thousands of deliveries
# Group keys, as the database of every release holds them: alerts were called troubles at first.
_ALERT_KEY: Final = re.compile(r"trouble (\d{1,18})( over)?", re.ASCII)
_REPORT_KEY: Final = re.compile(r"(given up|template): (.+)", re.ASCII | re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Problem:
    """A problem that exists now; the instant is by our clock."""

    kind: AlertKind
    subject: str
    began_at: int
    detail: str = ""
    seq: int | None = None


class ServiceAlerts:
    """Looks for problems of the service.

    `find_unavailable` names the channels that cannot be made, each with the reason. `clock` gives our time, in
    nanoseconds.
    """

    def __init__(
        self,
        store: Store,
        config: Config,
        *,
        find_unavailable: Callable[[], Mapping[str, str]] = dict,
        clock: Callable[[], int] = now,
    ) -> None:
        self._store = store
        self._registries = frozenset(registry.name for registry in config.registries)
        self._channels = tuple(channel.name for channel in config.notify.channels)
        self._silent_after = config.notify.silent_after * SECOND
        self._outbox = OutboxWriter(config.notify, clock=clock)
        self._find_unavailable = find_unavailable
        self._clock = clock

    def check(self) -> None:
        """Record and report the problems that began or ended since the last check. Raises StorageUnavailable.

        Several processes may check at once: the state and its deliveries are written in one transaction.
        """
        at = self._clock()
        with self._store.snapshot() as db:
            known = {(alert.kind, alert.subject): alert.began_at for alert in stored.find_open_alerts(db)}
            found = {(one.kind, one.subject): one for one in self._find(db, known, at)}
        began = [one for key, one in found.items() if key not in known]
        ended = [key for key in known if key not in found]
        if began or ended:
            with self._store.writing() as tx:
                for one in began:
                    self._begin(tx, one)
                for kind, subject in ended:
                    self._end(tx, kind, subject, at)

    def _find(self, db: Connection, known: dict[tuple[AlertKind, str], int], at: int) -> Iterator[_Problem]:
        yield from self._find_silent(db, at)
        yield from self._find_quarantined(db, known, at)
        verified = find_verification(db)
        if verified is not None and verified.trouble is not None:
            yield _Problem("verification", "", verified.verified_at, verified.trouble)
        yield from self._find_given_up(db, known)
        yield from (_Problem("absent", channel, at, reason) for channel, reason in self._find_unavailable().items())

    def _find_silent(self, db: Connection, at: int) -> Iterator[_Problem]:
        """Registries that sent nothing for too long. Time in which the service was stopped does not count."""
        for registry, since in find_last_seen(db).items():
            silent_for = at - since - stored.get_time_down(db, since=since)
            if registry in self._registries and silent_for > self._silent_after:
                yield _Problem("silent", registry, since)

    def _find_quarantined(self, db: Connection, known: dict[tuple[AlertKind, str], int], at: int) -> Iterator[_Problem]:
        """Registries that recently sent events that cannot be read."""
        for events in stored.count_quarantined(db, since_seq=find_window(db, Filter(since=at - DAY)).first):
            quiet_since = stored.get_last_end(db, "quarantine", events.registry)
            if ("quarantine", events.registry) in known:
                quiet_since = at - _QUIET_FOR
            if events.last_at >= quiet_since:
                detail = counted(events.count, "event within a day", "events within a day")
                yield _Problem("quarantine", events.registry, events.first_at, detail, events.seq)

    def _find_given_up(self, db: Connection, known: dict[tuple[AlertKind, str], int]) -> Iterator[_Problem]:
        """Channels that got nothing since a message to them was given up."""
        for channel in self._channels:
            sent_at = get_channel_state(db, channel).last_sent_at or 0
            given_up_at = stored.get_last_given_up(db, channel) or known.get(("given_up", channel))
            if given_up_at is not None and given_up_at > sent_at:
                yield _Problem("given_up", channel, given_up_at)

    def _begin(self, tx: Connection, one: _Problem) -> None:
        """Report a problem, except messages that were given up: DeliveryReports does that at once."""
        alert = stored.begin_alert(tx, one.kind, one.subject, at=one.began_at, detail=one.detail, seq=one.seq)
        if alert is not None and one.kind != "given_up":
            self._report(tx, one.kind, one.subject, f"trouble {alert}")

    def _end(self, tx: Connection, kind: AlertKind, subject: str, at: int) -> None:
        """Report the end of a problem, except for a registry that is no longer configured."""
        alert = stored.end_alert(tx, kind, subject, at=at)
        if alert is not None and (kind != "silent" or subject in self._registries):
            self._report(tx, kind, subject, f"trouble {alert} over")

    def _report(self, tx: Connection, kind: AlertKind, subject: str, key: str) -> None:
        if kind not in ("given_up", "absent"):
            self._outbox.add_alert(tx, key, registry=subject if kind in ("silent", "quarantine") else None)
        elif subject in self._channels:
            self._outbox.add_channel_alert(tx, key, about=subject)


class DeliveryReports:
    """Reports a delivery that was given up, or a broken template, to other channels. `clock` gives our time."""

    def __init__(self, config: NotifyConfig, *, clock: Callable[[], int]) -> None:
        self._outbox = OutboxWriter(config, clock=clock)

    def __call__(self, tx: Connection, kind: ReportKind, delivery: Delivery) -> None:
        """Report it, at most once an hour for each channel. A report that itself fails is not reported."""
        if read_report(delivery) is None:
            key = f"{kind}: {delivery.channel}"
            self._outbox.add_channel_alert(tx, key, about=delivery.channel, interval=_REPORT_INTERVAL)


def read_alert(delivery: Delivery) -> tuple[int | None, bool]:
    """The id of the alert that a delivery reports, None for other deliveries; and whether it reports its end."""
    match = _ALERT_KEY.fullmatch(delivery.group_key) if delivery.subject == SERVICE else None
    return (int(match[1]), match[2] is not None) if match else (None, False)


def read_report(delivery: Delivery) -> tuple[ReportKind, str] | None:
    """The kind and the channel of a delivery report; None for other deliveries."""
    match = _REPORT_KEY.fullmatch(delivery.group_key) if delivery.subject == SERVICE else None
    if match is None:
        return None
    return ("given up" if match[1] == "given up" else "template", match[2])
