"""The service's own troubles: told once when they begin, once when they are over, and in words that help."""

from dataclasses import dataclass

import pytest

from tagtrail.config.channels import ConsoleConfig
from tagtrail.config.model import Config, NotifyConfig, RegistryConfig, RouteConfig
from tagtrail.config.values import Duration
from tagtrail.ledger.lifecycle import record_start, record_stop
from tagtrail.notify.alerts import DeliveryReports, ServiceAlerts
from tagtrail.notify.message import Message
from tagtrail.store.leases import end_attempt
from tagtrail.store.outbox import SERVICE, Attempt, Delivery, add_delivery, make_id
from tagtrail.store.status import Verification, keep_verification
from tagtrail.trail.rules import Rules
from tests.command_line import DAY, HOUR
from tests.conftest import Ledger
from tests.events import push
from tests.telling import Chat, open_chat, text_of

CHANNELS = tuple(ConsoleConfig(name=name) for name in ("chat", "other", "mail"))


@dataclass
class Watched:
    """A ledger whose service is looked after, and the channel that is told of troubles."""

    chat: Chat
    troubles: ServiceAlerts
    config: Config

    def look(self) -> list[str]:
        """What a look has to tell, to whichever channels."""
        self.troubles.look()
        return [text_of(message) for message in self.messages()]

    def messages(self) -> list[Message]:
        return [self.chat.tell(one) for one in self.chat.deliveries() if one.subject == SERVICE]

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
    route = RouteConfig(("chat",), kinds=frozenset({"trouble"}))
    config = Config(
        data=ledger.store.directory,
        registries=tuple(map(RegistryConfig, registries)),
        notify=NotifyConfig(channels=CHANNELS, routes=(route,), silent_after=Duration(DAY), fallback=fallback),
    )
    return Watched(chat, ServiceAlerts(ledger.store, config, clock=ledger.clock), config)


@pytest.fixture
def watched(ledger: Ledger) -> Watched:
    watched = watch(ledger)
    watched.chat.hear(push("prod", "one", 0))
    return watched


def test_a_service_without_trouble_tells_nothing(watched: Watched) -> None:
    watched.chat.ledger.clock.pass_seconds(DAY)
    assert watched.look() == []


def test_a_silent_registry_is_told_once_and_once_when_it_is_heard_again(watched: Watched) -> None:
    watched.chat.ledger.clock.pass_seconds(DAY + 1)
    assert watched.look() == [
        """\
Registry main is silent

Nothing was heard of registry main since yesterday 12:00 UTC.
If it was in use, what happened there may be missing: a registry keeps events in memory only.
See whether it runs, reaches tagtrail and has the right token: `tagtrail registry-config`.
If nothing is pushed for so long, raise `notify.silent_after`."""
    ]
    watched.chat.ledger.clock.pass_seconds(DAY)
    assert watched.look() == []
    watched.chat.ledger.receive(push("prod", "one", 2 * DAY))
    assert watched.look() == [
        "Registry main is heard again\n\nIt had been silent for 2 days, from 2026-04-20 12:00 UTC to 12:00 UTC."
    ]
    assert watched.look() == []
    watched.chat.ledger.clock.pass_seconds(2 * DAY)
    assert [text.partition("\n")[0] for text in watched.look()] == ["Registry main is silent"]


def test_the_time_in_which_the_service_was_stopped_is_no_silence(watched: Watched) -> None:
    ledger = watched.chat.ledger
    ledger.clock.pass_seconds(HOUR)
    record_stop(ledger.recorder)
    ledger.clock.pass_seconds(3 * DAY)
    record_start(ledger.recorder, Rules())
    assert watched.look() == []
    ledger.clock.pass_seconds(DAY - HOUR + 1)
    assert [text.partition("\n")[0] for text in watched.look()] == ["Registry main is silent"]


def test_a_registry_that_is_no_longer_configured_is_no_trouble(watched: Watched) -> None:
    watched.chat.ledger.clock.pass_seconds(DAY + 1)
    watched.look()
    watched.troubles = watch(watched.chat.ledger, registries=("edge",)).troubles
    watched.chat.ledger.clock.now += 2 * int(DAY) * 10**9
    assert watched.look() == []


def test_a_growing_quarantine_is_told_once_and_once_when_it_grows_no_more(watched: Watched) -> None:
    ledger = watched.chat.ledger
    ledger.receive_body(b'{"events": [{"id": "nothing"}]}')
    (seq,) = ledger.rows("SELECT max(seq) FROM quarantine")[0]
    watched.troubles.look()
    [message] = watched.messages()
    assert (
        text_of(message)
        == """\
Registry main: the quarantine grows

It sends what cannot be understood: 1 event within a day, the first at 12:00 UTC.
It is kept, but is no part of the trail; `tagtrail quarantine` shows what it is and why."""
    )
    assert (message.lines, message.registry, message.tone) == ((seq,), "main", "warning")
    ledger.clock.pass_seconds(HOUR / 2)
    ledger.receive_body(b'{"events": [{"id": "nothing either"}]}')
    ledger.clock.pass_seconds(HOUR - 1)
    assert watched.look() == []
    ledger.clock.pass_seconds(2)
    assert [text.partition("\n")[0] for text in watched.look()] == ["Registry main: the quarantine grows no more"]
    assert watched.look() == []
    ledger.receive_body(b'{"events": [{"id": "nothing at all"}]}')
    assert [text.partition("\n")[0] for text in watched.look()] == ["Registry main: the quarantine grows"]


