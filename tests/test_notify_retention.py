"""The outbox kept in bounds: what leaves it and when, and what stays."""

from msgspec.structs import replace

from tagtrail.config.model import RouteConfig
from tagtrail.notify.alerts import DeliveryReports
from tagtrail.notify.retention import KEPT_FAILED, KEPT_SENT, Retention
from tagtrail.store.leases import claim, drop
from tagtrail.store.outbox import get_channel_state, retry
from tagtrail.trail.instant import DAY, SECOND
from tests.chat import ChatRoom, Reply
from tests.conftest import Ledger
from tests.dispatching import Notifier, make_notifier, slack
from tests.events import push

DAY_SECONDS = DAY / SECOND


def clear(it: Notifier) -> None:
    """As the dispatcher does it, when it looks for the first time."""
    Retention(
        it.store, it.config.notify, report=DeliveryReports(it.config.notify, clock=it.clock), clock=it.clock
    ).run()


def count(it: Notifier, table: str) -> int:
    return int(it.ledger.rows(f"SELECT count(*) FROM {table}")[0][0])


def test_what_was_sent_leaves_after_a_month_but_for_the_last_of_its_channel(
    ledger: Ledger, chat_room: ChatRoom
) -> None:
    it = make_notifier(ledger, [slack(chat_room)])
    for second in range(3):
        ledger.receive(push("prod", f"image {second}", second))
        it.run()
        it.clock.pass_seconds(1)
    last = get_channel_state(it.store.reader(), "ops").last_sent_at
    it.clock.pass_seconds(KEPT_SENT / SECOND - 60)
    clear(it)
    assert it.states() == ["sent"] * 3
    it.clock.pass_seconds(120)
    clear(it)
    assert it.states() == ["sent"]
    assert get_channel_state(it.store.reader(), "ops").last_sent_at == last
    assert (count(it, "attempts"), count(it, "delivery_lines")) == (1, 1)


def test_what_was_given_up_stays_for_three_months(ledger: Ledger, chat_room: ChatRoom) -> None:
    it = make_notifier(ledger, [slack(chat_room)])
    chat_room.will(Reply(404, b"gone"))
    ledger.receive(push("prod", "one", 1))
    it.run()
    it.clock.pass_seconds(KEPT_FAILED / SECOND - 60)
    clear(it)
    assert it.states() == ["failed"]
    it.clock.pass_seconds(120)
    clear(it)
    assert it.deliveries() == []
    assert count(it, "attempts") == 0


def test_what_was_merged_leaves_with_its_summary_and_not_before(ledger: Ledger, chat_room: ChatRoom) -> None:
    it = make_notifier(ledger, [slack(chat_room, burst=1)])
    chat_room.will(Reply(404, b"gone"))
    for at in range(600):
        ledger.receive(push("prod", f"image {at}", at, repository=f"team/app{at}"))
    it.run()
    assert sorted(it.states()) == ["failed"] + ["merged"] * 600
    it.clock.pass_seconds(KEPT_SENT / SECOND + 60)
    clear(it)
    assert len(it.deliveries()) == 601, "it may still be tried again, and then tells of them"
    it.clock.pass_seconds(KEPT_FAILED / SECOND)
    clear(it)
    assert it.deliveries() == []
    assert count(it, "delivery_lines") == 0


def test_what_waits_never_leaves_by_itself(ledger: Ledger, chat_room: ChatRoom) -> None:
    it = make_notifier(ledger, [slack(chat_room)])
    ledger.receive(push("prod", "one", 1))
    it.clock.pass_seconds(400 * DAY_SECONDS)
    clear(it)
    assert it.states() == ["waiting"]


def test_it_looks_once_in_an_hour(ledger: Ledger, chat_room: ChatRoom) -> None:
    it = make_notifier(ledger, [slack(chat_room)])
    chat_room.will(Reply(404, b"gone"))
    ledger.receive(push("prod", "one", 1))
    it.run()
    it.clock.pass_seconds(KEPT_FAILED / SECOND - 1_800)
    retention = Retention(
        it.store, it.config.notify, report=DeliveryReports(it.config.notify, clock=it.clock), clock=it.clock
    )
    retention.run()
    it.clock.pass_seconds(3_599)
    retention.run()
    assert it.states() == ["failed"]
    it.clock.pass_seconds(1)
    retention.run()
    assert it.states() == []


