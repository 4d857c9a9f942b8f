"""The service's own troubles: looked for now and then, told once when they begin, and once when they are over.

That a delivery was given up is told by `reports.py` at once; here it is only seen when that is over.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from tagtrail.config.model import Config, NotificationKind, NotifyConfig
from tagtrail.notify.outbox import Outbox
from tagtrail.notify.routes import Notification, Routes
from tagtrail.notify.worker import ReportKind
from tagtrail.store import alerts as stored
from tagtrail.store.alerts import AlertKind
from tagtrail.store.database import Connection, Store
from tagtrail.store.lines import find_window
from tagtrail.store.outbox import SERVICE, Delivery, add_delivery, get_channel_state, make_id, was_made
from tagtrail.store.query import Filter
from tagtrail.store.registries import find_registries
from tagtrail.store.status import find_verification
from tagtrail.trail.instant import DAY, SECOND, now
from tagtrail.wording.text import counted

_CALM: Final = 3_600 * SECOND  # without anything new, the quarantine grows no more
_NAME: Final = re.compile(r"trouble (\d{1,18})( over)?", re.ASCII)
_TROUBLE: Final[frozenset[NotificationKind]] = frozenset({"trouble"})


@dataclass(frozen=True, slots=True)
class _Found:
    """Something that is amiss now; the instant is by our clock."""

    kind: AlertKind
    subject: str
    began_at: int
    detail: str = ""
    seq: int | None = None


class ServiceAlerts:
    """Looks for the troubles of a store's service.

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
        self._config = config.notify
        self._outbox = Outbox(config.notify, clock=clock)
        self._routes = Routes(config.notify)
        self._find_absent = find_unavailable
        self._clock = clock

    def look(self) -> None:
        """Have told what began and what is over since the last look. Raises StorageUnavailable.

        Several processes may look at once: what is told is written together with what is known, in one transaction.
        """
        at = self._clock()
        with self._store.snapshot() as db:
            present = {(trouble.kind, trouble.subject): trouble.began_at for trouble in stored.find_open_alerts(db)}
            found = {(one.kind, one.subject): one for one in self._find(db, present, at)}
        began = [one for key, one in found.items() if key not in present]
        over = [key for key in present if key not in found]
        if began or over:
            with self._store.writing() as tx:
                for one in began:
                    self._begin(tx, one)
                for kind, subject in over:
                    self._end(tx, kind, subject, at)

    def _find(self, db: Connection, present: dict[tuple[AlertKind, str], int], at: int) -> Iterator[_Found]:
        yield from self._find_silent(db, at)
        yield from self._find_quarantined(db, present, at)
        verified = find_verification(db)
        if verified is not None and verified.trouble is not None:
            yield _Found("verification", "", verified.verified_at, verified.trouble)
        yield from self._find_given_up(db, present)
        yield from (_Found("absent", channel, at, reason) for channel, reason in self._find_absent().items())

    def _find_silent(self, db: Connection, at: int) -> Iterator[_Found]:
        """Registries not heard of for too long; while the service was stopped, nobody could be heard."""
        for heard in find_registries(db):
            if heard.registry in self._registries:
                since = heard.last_seen_at
                silence = at - since - stored.get_time_down(db, since=since)
                if silence > self._config.silent_after * SECOND:
                    yield _Found("silent", heard.registry, since)

    def _find_quarantined(self, db: Connection, present: dict[tuple[AlertKind, str], int], at: int) -> Iterator[_Found]:
        """Registries that sent lately what could not be understood."""
        for refused in stored.count_quarantined(db, since_seq=find_window(db, Filter(since=at - DAY)).first):
            calm_since = stored.get_last_end(db, "quarantine", refused.registry)
            if ("quarantine", refused.registry) in present:
                calm_since = at - _CALM
            if refused.last_at >= calm_since:
                detail = counted(refused.count, "event within a day", "events within a day")
                yield _Found("quarantine", refused.registry, refused.first_at, detail, refused.seq)

    def _find_given_up(self, db: Connection, present: dict[tuple[AlertKind, str], int]) -> Iterator[_Found]:
        """Channels to which nothing went since something was given up."""
        for channel in self._config.channels:
            sent_at = get_channel_state(db, channel.name).last_sent_at or 0
            given_up_at = stored.get_last_given_up(db, channel.name) or present.get(("given_up", channel.name))
            if given_up_at is not None and given_up_at > sent_at:
                yield _Found("given_up", channel.name, given_up_at)

    def _begin(self, tx: Connection, one: _Found) -> None:
        trouble = stored.begin_alert(tx, one.kind, one.subject, at=one.began_at, detail=one.detail, seq=one.seq)
        if trouble is not None and one.kind == "absent":
            self._tell_others(tx, one.subject, f"trouble {trouble}", self._clock())
        elif trouble is not None and one.kind != "given_up":
            self._outbox.add_trouble(tx, f"trouble {trouble}", registry=_registry(one.kind, one.subject))

    def _end(self, tx: Connection, kind: AlertKind, subject: str, at: int) -> None:
        """What is no longer configured is over without a word."""
        trouble = stored.end_alert(tx, kind, subject, at=at)
        if trouble is None:
            return
        name = f"trouble {trouble} over"
        if kind in ("given_up", "absent"):
            self._tell_others(tx, subject, name, at)
        elif kind != "silent" or subject in self._registries:
            self._outbox.add_trouble(tx, name, registry=_registry(kind, subject))

    def _tell_others(self, tx: Connection, about: str, name: str, at: int) -> None:
        """Tell all who are to know of troubles, and the fallback, of what is the matter with that channel."""
        if about not in {channel.name for channel in self._config.channels}:
            return
        channels = self._routes.find_channels([Notification(_TROUBLE)], at=at)
        if self._config.fallback is not None:
            channels[self._config.fallback] = at
        for channel, not_before in channels.items():
            if channel != about:
                add_delivery(tx, Delivery(make_id(at), channel, SERVICE, name, "waiting", at, not_before, not_before))


