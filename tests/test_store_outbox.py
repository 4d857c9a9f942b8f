"""The outbox: claiming, leases, order, retries, and the merging of a burst; with real threads and processes."""

import multiprocessing
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from tagtrail.store import outbox
from tagtrail.store.database import Store
from tagtrail.store.leases import claim, end_attempt, get_next_time
from tagtrail.store.outbox import SERVICE, SUMMARY, Attempt, Delivery, add_delivery, find_lines, get_delivery, make_id
from tagtrail.trail.instant import MICROSECOND, SECOND
from tests.conftest import Clock

MINUTE = 60 * SECOND
NEVER_MERGED = 10_000


class Box:
    """The outbox of a store, used as by one dispatcher."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store = store
        self.clock = clock
        self._made = 0

    def add(
        self, subject: str = "main/team/app", *, channel: str = "ops", seq: int = 0, due_in: float = 0, tried: int = 0
    ) -> str:
        """Add a delivery, each younger than the one before it."""
        self._made += 1
        made_at = self.clock() + self._made * MICROSECOND
        due_at = self.clock() + int(due_in * SECOND)
        delivery = Delivery(
            make_id(made_at), channel, subject, f"line {seq}", "waiting", made_at, due_at, due_at, attempts=tried
        )
        with self.store.writing() as tx:
            add_delivery(tx, delivery, lines=[seq])
        return delivery.id

    def claim(self, channel: str = "ops", *, burst: int = NEVER_MERGED) -> Delivery | None:
        """Claim for a minute."""
        with self.store.writing() as tx:
            return claim(tx, channel, now=self.clock(), lease_until=self.clock() + MINUTE, burst=burst)

    def claim_id(self, channel: str = "ops") -> str | None:
        """Claim for a minute; which one it was."""
        claimed = self.claim(channel)
        return claimed.id if claimed else None

    def end(self, claimed: Delivery, outcome: str, *, again_in: float | None = None) -> bool:
        """The claimed attempt is over."""
        attempt = Attempt(claimed.id, claimed.attempts, self.clock(), outcome, "told", 200)  # type: ignore[arg-type]
        not_before = None if again_in is None else self.clock() + int(again_in * SECOND)
        with self.store.writing() as tx:
            return end_attempt(tx, attempt, not_before=not_before)

    def get(self, delivery: str) -> Delivery:
        """The delivery as it stands."""
        found = get_delivery(self.store.reader(), delivery)
        assert found is not None
        return found

    def next_time(self, channel: str = "ops") -> int | None:
        """When there will be something to claim."""
        return get_next_time(self.store.reader(), channel)


@pytest.fixture
def box(store: Store, clock: Clock) -> Iterator[Box]:
    yield Box(store, clock)
    store.close()


# Ids


def test_ids_are_uuids_of_version_7_that_sort_by_their_microsecond() -> None:
    ids = [make_id(at * MICROSECOND) for at in range(1_700_000_000_000_000, 1_700_000_000_003_000)]
    assert ids == sorted(ids)
    parsed = UUID(ids[0].removeprefix("msg_"))
    assert (parsed.version, parsed.variant, parsed.int >> 80) == (7, "specified in RFC 4122", 1_700_000_000_000)
    assert make_id(5) != make_id(5)


# Claiming


def test_what_is_due_is_claimed_once(box: Box) -> None:
    delivery = box.add(seq=7)
    claimed = box.claim()
    assert claimed is not None
    assert (claimed.id, claimed.state, claimed.attempts, claimed.lease_until) == (
        delivery, "sending", 1, box.clock() + MINUTE,
    )  # fmt: skip
    assert box.claim() is None
    assert find_lines(box.store.reader(), delivery) == (7,)


def test_what_is_not_due_waits(box: Box) -> None:
    delivery = box.add(due_in=3)
    assert box.claim() is None
    assert box.next_time() == box.clock() + 3 * SECOND
    box.clock.pass_seconds(3)
    assert box.claim_id() == delivery


def test_channels_do_not_wait_for_each_other(box: Box) -> None:
    box.add(channel="dead")
    alive = box.add(channel="alive")
    assert box.claim("dead") is not None
    assert box.claim_id("alive") == alive
    assert box.claim_id("nobody") is None
    assert box.next_time("nobody") is None


def test_order_is_kept_within_a_subject_and_nobody_else_waits(box: Box) -> None:
    first, second, other = box.add("main/a"), box.add("main/a"), box.add("main/b")
    held = box.claim()
    assert held is not None
    assert held.id == first
    assert box.claim_id() == other
    assert box.claim_id() is None, "the second is behind the first, which is being sent"
    box.end(held, "postponed", again_in=60)
    assert box.claim_id() is None, "the second is behind the first, which will be tried again"
    box.clock.pass_seconds(60)
    again = box.claim()
    assert again is not None
    assert (again.id, again.attempts) == (first, 2)
    box.end(again, "sent")
    assert box.claim_id() == second


def test_what_was_given_up_holds_up_nobody(box: Box) -> None:
    box.add()
    second = box.add()
    given_up = box.claim()
    assert given_up is not None
    box.end(given_up, "failed")
    assert box.claim_id() == second


def test_what_is_urgent_takes_along_what_waits_quietly_before_it(box: Box) -> None:
    """Quiet hours end in the morning; a violation of the same repository, by a route without, is told now, in order."""
    quiet, urgent, elsewhere = box.add(due_in=3_600), box.add(), box.add("main/other", due_in=3_600)
    assert box.next_time() == box.clock()
    for expected in (quiet, urgent):
        claimed = box.claim()
        assert claimed is not None
        assert claimed.id == expected
        box.end(claimed, "sent")
    assert box.claim() is None
    assert box.get(elsewhere).state == "waiting"


def test_a_lease_that_ran_out_is_claimed_again_under_the_same_id(box: Box) -> None:
    delivery = box.add()
    lost = box.claim()
    assert lost is not None
    box.clock.pass_seconds(59)
    assert box.claim() is None
    assert box.next_time() == lost.lease_until
    box.clock.pass_seconds(1)
    again = box.claim()
    assert again is not None
    assert (again.id, again.attempts) == (delivery, 2)


@pytest.mark.parametrize(("outcome", "state"), [("sent", "sent"), ("postponed", "sending"), ("failed", "sending")])
def test_whoever_lost_the_lease_decides_nothing_unless_it_was_sent(box: Box, outcome: str, state: str) -> None:
    box.add()
    lost = box.claim()
    box.clock.pass_seconds(60)
    again = box.claim()
    assert lost is not None
    assert again is not None
    assert box.end(lost, outcome, again_in=0 if outcome == "postponed" else None) == (outcome == "sent")
    assert box.get(lost.id).state == state
    assert box.end(again, "postponed", again_in=1) == (outcome != "sent")
    assert [attempt.number for attempt in outbox.find_attempts(box.store.reader(), lost.id)] == [1, 2]


def test_what_was_sent_stays_sent(box: Box) -> None:
    box.add()
    lost = box.claim()
    box.clock.pass_seconds(60)
    again = box.claim()
    assert lost is not None
    assert again is not None
    box.end(again, "sent")
    sent_at = box.get(lost.id).finished_at
    box.clock.pass_seconds(1)
    assert not box.end(lost, "failed")
    assert (box.get(lost.id).state, box.get(lost.id).finished_at) == ("sent", sent_at)


def test_attempts_are_written_down_with_what_came_of_them(box: Box) -> None:
    box.add()
    claimed = box.claim()
    assert claimed is not None
    box.end(claimed, "postponed", again_in=5)
    stands = box.get(claimed.id)
    assert (stands.state, stands.not_before, stands.due_at, stands.lease_until) == (
        "waiting", box.clock() + 5 * SECOND, claimed.due_at, None,
    )  # fmt: skip
    assert outbox.find_attempts(box.store.reader(), claimed.id) == [
        Attempt(claimed.id, 1, box.clock(), "postponed", "told", 200)
    ]


def test_the_tables_refuse_what_nothing_may_be(box: Box) -> None:
    box.add()
    with pytest.raises(Exception, match="CHECK constraint"), box.store.writing() as tx:
        tx.execute("UPDATE deliveries SET state = 'gone'")


# Two dispatchers


def take_all(store: Store, clock: Clock, taken: list[str]) -> None:
    box = Box(store, clock)
    while (claimed := box.claim()) is not None:
        taken.append(claimed.id)
        box.end(claimed, "sent")


def test_threads_never_claim_one_delivery_twice(box: Box) -> None:
    added = [box.add(f"main/{number % 7}") for number in range(100)]
    taken: list[str] = []
    threads = [threading.Thread(target=take_all, args=(Store(box.store.directory), box.clock, taken)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Whoever finds every subject held by another one leaves; the last one does not.
    assert Counter(taken) == Counter(added)


def claim_in_process(directory: Path, now: int, ready: "multiprocessing.synchronize.Barrier", path: Path) -> None:
    clock = Clock()
    clock.now = now
    box = Box(Store(directory), clock)
    ready.wait(30)
    claimed = []
    while (delivery := box.claim()) is not None:
        claimed.append(delivery.id)
    path.write_text("\n".join(claimed))


def test_processes_never_claim_one_delivery_twice(box: Box, tmp_path: Path) -> None:
    added = {box.add(f"main/{number}") for number in range(100)}
    box.store.close()
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(3)
    paths = [tmp_path / f"claimed-{number}" for number in range(3)]
    processes = [
        context.Process(target=claim_in_process, args=(box.store.directory, box.clock(), ready, path)) for path in paths
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    claimed = [line for path in paths for line in path.read_text().split()]
    assert len(claimed) == 100
    assert set(claimed) == added


# Bursts


def test_a_burst_is_merged_into_one_summary_and_no_line_is_lost(box: Box) -> None:
    added = [box.add(f"main/{number % 3}", seq=number) for number in range(12)]
    assert box.claim(burst=12) is not None, "twelve are no more than twelve"
    box.clock.pass_seconds(60)
    summary = box.claim(burst=5)
    assert summary is not None
    merged = [each for each in added if box.get(each).state == "merged"]
    lines = {find_lines(box.store.reader(), each)[0] for each in merged}
    assert (summary.subject, summary.state, summary.attempts) == (SUMMARY, "sending", 1)
    assert set(find_lines(box.store.reader(), summary.id)) == lines
    # The one that was tried keeps its id, and what is behind it its order.
    assert sorted(set(range(12)) - lines) == [0, 3, 6, 9]
    assert {box.get(each).merged_into for each in merged} == {summary.id}


def test_the_last_line_of_each_subject_is_in_the_summary(box: Box) -> None:
    for number in range(50):
        box.add(f"main/{number % 5}", seq=number)
    summary = box.claim(burst=10)
    assert summary is not None
    assert find_lines(box.store.reader(), summary.id) == tuple(range(50))
    assert box.claim(burst=10) is None


def test_a_channel_waits_for_its_summary_since_it_tells_of_many_subjects(box: Box) -> None:
    others = [box.add("main/tried", tried=1, due_in=30), box.add("main/0", channel="mail")]
    for number in range(3):
        box.add(f"main/{number}")
    summary = box.claim(burst=2)
    assert summary is not None
    younger = [box.add("main/0"), box.add("main/new")]
    box.clock.pass_seconds(30)
    assert box.claim_id() is None
    assert box.claim_id("mail") == others[1]
    box.end(summary, "postponed", again_in=1)
    box.clock.pass_seconds(1)
    again = box.claim(burst=1)
    assert again is not None
    assert (again.id, again.attempts) == (summary.id, 2), "a summary keeps its id and is not merged once more"
    box.end(again, "sent")
    assert [box.claim_id() for _ in range(4)] == [others[0], *younger, None]


def test_troubles_and_what_is_not_due_are_not_merged(box: Box) -> None:
    troubles = [box.add(SERVICE, seq=0) for _ in range(5)]
    later = [box.add(f"main/{number}", due_in=3) for number in range(5)]
    assert box.claim_id() == troubles[0]
    assert {box.get(each).state for each in [*troubles[1:], *later]} == {"waiting"}


def test_a_summary_holds_up_nobody_for_long_and_is_followed_by_the_next_in_order(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tagtrail.store.leases._MOST_MERGED", 20)
    for number in range(30):
        box.add(f"main/{number % 3}", seq=number)
    told = []
    while (claimed := box.claim(burst=5)) is not None:
        told.append(find_lines(box.store.reader(), claimed.id))
        box.end(claimed, "sent")
    assert told == [tuple(range(20)), tuple(range(20, 30))]


def test_five_thousand_moves_to_a_channel_that_was_down_become_a_few_messages(box: Box) -> None:
    with box.store.writing() as tx:
        for number in range(5_000):
            at = box.clock() + number * MICROSECOND
            made = Delivery(make_id(at), "ops", f"main/{number % 50}", f"line {number}", "waiting", at, at, at)
            add_delivery(tx, made, lines=[number])
    box.clock.pass_seconds(1)
    first = box.claim()  # burst: never
    assert first is not None
    box.end(first, "postponed", again_in=600)
    box.clock.pass_seconds(600)
    told, seen = 0, set[int]()
    while (claimed := box.claim(burst=10)) is not None:
        told += 1
        seen |= set(find_lines(box.store.reader(), claimed.id))
        box.end(claimed, "sent")
    assert told == 3, "the one that was tried, what was behind it, and everything else"
    assert box.get(first.id).state == "sent", "its id may have arrived, so it keeps it"
    assert seen == set(range(5_000))


# Listing and trying once more


def test_what_failed_is_tried_once_more_on_demand_and_giving_up_is_counted_anew(box: Box) -> None:
    ids = [box.add("main/a"), box.add("main/b"), box.add("main/c", channel="mail")]
    for channel in ("ops", "ops", "mail"):
        claimed = box.claim(channel)
        assert claimed is not None
        box.end(claimed, "failed")
    box.clock.pass_seconds(86_400)
    with box.store.writing() as tx:
        assert outbox.retry(tx, at=box.clock(), delivery=ids[0]) == [ids[0]]
        assert outbox.retry(tx, at=box.clock(), delivery=ids[0]) == []
        assert outbox.retry(tx, at=box.clock(), channel="mail") == [ids[2]]
        assert outbox.retry(tx, at=box.clock()) == [ids[1]]
    stands = box.get(ids[0])
    assert (stands.state, stands.due_at, stands.finished_at, stands.attempts) == ("waiting", box.clock(), None, 1)
    assert box.claim_id("mail") == ids[2]


def test_an_id_that_nobody_gave_is_no_delivery(box: Box) -> None:
    assert get_delivery(box.store.reader(), "msg_none") is None


def test_a_channel_says_how_it_stands(box: Box) -> None:
    for number in range(3):
        box.add(f"main/{number}")
    sent, failed = box.claim(), box.claim()
    assert sent is not None
    assert failed is not None
    box.end(sent, "sent")
    box.end(failed, "failed")
    state = outbox.get_channel_state(box.store.reader(), "ops")
    assert state == outbox.ChannelState("ops", 1, box.clock(), 1, box.clock())
    assert outbox.get_channel_state(box.store.reader(), "mail") == outbox.ChannelState("mail", 0, None, 0, None)


JOIN = (
    "SELECT id FROM deliveries WHERE channel = 'a' AND subject = 'b' AND gathering = 'c' AND state = 'waiting'"
    " AND attempts = 0 AND made_at > 1 ORDER BY id DESC LIMIT 1"
)
YOUNGER = (
    f"SELECT id FROM deliveries WHERE channel = 'a' AND subject = 'b' AND id > 'c' AND {outbox.UNFINISHED} LIMIT 20"
)
HEADS = f"SELECT min(id), min(not_before) FROM deliveries WHERE channel = 'a' AND {outbox.UNFINISHED} GROUP BY subject"


@pytest.mark.parametrize(
    ("sql", "plan"),
    [
        (JOIN, "INDEX deliveries_untried (channel=? AND subject=? AND gathering=?)"),
        (YOUNGER, "COVERING INDEX deliveries_unfinished (channel=? AND subject=? AND id>?)"),
        (HEADS, "COVERING INDEX deliveries_unfinished (channel=?)"),
    ],
)
def test_what_is_asked_often_is_answered_by_an_index(box: Box, sql: str, plan: str) -> None:
    found = [row[3] for row in box.store.reader().execute(f"EXPLAIN QUERY PLAN {sql}")]
    assert found == [f"SEARCH deliveries USING {plan}"]