def renamed(it: Notifier, chat_room: ChatRoom) -> Notifier:
    """The same ledger after its channel `ops` was taken out of the configuration."""
    notify = replace(
        it.config.notify, channels=(slack(chat_room, "chat"),), routes=(RouteConfig(("chat",)),), fallback="chat"
    )
    return Notifier(it.ledger, replace(it.config, notify=notify))


def test_deliveries_of_a_removed_channel_are_given_up_after_a_day_and_reported(
    ledger: Ledger, chat_room: ChatRoom
) -> None:
    it = make_notifier(ledger, [slack(chat_room)])
    for second in range(3):
        ledger.receive(push("prod", f"image {second}", second))
    it = renamed(it, chat_room)
    it.clock.pass_seconds(DAY_SECONDS - 60)
    clear(it)
    assert it.states("ops") == ["waiting"] * 3, "its name may come back"
    it.clock.pass_seconds(120)
    clear(it)
    assert it.states("ops") == ["failed"] * 3
    assert it.attempts(it.deliveries("ops")[0])[0].detail == "no channel of this name is configured"
    it.run("chat")
    [request] = chat_room.requests
    assert "Channel ops: a message was given up" in request.json["text"]
    assert "3 messages were given up" in request.json["text"]


def test_a_name_that_comes_back_is_sent_what_was_given_up_if_somebody_says_so(
    ledger: Ledger, chat_room: ChatRoom
) -> None:
    it = make_notifier(ledger, [slack(chat_room)])
    ledger.receive(push("prod", "one", 1))
    it.clock.pass_seconds(2 * DAY_SECONDS)
    clear(renamed(it, chat_room))
    with it.store.writing() as tx:
        assert len(retry(tx, at=it.clock(), channel="ops")) == 1
    assert it.run() == 1
    assert it.states("ops") == ["sent"]


def test_a_dropped_delivery_is_never_sent_and_others_stay(ledger: Ledger, chat_room: ChatRoom) -> None:
    it = make_notifier(
        ledger, [slack(chat_room), slack(chat_room, "other")], routes=[RouteConfig(("ops", "other"), tag="prod")]
    )
    chat_room.will(Reply(), Reply(404, b"gone"))
    for second in range(3):
        ledger.receive(push("prod", f"image {second}", second))
        if second < 2:
            it.run()
    assert it.states("ops") == ["sent", "failed", "waiting"]
    lines = ledger.rows("SELECT seq, line FROM lines")
    with it.store.writing() as tx:
        assert len(drop(tx, at=it.clock(), channel="ops")) == 2
        [waiting, *_] = it.deliveries("other")
        assert drop(tx, at=it.clock(), delivery=waiting.id) == [waiting.id]
    assert (it.states("ops"), it.states("other")) == (["sent"], ["waiting"] * 2)
    assert count(it, "delivery_lines") == 3
    assert ledger.rows("SELECT seq, line FROM lines") == lines
    assert it.run() == 0


def test_a_dropped_summary_takes_along_what_was_merged_into_it(ledger: Ledger, chat_room: ChatRoom) -> None:
    it = make_notifier(ledger, [slack(chat_room, burst=1)])
    chat_room.will(Reply(404, b"gone"))
    ledger.receive(push("prod", "one", 1), push("prod", "two", 2, repository="team/web"))
    it.run()
    with it.store.writing() as tx:
        assert len(drop(tx, at=it.clock(), channel="ops")) == 1
    assert (it.deliveries(), count(it, "delivery_lines"), count(it, "attempts")) == ([], 0, 0)


def test_what_is_being_sent_is_dropped_only_when_its_lease_is_over(ledger: Ledger, chat_room: ChatRoom) -> None:
    it = make_notifier(ledger, [slack(chat_room)])
    ledger.receive(push("prod", "one", 1))
    with it.store.writing() as tx:
        assert claim(tx, "ops", now=it.clock(), lease_until=it.clock() + SECOND, burst=10) is not None
        assert drop(tx, at=it.clock(), channel="ops") == []
        assert len(drop(tx, at=it.clock() + 2 * SECOND, channel="ops")) == 1