def read_trouble(delivery: Delivery) -> tuple[int | None, bool]:
    """The id of the trouble that a delivery tells of, None for one that tells of none; and whether it is over."""
    match = _NAME.fullmatch(delivery.group_key) if delivery.subject == SERVICE else None
    return (int(match[1]), match[2] is not None) if match else (None, False)


def _registry(kind: AlertKind, subject: str) -> str | None:
    return subject if kind in ("silent", "quarantine") else None


# DeliveryReports of what goes wrong with telling itself: a delivery given up, a template that is broken.


_ONCE_IN: Final = 3_600 * SECOND  # a channel that is gone may fail thousands of deliveries
_MISHAPS: Final[tuple[ReportKind, ...]] = ("given up", "template")


class DeliveryReports:
    """Writes reports into the outbox. `clock` gives our time, in nanoseconds."""

    def __init__(self, config: NotifyConfig, *, clock: Callable[[], int]) -> None:
        self._fallback = config.fallback
        self._routes = Routes(config)
        self._clock = clock

    def __call__(self, tx: Connection, mishap: ReportKind, delivery: Delivery) -> None:
        """Report what happened to the delivery, where nothing of its channel was reported within the last hour."""
        if read_report(delivery) is not None:
            return
        at = self._clock()
        gathering = f"{mishap}: {delivery.channel}"
        for channel, not_before in self._find_channels(at).items():
            if channel != delivery.channel and not was_made(tx, channel, SERVICE, gathering, since=at - _ONCE_IN):
                add_delivery(
                    tx, Delivery(make_id(at), channel, SERVICE, gathering, "waiting", at, not_before, not_before)
                )

    def _find_channels(self, at: int) -> dict[str, int]:
        """The channels to be told, each with when."""
        channels = self._routes.find_channels([Notification(_TROUBLE)], at=at)
        return channels | ({self._fallback: at} if self._fallback is not None else {})


def read_report(delivery: Delivery) -> tuple[ReportKind, str] | None:
    """What a delivery reports, and of which channel; None for one that is no report."""
    if delivery.subject != SERVICE:
        return None
    mishap, _, channel = delivery.group_key.partition(": ")
    return next(((known, channel) for known in _MISHAPS if known == mishap and channel), None)
