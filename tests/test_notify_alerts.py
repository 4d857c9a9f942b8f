"""Service alerts: one message when a problem begins, one when it is over, each with what to do."""

from dataclasses import dataclass

import pytest

from tagtrail.config.channels import ConsoleConfig
from tagtrail.config.model import Config, NotifyConfig, RegistryConfig, RouteConfig
from tagtrail.config.values import Seconds
from tagtrail.ledger.record import record_start, record_stop
from tagtrail.notify.alerts import DeliveryReports, ServiceAlerts
from tagtrail.notify.message import Message
from tagtrail.store.leases import end_attempt
from tagtrail.store.outbox import SERVICE, Attempt, Delivery, add_delivery, make_id
from tagtrail.store.status import Verification, keep_verification
from tagtrail.trail.rules import Rules
from tests.command_line import DAY, HOUR
from tests.conftest import Ledger
from tests.events import push
from tests.messaging import Chat, open_chat, text_of

CHANNELS = tuple(ConsoleConfig(name=name) for name in ("chat", "other", "mail"))


@dataclass
class Watched:
    """A ledger whose service is looked after, and the channel that is told of troubles."""

    chat: Chat
    alerts: ServiceAlerts
    config: Config

    def look(self) -> list[str]:
        """What a look has to tell, to whichever channels."""
        self.alerts.check()
        return [text_of(message) for message in self.messages()]

    def messages(self) -> list[Message]:
        return [self.chat.compose(one) for one in self.chat.deliveries() if one.subject == SERVICE]

    def end(self, channel: str, outcome: str, detail: str = "") -> None:
        """Make a delivery of the channel, and end it so."""
        at = self.chat.ledger.clock()
        delivery = Delivery(make_id(at), channel, "main/team/app", "x", "sending", at, at, at, attempts=1)
        self.chat.seen.add(delivery.id)
        with self.chat.ledger.store.writing() as tx:
            add_delivery(tx, delivery)
            status = 404 if outcome == "failed" else 200
            end_attempt(tx, Attempt(delivery.id, 1, at, outcome, detail, status))  # type: ignore[arg-type]
            if outcome == "failed":
                DeliveryReports(self.config.notify, clock=self.chat.ledger.clock)(tx, "given up", delivery)


def watch(ledger: Ledger, *, registries: tuple[str, ...] = ("main",), fallback: str | None = None) -> Watched:
    """ServiceAlerts are told on `chat`."""
    chat = open_chat(ledger)
    route = RouteConfig(("chat",), kinds=frozenset({"alert"}))
    config = Config(
        data=ledger.store.directory,
        registries=tuple(map(RegistryConfig, registries)),
        notify=NotifyConfig(channels=CHANNELS, routes=(route,), silent_after=Seconds(DAY), fallback=fallback),
    )
    return Watched(chat, ServiceAlerts(ledger.store, config, clock=ledger.clock), config)


@pytest.fixture
def watched(ledger: Ledger) -> Watched:
    watched = watch(ledger)
    watched.chat.hear(push("prod", "one", 0))
    return watched


def test_a_service_without_problems_sends_no_alert(watched: Watched) -> None:
    watched.chat.ledger.clock.pass_seconds(DAY)
    assert watched.look() == []


def test_a_silent_registry_gives_one_alert_and_one_when_it_sends_again(watched: Watched) -> None:
    watched.chat.ledger.clock.pass_seconds(DAY + 1)
    assert watched.look() == [
        """\
Registry main is silent

Registry main has sent nothing since yesterday 12:00 UTC.
If it was in use, events may be missing: a registry keeps unsent events in memory only.
Check that it runs, reaches tagtrail and has the right token: `tagtrail registry-config`.
If it is often unused for this long, raise `notify.silent_after`."""
    ]
    watched.chat.ledger.clock.pass_seconds(DAY)
    assert watched.look() == []
    watched.chat.ledger.receive(push("prod", "one", 2 * DAY))
    assert watched.look() == [
        "Registry main sends again\n\nIt was silent for 2 days, from 2026-04-20 12:00 UTC to 12:00 UTC."
    ]
    assert watched.look() == []
    watched.chat.ledger.clock.pass_seconds(2 * DAY)
    assert [text.partition("\n")[0] for text in watched.look()] == ["Registry main is silent"]


def test_time_in_which_the_service_was_stopped_does_not_count_as_silence(watched: Watched) -> None:
    ledger = watched.chat.ledger
    ledger.clock.pass_seconds(HOUR)
    record_stop(ledger.recorder)
    ledger.clock.pass_seconds(3 * DAY)
    record_start(ledger.recorder, Rules())
    assert watched.look() == []
    ledger.clock.pass_seconds(DAY - HOUR + 1)
    assert [text.partition("\n")[0] for text in watched.look()] == ["Registry main is silent"]


def test_a_registry_that_is_no_longer_configured_gives_no_alert(watched: Watched) -> None:
    watched.chat.ledger.clock.pass_seconds(DAY + 1)
    watched.look()
    watched.alerts = watch(watched.chat.ledger, registries=("edge",)).alerts
    watched.chat.ledger.clock.now += 2 * int(DAY) * 10**9
    assert watched.look() == []


