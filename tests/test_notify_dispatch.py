"""Delivering: at least once under one id, in order, whatever the channels, the clock and the processes do."""

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tagtrail.config.channels import WebhookConfig
from tagtrail.config.model import Config, RouteConfig
from tagtrail.config.secrets import SecretUrl, SigningSecret
from tagtrail.errors import ConfigurationError
from tagtrail.ledger.erase import erase, find_holdings
from tagtrail.notify import http as sending
from tagtrail.notify.channels import find_unavailable, make_channels
from tagtrail.notify.dispatcher import Dispatcher, make_workers
from tagtrail.notify.leader import has_no_leader, leader_lock
from tagtrail.notify.worker import LEASE, LONGEST_WAIT, backoff
from tagtrail.store.database import Store
from tagtrail.store.leases import release_claims
from tagtrail.store.outbox import retry
from tagtrail.trail.instant import SECOND
from tests.chat import ChatRoom, Reply
from tests.conftest import Ledger
from tests.dispatching import SECRET, Notifier, make_notifier, slack
from tests.events import delete_tag, digest_of, push
from tests.real import eventually

DOWN = Reply(500, b"down")
HOUR = 3_600.0


@pytest.fixture
def room(chat_room: ChatRoom) -> ChatRoom:
    return chat_room


def texts(room: ChatRoom) -> list[str]:
    return [request.json["text"] for request in room.requests]


# One delivery


def test_a_move_becomes_one_message(ledger: Ledger, room: ChatRoom) -> None:
    it = make_notifier(ledger, [slack(room)])
    ledger.receive(push("prod", "one", 1))
    assert it.run() == 1
    assert it.states() == ["sent"]
    [text] = texts(room)
    assert "prod" in text
    assert it.run() == 0


def test_after_500_twice_it_is_tried_again_later_each_time_under_the_same_id(ledger: Ledger, room: ChatRoom) -> None:
    secret = SigningSecret("whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0")
    hook = WebhookConfig(name="ops", url=SecretUrl(room.url), secret=secret)
    it = make_notifier(ledger, [hook])
    room.will(DOWN, DOWN)
    ledger.receive(push("prod", "one", 1))
    assert it.run() == 1
    it.clock.pass_seconds(4.9)
    assert it.run() == 0
    it.clock.pass_seconds(0.1)
    assert it.run() == 1
    it.clock.pass_seconds(9.9)
    assert it.run() == 0
    it.clock.pass_seconds(0.1)
    assert it.run() == 1
    [delivery] = it.deliveries()
    assert delivery.state == "sent"
    assert [(each.outcome, each.status) for each in it.attempts(delivery)] == [
        ("postponed", 500),
        ("postponed", 500),
        ("sent", 200),
    ]
    assert {request.headers["webhook-id"] for request in room.requests} == {delivery.id}


def test_retry_after_is_honoured_and_holds_back_the_whole_channel(ledger: Ledger, room: ChatRoom) -> None:
    it = make_notifier(ledger, [slack(room)])
    room.will(Reply(429, b"slow down", {"Retry-After": "30"}))
    ledger.receive(push("prod", "one", 1), push("prod", "two", 2, repository="team/web"))
    assert it.run() == 1
    it.clock.pass_seconds(29.9)
    assert it.run() == 0, "not even the other repository's"
    it.clock.pass_seconds(0.1)
    assert it.run() == 2
    assert it.states() == ["sent", "sent"]


def test_a_retry_after_of_more_than_an_hour_is_cut_to_an_hour(ledger: Ledger, room: ChatRoom) -> None:
    it = make_notifier(ledger, [slack(room)])
    room.will(Reply(503, b"", {"Retry-After": "86400"}))
    ledger.receive(push("prod", "one", 1))
    it.run()
    it.clock.pass_seconds(HOUR)
    it.run()
    assert it.states() == ["sent"]


def test_a_server_that_closes_after_reading_gets_it_again_under_the_same_id(ledger: Ledger, room: ChatRoom) -> None:
    secret = SigningSecret("whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0")
    hook = WebhookConfig(name="ops", url=SecretUrl(room.url), secret=secret)
    it = make_notifier(ledger, [hook])
    room.will(Reply(mode="close"))
    ledger.receive(push("prod", "one", 1))
    it.run_until_quiet()
    first, second = room.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.json["id"] == second.json["id"]