def verified(watched: Watched, trouble: str | None) -> None:
    with watched.chat.ledger.store.writing() as tx:
        keep_verification(tx, Verification(watched.chat.ledger.clock(), 4, trouble))


def test_a_failed_verification_is_an_alarm(watched: Watched) -> None:
    verified(watched, "line 3 is not what its hash says")
    watched.troubles.look()
    [message] = watched.messages()
    assert message.tone == "alarm"
    assert (
        text_of(message)
        == """\
The ledger is not what was signed

Verifying the whole ledger failed at 12:00 UTC: line 3 is not what its hash says.
Something changed what must never change, or the disk lost it.
Keep a copy of the data directory as it is now, and look into it: `tagtrail log verify`."""
    )
    watched.chat.ledger.clock.pass_seconds(3_600)
    verified(watched, "line 3 is not what its hash says")
    assert watched.look() == []
    verified(watched, None)
    assert watched.look() == [
        """\
The ledger is what was signed

Verifying the whole ledger found nothing wrong at 13:00 UTC, after it had failed since 12:00 UTC."""
    ]


def test_a_trouble_that_was_over_before_it_was_told_says_so(watched: Watched) -> None:
    verified(watched, "line 3 is missing")
    watched.troubles.look()
    verified(watched, None)
    watched.chat.ledger.clock.pass_seconds(60)
    watched.troubles.look()
    began, over = watched.messages()
    assert began.sentences[-1] == "It has been over since 12:01 UTC."
    assert (began.tone, over.tone) == ("notice", "good")


def test_what_was_given_up_is_told_elsewhere_with_what_to_type(ledger: Ledger) -> None:
    watched = watch(ledger, fallback="mail")
    watched.end("other", "failed", "no_team")
    told = {one.channel: text_of(watched.chat.tell(one)) for one in watched.chat.deliveries()}
    assert told.keys() == {"chat", "mail"}
    assert (
        told["mail"]
        == """\
Channel other: a message was given up

Whoever reads other was not told what they should have been told.
1 message was given up; the newest because of: HTTP status 404.
`tagtrail notify status` shows how it is; `tagtrail notify retry --channel other` tries them once more."""
    )


def test_a_channel_that_takes_messages_again_is_told_once(ledger: Ledger) -> None:
    watched = watch(ledger, fallback="mail")
    watched.end("other", "failed", "no_team")
    watched.messages()
    assert watched.look() == []
    ledger.clock.pass_seconds(60)
    watched.end("other", "sent")
    watched.troubles.look()
    told = watched.chat.deliveries()
    assert {one.channel for one in told} == {"chat", "mail"}
    assert {watched.chat.tell(one).title for one in told} == {"Channel other is reached again"}
    assert watched.look() == []


def test_a_broken_template_is_told_with_what_is_wrong(ledger: Ledger) -> None:
    watched = watch(ledger)
    at = ledger.clock()
    watched.end("other", "sent", "template ops.j2, line 2: 'nobody' is undefined")
    with ledger.store.writing() as tx:
        delivery = Delivery(make_id(at), "other", "main/team/app", "x", "sent", at, at, at)
        DeliveryReports(watched.config.notify, clock=ledger.clock)(tx, "template", delivery)
    [text] = [text_of(message) for message in watched.messages()]
    assert text.startswith("Channel other: its template cannot be used\n\nIt says: template ops.j2, line 2: 'nobody'")


def test_where_no_route_wants_troubles_they_are_known_all_the_same(ledger: Ledger) -> None:
    chat = open_chat(ledger)
    chat.hear(push("prod", "one", 0))
    config = Config(data=ledger.store.directory, registries=(RegistryConfig("main"),))
    ledger.clock.pass_seconds(2 * DAY)
    ServiceAlerts(ledger.store, config, clock=ledger.clock).look()
    assert ledger.rows("SELECT kind, subject, ended_at FROM troubles") == [("silent", "main", None)]
    assert chat.read() == []


def test_a_channel_that_cannot_be_used_is_told_to_others_and_when_it_can_again(ledger: Ledger) -> None:
    watched = watch(ledger, fallback="mail")
    absent = {"other": "the URL is gone", "mail": "the host is gone"}
    watched.troubles = ServiceAlerts(ledger.store, watched.config, find_unavailable=lambda: absent, clock=ledger.clock)
    watched.troubles.look()
    told = {(one.channel, watched.chat.tell(one).title) for one in watched.chat.deliveries()}
    assert told == {
        ("chat", "Channel other cannot be used"),
        ("mail", "Channel other cannot be used"),
        ("chat", "Channel mail cannot be used"),
    }
    ledger.clock.pass_seconds(HOUR)
    assert watched.look() == [], "once"
    absent.clear()
    texts = watched.look()
    assert "Channel other can be used again\n\nNothing had been sent to it for 1 h, since 12:00 UTC." in texts