def test_quarantined_events_give_one_alert_and_one_when_they_stop(watched: Watched) -> None:
    ledger = watched.chat.ledger
    ledger.receive_body(b'{"events": [{"id": "nothing"}]}')
    (seq,) = ledger.rows("SELECT max(seq) FROM quarantine")[0]
    watched.alerts.check()
    [message] = watched.messages()
    assert (
        text_of(message)
        == """\
Registry main: events in quarantine

It sends unreadable events: 1 event within a day, the first at 12:00 UTC.
They are stored, but not part of the trail. `tagtrail quarantine` lists them with the reasons."""
    )
    assert (message.lines, message.registry, message.tone) == ((seq,), "main", "warning")
    ledger.clock.pass_seconds(HOUR / 2)
    ledger.receive_body(b'{"events": [{"id": "nothing either"}]}')
    ledger.clock.pass_seconds(HOUR - 1)
    assert watched.look() == []
    ledger.clock.pass_seconds(2)
    assert [text.partition("\n")[0] for text in watched.look()] == ["Registry main: no new events in quarantine"]
    assert watched.look() == []
    ledger.receive_body(b'{"events": [{"id": "nothing at all"}]}')
    assert [text.partition("\n")[0] for text in watched.look()] == ["Registry main: events in quarantine"]


def verified(watched: Watched, trouble: str | None) -> None:
    with watched.chat.ledger.store.writing() as tx:
        keep_verification(tx, Verification(watched.chat.ledger.clock(), 4, trouble))


def test_a_failed_verification_is_an_alarm(watched: Watched) -> None:
    verified(watched, "line 3 is not what its hash says")
    watched.alerts.check()
    [message] = watched.messages()
    assert message.tone == "alarm"
    assert (
        text_of(message)
        == """\
The ledger does not match its signatures

Verifying the whole ledger failed at 12:00 UTC: line 3 is not what its hash says.
Recorded lines were changed, or the disk lost data.
Copy the data directory as it is now, then investigate: `tagtrail log verify`."""
    )
    watched.chat.ledger.clock.pass_seconds(3_600)
    verified(watched, "line 3 is not what its hash says")
    assert watched.look() == []
    verified(watched, None)
    assert watched.look() == [
        """\
The ledger matches its signatures again

Verifying the whole ledger succeeded at 13:00 UTC, after failures since 12:00 UTC."""
    ]


def test_an_alert_that_ended_before_it_was_sent_says_so(watched: Watched) -> None:
    verified(watched, "line 3 is missing")
    watched.alerts.check()
    verified(watched, None)
    watched.chat.ledger.clock.pass_seconds(60)
    watched.alerts.check()
    began, over = watched.messages()
    assert began.sentences[-1] == "This ended at 12:01 UTC."
    assert (began.tone, over.tone) == ("notice", "good")


def test_given_up_messages_are_reported_to_other_channels_with_the_commands(ledger: Ledger) -> None:
    watched = watch(ledger, fallback="mail")
    watched.end("other", "failed", "no_team")
    texts = {one.channel: text_of(watched.chat.compose(one)) for one in watched.chat.deliveries()}
    assert texts.keys() == {"chat", "mail"}
    assert (
        texts["mail"]
        == """\
Channel other: a message was given up

Readers of other have missed messages.
1 message was given up; reason of the latest: HTTP status 404.
`tagtrail notify status` shows details; `tagtrail notify retry --channel other` sends them again."""
    )


def test_a_channel_that_works_again_is_reported_once(ledger: Ledger) -> None:
    watched = watch(ledger, fallback="mail")
    watched.end("other", "failed", "no_team")
    watched.messages()
    assert watched.look() == []
    ledger.clock.pass_seconds(60)
    watched.end("other", "sent")
    watched.alerts.check()
    deliveries = watched.chat.deliveries()
    assert {one.channel for one in deliveries} == {"chat", "mail"}
    assert {watched.chat.compose(one).title for one in deliveries} == {"Channel other works again"}
    assert watched.look() == []


def test_a_broken_template_is_reported_with_its_error(ledger: Ledger) -> None:
    watched = watch(ledger)
    at = ledger.clock()
    watched.end("other", "sent", "template ops.j2, line 2: 'nobody' is undefined")
    with ledger.store.writing() as tx:
        delivery = Delivery(make_id(at), "other", "main/team/app", "x", "sent", at, at, at)
        DeliveryReports(watched.config.notify, clock=ledger.clock)(tx, "template", delivery)
    [text] = [text_of(message) for message in watched.messages()]
    assert text.startswith("Channel other: its template cannot be used\n\nError: template ops.j2, line 2: 'nobody'")


def test_alerts_are_recorded_also_without_a_route_for_them(ledger: Ledger) -> None:
    chat = open_chat(ledger)
    chat.hear(push("prod", "one", 0))
    config = Config(data=ledger.store.directory, registries=(RegistryConfig("main"),))
    ledger.clock.pass_seconds(2 * DAY)
    ServiceAlerts(ledger.store, config, clock=ledger.clock).check()
    assert ledger.rows("SELECT kind, subject, ended_at FROM troubles") == [("silent", "main", None)]
    assert chat.read() == []


def test_an_unavailable_channel_is_reported_to_others_and_so_is_its_return(ledger: Ledger) -> None:
    watched = watch(ledger, fallback="mail")
    absent = {"other": "the URL is gone", "mail": "the host is gone"}
    watched.alerts = ServiceAlerts(ledger.store, watched.config, find_unavailable=lambda: absent, clock=ledger.clock)
    watched.alerts.check()
    titles = {(one.channel, watched.chat.compose(one).title) for one in watched.chat.deliveries()}
    assert titles == {
        ("chat", "Channel other cannot be used"),
        ("mail", "Channel other cannot be used"),
        ("chat", "Channel mail cannot be used"),
    }
    ledger.clock.pass_seconds(HOUR)
    assert watched.look() == [], "once"
    absent.clear()
    texts = watched.look()
    assert "Channel other can be used again\n\nNothing was sent to it for 1 h, since 12:00 UTC." in texts