@pytest.mark.parametrize("status", [400, 401, 404, 410])
def test_what_is_refused_for_good_is_given_up_at_once(ledger: Ledger, room: ChatRoom, status: int) -> None:
    it = make_notifier(ledger, [slack(room)])
    room.will(Reply(status, b"no_service"))
    ledger.receive(push("prod", "one", 1), push("prod", "two", 2, repository="team/web"))
    assert it.run() == 2
    assert it.states() == ["failed", "sent"]


def test_a_channel_that_refuses_for_an_hour_is_tried_at_most_every_ten_minutes(ledger: Ledger, room: ChatRoom) -> None:
    it = make_notifier(ledger, [slack(room)])
    room.otherwise = DOWN
    ledger.receive(push("prod", "one", 1))
    began = it.clock()
    while it.clock() < began + HOUR * SECOND:
        it.run()
        next_time = it.workers["ops"].next_time()
        assert next_time is not None
        assert next_time - it.clock() <= LONGEST_WAIT * SECOND
        it.clock.now = next_time
    room.otherwise = Reply()
    it.run()
    [delivery] = it.deliveries()
    assert delivery.state == "sent"
    assert delivery.attempts <= 14


def test_after_a_day_a_delivery_is_given_up_and_reported_once_to_the_fallback(ledger: Ledger, room: ChatRoom) -> None:
    it = make_notifier(ledger, [slack(room), slack(room, "fallback")], fallback="fallback")
    room.otherwise = DOWN
    for second in range(5):
        ledger.receive(push("prod", f"image {second}", second, repository=f"team/app{second}"))
    it.run_until_quiet()
    assert set(it.states("ops")) == {"failed"}
    room.otherwise = Reply()
    room.requests.clear()
    it.run("fallback")
    [text] = texts(room)
    assert "ops" in text
    assert it.states("fallback") == ["sent"]


def test_a_report_that_fails_is_not_reported(ledger: Ledger, room: ChatRoom) -> None:
    routes = [RouteConfig(("ops", "fallback"))]
    it = make_notifier(ledger, [slack(room), slack(room, "fallback")], routes=routes, fallback="fallback")
    room.otherwise = Reply(404, b"gone")
    ledger.receive(push("prod", "one", 1))
    for _ in range(20):
        it.run("ops")
        it.run("fallback")
        it.clock.pass_seconds(2 * HOUR)
    assert len(it.deliveries()) <= 5, "no circle"
    assert "waiting" not in it.states()


def test_what_was_given_up_can_be_tried_again(ledger: Ledger, room: ChatRoom) -> None:
    it = make_notifier(ledger, [slack(room)])
    room.will(Reply(404, b"gone"))
    ledger.receive(push("prod", "one", 1))
    it.run()
    [delivery] = it.deliveries()
    with it.store.writing() as tx:
        assert retry(tx, at=it.clock(), delivery=delivery.id) == [delivery.id]
    it.run()
    assert it.states() == ["sent"]


# Many


def test_a_dead_channel_delays_no_other(ledger: Ledger, room: ChatRoom) -> None:
    it = make_notifier(ledger, [slack(room, "dead"), slack(room, "live")], routes=[RouteConfig(("dead", "live"))])
    silent = ChatRoom()
    silent.otherwise = Reply(mode="hang")
    try:
        it = make_notifier(ledger, [slack(silent, "dead"), slack(room, "live")], routes=[RouteConfig(("dead", "live"))])
        with running(it):
            for second in range(1, 6):
                ledger.receive(push("prod", f"image {second}", second))
                room.wait_for(second)
            assert len(silent.wait_for(1)) == 1
    finally:
        silent.close()


def test_a_channel_that_cannot_be_made_delays_no_other_and_needs_no_restart(ledger: Ledger, room: ChatRoom) -> None:
    channels = [slack(room, "gone"), slack(room, "live")]
    it = make_notifier(ledger, channels, routes=[RouteConfig(("gone", "live"), tag="prod")])
    reason = "url of the channel 'gone' cannot be read; `tagtrail check` says why"
    missing = replace(channels[0], url=SecretUrl("", is_missing=True))
    config = replace(it.config, notify=replace(it.config.notify, channels=(missing, channels[1])))
    read = [config]
    with pytest.raises(ConfigurationError, match="url of the channel 'gone' cannot be read"):
        make_channels(config)

    def reread() -> Config:
        if not read:
            raise ConfigurationError(f"it says {SECRET}")
        return read[0]

    made = make_channels(config, reread)
    workers = make_workers(config, it.store, channels=made, clock=it.clock, random=lambda: 1.0)
    it.workers = {worker.name: worker for worker in workers}
    ledger.receive(push("prod", "one", 1))
    assert (it.run("gone"), it.run("live")) == (1, 1)
    assert (it.states("gone"), it.states("live")) == (["waiting"], ["sent"])
    assert it.attempts(it.deliveries("gone")[0])[0].detail == reason
    assert find_unavailable(made) == {"gone": reason}
    read.clear()  # and the whole file is broken
    assert find_unavailable(made) == {"gone": "the configuration cannot be read; `tagtrail check` says why"}
    read.append(it.config)
    assert find_unavailable(made) == {}
    it.run_until_quiet("gone")
    assert it.states("gone") == ["sent"]


def test_order_is_kept_within_a_repository_while_others_go_on(ledger: Ledger, room: ChatRoom) -> None:
    it = make_notifier(ledger, [slack(room)])
    room.will(DOWN)
    ledger.receive(push("prod", "one", 1), push("prod", "two", 2), delete_tag("prod", 3))
    it.run_until_quiet()
    assert it.states() == ["sent", "sent", "sent"]
    assert [min(it.lines(each)) for each in sorted(it.deliveries(), key=lambda each: each.finished_at or 0)] == sorted(
        min(it.lines(each)) for each in it.deliveries()
    )


def test_5000_moves_to_a_channel_that_is_down_become_a_few_messages(ledger: Ledger, room: ChatRoom) -> None:
    it = make_notifier(ledger, [slack(room)])
    room.otherwise = DOWN
    for round_ in range(50):
        ledger.receive_body(
            envelope_of(
                push("prod", f"{round_} {app}", round_ * 100 + app, repository=f"team/app{app}") for app in range(100)
            )
        )
        it.run()
        it.clock.pass_seconds(60)
    down = len(room.requests)
    room.otherwise = Reply()
    room.requests.clear()
    it.run_until_quiet()
    assert set(it.states()) <= {"sent", "merged"}
    assert down <= 50, "no more than one try at a time"
    assert len(room.requests) <= 30
    for app in range(100):
        assert last_told(it, f"team/app{app}") == digest_of(f"49 {app}")


def last_told(it: Notifier, repository: str) -> str | None:
    """The digest of the youngest line about the repository that a message rests on."""
    sent = {seq for each in it.deliveries() if each.state == "sent" for seq in it.lines(each)}
    rows = it.ledger.rows("SELECT seq, line FROM lines ORDER BY seq DESC")
    lines = (json.loads(line) for seq, line in rows if seq in sent)
    return next((line["digest"] for line in lines if line["repository"] == repository), None)


def envelope_of(events: Any) -> bytes:
    return json.dumps({"events": [event.as_dict() for event in events]}).encode()


def test_of_two_dispatchers_at_once_each_delivery_is_sent_by_one(ledger: Ledger, room: ChatRoom) -> None:
    it = make_notifier(ledger, [slack(room, burst=1_000)])
    for second in range(60):
        ledger.receive(push("prod", f"image {second}", second, repository=f"team/app{second}"))
    threads = [threading.Thread(target=run_to_the_end, args=(it,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert it.states() == ["sent"] * 60
    assert len(room.requests) == 60
    assert all(delivery.attempts == 1 for delivery in it.deliveries())


def run_to_the_end(it: Notifier) -> None:
    """As a process of its own would, with a store of its own."""
    store = Store(it.store.directory)
    [worker] = make_workers(it.config, store, channels=make_channels(it.config), clock=it.clock, random=lambda: 1.0)
    while worker.deliver():
        pass
    store.close()


def test_a_killed_dispatchers_delivery_is_taken_over_when_its_lease_is_over(ledger: Ledger, room: ChatRoom) -> None:
    it = make_notifier(ledger, [slack(room)])
    ledger.receive(push("prod", "one", 1))
    kill_after_claiming(it)
    assert it.run() == 0
    it.clock.pass_seconds(LEASE / SECOND)
    assert it.run() == 1
    [delivery] = it.deliveries()
    assert (delivery.state, delivery.attempts) == ("sent", 2)


def test_the_holder_of_the_leader_lock_need_not_wait_for_a_lease(ledger: Ledger, room: ChatRoom) -> None:
    it = make_notifier(ledger, [slack(room)])
    ledger.receive(push("prod", "one", 1))
    kill_after_claiming(it)
    with it.store.writing() as tx:
        assert release_claims(tx) == 1
    assert it.run() == 1


def kill_after_claiming(it: Notifier) -> None:
    """A worker that dies between its claim and its message."""
    from tagtrail.store.leases import claim

    with it.store.writing() as tx:
        assert claim(tx, "ops", now=it.clock(), lease_until=it.clock() + LEASE, burst=10) is not None


# What must not happen


def test_a_message_that_a_channel_chokes_on_holds_up_no_other(ledger: Ledger, room: ChatRoom) -> None:
    it = make_notifier(ledger, [slack(room)])
    ledger.receive(push("prod", "one", 1), push("prod", "two", 2, repository="team/web"))
    for _ in range(60):
        room.otherwise = DOWN if "web" not in (texts(room) or [""])[-1] else Reply()
        it.run()
        it.clock.pass_seconds(5)
    assert "web" in "".join(texts(room)), "it was tried within minutes"


def test_a_message_that_cannot_be_made_stops_no_other(ledger: Ledger, room: ChatRoom) -> None:
    it = make_notifier(ledger, [slack(room)])
    ledger.receive(push("prod", "one", 1), push("prod", "two", 2, repository="team/web"))
    tell = it.workers["ops"]._compose

    def broken(delivery: Any, config: Any) -> Any:
        if delivery.subject.endswith("team/app"):
            raise KeyError("a secret word")
        return tell(delivery, config)

    it.workers["ops"]._compose = broken
    it.run()
    first, second = it.deliveries()
    assert (first.state, second.state) == ("waiting", "sent")
    assert "KeyError" in it.attempts(first)[0].detail
    assert "secret word" not in it.attempts(first)[0].detail


def test_a_broken_template_reports_itself_and_the_message_comes_in_the_plain_form(
    ledger: Ledger, room: ChatRoom, tmp_path: Path
) -> None:
    template = tmp_path / "ops.j2"
    template.write_text("{{ nonsense }}")
    it = make_notifier(ledger, [slack(room, template=template), slack(room, "fallback")], fallback="fallback")
    ledger.receive(push("prod", "one", 1))
    it.run()
    [text] = texts(room)
    assert "prod" in text
    [delivery] = it.deliveries("ops")
    assert delivery.state == "sent"
    assert "ops.j2" in it.attempts(delivery)[0].detail
    it.run("fallback")
    assert "ops.j2" in texts(room)[1]


def test_secrets_are_nowhere(ledger: Ledger, room: ChatRoom, caplog: pytest.LogCaptureFixture) -> None:
    it = make_notifier(ledger, [slack(room), slack(room, "fallback")], fallback="fallback")
    echo = Reply(400, f"no such hook: /services/ops/{SECRET}".encode())
    room.will(DOWN, echo)
    caplog.set_level("DEBUG")
    ledger.receive(push("prod", "one", 1))
    it.run_until_quiet()
    it.run_until_quiet("fallback")
    assert it.states("ops") == ["failed"]
    assert SECRET not in caplog.text
    assert SECRET not in dump(it)
    assert all(SECRET not in text for text in texts(room))


def dump(it: Notifier) -> str:
    tables = [name for (name,) in it.ledger.rows("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return "\n".join(repr(row) for table in tables for row in it.ledger.rows(f'SELECT * FROM "{table}"'))


def test_an_erased_actor_is_in_no_delivery_row(ledger: Ledger, room: ChatRoom) -> None:
    it = make_notifier(ledger, [slack(room, identities=True)])
    room.will(Reply(500, b"cannot post: pushed by Dorothea Gale"))
    ledger.receive(push("prod", "one", 1, actor="Dorothea Gale"))
    it.run_until_quiet()
    assert any("Dorothea Gale" in text for text in texts(room))
    erase(ledger.recorder, find_holdings(it.store, "Dorothea Gale"), reason="case 1")
    assert "Dorothea" not in dump(it)


def test_a_broken_clock_or_disk_does_not_end_the_dispatcher(ledger: Ledger, room: ChatRoom) -> None:
    it = make_notifier(ledger, [slack(room)])
    with running(it):
        ledger.receive(push("prod", "one", 1))
        room.wait_for(1)
        it.clock.pass_seconds(-3_600)
        ledger.receive(push("prod", "two", 2))
        room.wait_for(2)


# The dispatcher itself


class running:  # noqa: N801 - a context
    """A dispatcher in threads of this process, until the end of the block."""

    def __init__(self, it: Notifier) -> None:
        self._over = threading.Event()
        dispatcher = Dispatcher(it.store, it.make_workers(), tasks=[], clock=it.clock)
        self._thread = threading.Thread(target=dispatcher.run, args=(self._over.is_set,))

    def __enter__(self) -> "running":
        self._thread.start()
        return self

    def stop(self) -> float:
        """Stop it; the seconds that took."""
        began = time.monotonic()
        self._over.set()
        self._thread.join(40)
        assert not self._thread.is_alive()
        return time.monotonic() - began

    def __exit__(self, *_: object) -> None:
        self.stop()


def test_it_wakes_for_what_is_written(ledger: Ledger, room: ChatRoom) -> None:
    it = make_notifier(ledger, [slack(room)])
    with running(it):
        for count in range(1, 4):
            ledger.receive(push("prod", f"image {count}", count))
            room.wait_for(count)
    eventually(lambda: it.states() == ["sent"] * 3, "what was sent is written down")


def test_a_failing_task_does_not_stop_the_others(ledger: Ledger) -> None:
    looks = threading.Semaphore(0)

    def look() -> None:
        looks.release()

    def fail() -> None:
        raise OSError("the disk is away")

    over = threading.Event()
    dispatcher = Dispatcher(ledger.store, [], tasks=[fail, look], clock=ledger.clock, interval=0.01)
    thread = threading.Thread(target=dispatcher.run, args=(over.is_set,))
    thread.start()
    try:
        assert all(looks.acquire(timeout=40) for _ in range(3))
    finally:
        over.set()
        thread.join(40)


def test_it_stops_soon_though_a_channel_hangs(ledger: Ledger, room: ChatRoom) -> None:
    it = make_notifier(ledger, [slack(room)])
    room.otherwise = Reply(mode="hang")
    dispatcher = running(it)
    with dispatcher:
        ledger.receive(push("prod", "one", 1))
        room.wait_for(1)
        assert dispatcher.stop() < sending.READ_TIMEOUT / 2, "the channel has ten seconds to answer"
    assert it.states() == ["sending"], "it is sent again by the next one"


def test_one_process_holds_the_leader_lock(tmp_path: Path) -> None:
    assert has_no_leader(tmp_path)
    with leader_lock(tmp_path) as ours, leader_lock(tmp_path) as others:
        assert (ours, others) == (True, False)
        assert not has_no_leader(tmp_path)
    assert has_no_leader(tmp_path)


def test_waits_grow_to_ten_minutes_with_full_jitter() -> None:
    assert [backoff(n, random=lambda: 1.0) for n in (1, 2, 3, 8, 9, 1_000)] == [5, 10, 20, 600, 600, 600]
    assert backoff(3, random=lambda: 0.0) == 0
    assert backoff(3, random=lambda: 0.0, retry_after=7) == 7
    assert backoff(1, random=lambda: 0.0, retry_after=10**9) == 3_600
