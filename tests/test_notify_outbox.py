"""What is written into the outbox, with which line, and what never is."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagtrail.app import create_app
from tagtrail.config.channels import ConsoleConfig, SlackConfig
from tagtrail.config.model import Config, NotifyConfig, QuietHours, RegistryConfig, RouteConfig
from tagtrail.config.secrets import IngestToken, SecretUrl
from tagtrail.config.values import Seconds, TimeOfDay
from tagtrail.intake.envelope import read_body
from tagtrail.ledger.batch import rebuild
from tagtrail.ledger.declare import Declaration, declare
from tagtrail.ledger.record import Recorder
from tagtrail.ledger.submission import Draft, Submission
from tagtrail.notify.outbox import make_outbox
from tagtrail.store.database import Connection, Store
from tagtrail.store.leases import claim
from tagtrail.store.outbox import COLUMNS, Delivery, find_lines
from tagtrail.tlog.recovery import recover
from tagtrail.trail.instant import SECOND, parse_instant
from tests.checker import check_ledger, data_files
from tests.command_line import CommandLine
from tests.conftest import Clock, Ledger
from tests.events import INDEX, delete_digest, delete_repository, delete_tag, digest_of, envelope, push
from tests.signed_log import make_log, put_back_database, save_database

CHANNELS = (ConsoleConfig(name="chat"), ConsoleConfig(name="mail"))
Begin = Callable[..., "NotifiedLedger"]


class NotifiedLedger:
    """A ledger whose moves are notified."""

    def __init__(self, store: Store, clock: Clock, config: NotifyConfig) -> None:
        self.store = store
        self.clock = clock
        self.outbox = make_outbox(config, clock=clock)
        self.ledger = Ledger(store, Recorder(store, clock=clock, outbox=self.outbox), clock)
        self.receive = self.ledger.receive

    def deliveries(self, channel: str | None = None) -> list[Delivery]:
        """Those of the channel, the oldest first."""
        sql = f"SELECT {COLUMNS} FROM deliveries WHERE channel = coalesce(?, channel) ORDER BY id"
        return [Delivery(*row) for row in self.ledger.rows(sql, channel)]

    def messages(self, channel: str = "chat") -> list[list[str]]:
        """What each delivery to the channel tells of: the tags or, without one, the kinds of its lines."""
        db = self.store.reader()
        return [
            [
                db.execute(
                    "SELECT coalesce(tags.name, kind) FROM entries LEFT JOIN tags ON tags.id = tag_id WHERE seq = ?",
                    (seq,),
                ).fetchone()[0]
                for seq in find_lines(db, delivery.id)
            ]
            for delivery in self.deliveries(channel)
        ]


@pytest.fixture
def begin(store: Store, clock: Clock) -> Iterator[Begin]:
    """Begins a ledger whose moves are told by these routes; every promise of the ledger is kept in the end."""

    def begun(*routes: RouteConfig, **settings: object) -> NotifiedLedger:
        return NotifiedLedger(store, clock, NotifyConfig(channels=CHANNELS, routes=routes, **settings))  # type: ignore[arg-type]

    yield begun
    check_ledger(store)
    store.close()


@pytest.fixture
def notified(begin: Begin) -> NotifiedLedger:
    """Everything is told to both channels."""
    return begin(RouteConfig(("chat", "mail")))


# What is told


def test_a_move_gives_one_delivery_for_each_channel(notified: NotifiedLedger) -> None:
    notified.receive(push("prod", "one", 0))
    for channel in ("chat", "mail"):
        (delivery,) = notified.deliveries(channel)
        assert find_lines(notified.store.reader(), delivery.id) == (1,), "line 0 is the registry's start"
        assert (delivery.subject, delivery.group_key, delivery.state) == ("main/team/app", digest_of("one"), "waiting")
        assert (delivery.made_at, delivery.not_before) == (notified.clock(), notified.clock() + 3 * SECOND)


def test_pushes_of_one_digest_are_one_delivery_and_the_next_digest_begins_another(notified: NotifiedLedger) -> None:
    """What `docker push --all-tags` brings."""
    for at, tag in enumerate(("1.1.0", "stable", "prod")):
        notified.receive(push(tag, "new", at))
        notified.clock.pass_seconds(0.5)
    notified.receive(push("edge", "newer", 5))
    assert notified.messages("chat") == notified.messages("mail") == [["1.1.0", "stable", "prod"], ["edge"]]


def test_a_push_after_the_debounce_time_is_another_delivery(notified: NotifiedLedger) -> None:
    notified.receive(push("stable", "new", 0))
    notified.clock.pass_seconds(2.9)
    notified.receive(push("prod", "new", 1))
    notified.clock.pass_seconds(0.1)
    notified.receive(push("live", "new", 2))
    assert notified.messages() == [["stable", "prod"], ["live"]]


def test_what_is_being_sent_is_not_joined(notified: NotifiedLedger) -> None:
    notified.receive(push("stable", "new", 0))
    with notified.store.writing() as tx:
        assert claim(tx, "chat", now=notified.clock() + 3 * SECOND, lease_until=notified.clock() + 99 * SECOND, burst=9)
    notified.receive(push("prod", "new", 1))
    assert notified.messages("chat") == [["stable"], ["prod"]]
    assert notified.messages("mail") == [["stable", "prod"]]


def test_without_debounce_each_push_is_a_delivery_at_once(begin: Begin) -> None:
    notified = begin(RouteConfig(("chat",)), debounce=Seconds(0))
    notified.receive(push("stable", "new", 0), push("prod", "new", 1))
    assert notified.messages() == [["stable"], ["prod"]]
    assert {delivery.not_before for delivery in notified.deliveries()} == {notified.clock()}


def test_variants_pushed_side_by_side_are_one_delivery_each(notified: NotifiedLedger) -> None:
    for at, (tag, content) in enumerate(
        [("1.1", "plain"), ("1.1-alpine", "alpine"), ("stable", "plain"), ("alpine", "alpine"), ("prod", "plain")]
    ):
        notified.receive(push(tag, content, at))
    assert notified.messages() == [["1.1", "stable", "prod"], ["1.1-alpine", "alpine"]]


def test_news_of_a_tag_never_overtake_older_news_of_it(notified: NotifiedLedger) -> None:
    """prod went to one, to two and back to one at once: told as that, and not as the way back before the way there."""
    notified.receive(push("prod", "one", 0), push("stable", "one", 1), push("prod", "two", 2), push("prod", "one", 3))
    assert notified.messages() == [["prod", "stable"], ["prod"], ["prod"]]


def test_news_of_an_environment_never_overtake_older_news_of_it(notified: NotifiedLedger) -> None:
    notified.receive(push("a", "one", 0), push("b", "two", 1))
    for tag in ("a", "b", "a"):
        notified.clock.pass_seconds(0.1)
        declare(notified.store, notified.ledger.recorder, Declaration("production", f"team/app:{tag}"))
    assert notified.messages() == [["a", "a"], ["b", "b"], ["a"]]


PUSHES = st.lists(
    st.tuples(st.sampled_from(("prod", "1.0", "edge")), st.sampled_from("xyz"), st.sampled_from((0.0, 0.4, 3.0))),
    max_size=25,
)


@given(pushes=PUSHES, debounce=st.sampled_from((0.0, 1.0, 3.0)))
@settings(max_examples=40)
def test_each_move_is_delivered_once_and_each_tags_moves_in_order(
    pushes: list[tuple[str, str, float]], debounce: float
) -> None:
    with tempfile.TemporaryDirectory() as place:
        store = Store(Path(place))
        store.prepare()
        clock = Clock()
        notified = NotifiedLedger(
            store, clock, NotifyConfig(debounce=Seconds(debounce), channels=CHANNELS, routes=(RouteConfig(("chat",)),))
        )
        for at, (tag, content, pause) in enumerate(pushes):
            clock.pass_seconds(pause)
            notified.receive(push(tag, content, at))
        lines = [find_lines(store.reader(), delivery.id) for delivery in notified.deliveries()]
        tags = dict(notified.ledger.rows("SELECT seq, name FROM moves JOIN tags ON tags.id = tag_id ORDER BY seq"))
        assert sorted(seq for each in lines for seq in each) == sorted(tags)
        for tag in set(tags.values()):
            in_order = [seq for each in lines for seq in each if tags[seq] == tag]
            assert in_order == sorted(in_order)
        store.close()


def test_where_much_happens_at_once_nothing_old_is_joined(notified: NotifiedLedger) -> None:
    """Looking through what is younger must cost little."""
    notified.receive(push("first", "one", 0))
    notified.receive(*(push(f"t{number}", f"{number}", number + 1) for number in range(20)))
    notified.receive(push("late", "one", 30))
    assert notified.messages()[0] == ["first"]
    assert notified.messages()[-1] == ["late"]


def test_an_index_deletion_that_takes_forty_tags_away_is_one_delivery(notified: NotifiedLedger) -> None:
    notified.receive(*(push(f"t{number}", "index", number, media_type=INDEX) for number in range(40)))
    notified.clock.pass_seconds(10)
    notified.receive(delete_digest("index", 50))
    assert notified.messages()[-1] == ["delete"]
    assert len(notified.messages()) == 2
    assert notified.ledger.rows("SELECT count(*) FROM moves WHERE kind = 'deleted'") == [(40,)]


def test_each_delete_is_a_delivery_of_its_own(notified: NotifiedLedger) -> None:
    notified.receive(push("a", "one", 0), push("b", "one", 1))
    notified.receive(delete_tag("a", 2), delete_tag("b", 3))
    assert notified.messages() == [["a", "b"], ["a"], ["b"]]
    notified.receive(delete_repository(4))
    assert len(notified.messages()) == 3, "nothing was left to take away"


def test_a_declared_deployment_joins_the_delivery_of_its_push(notified: NotifiedLedger) -> None:
    notified.receive(push("1.1.0", "new", 0))
    declare(notified.store, notified.ledger.recorder, Declaration("production", f"team/app@{digest_of('new')}"))
    assert notified.messages() == [["1.1.0", "deployment"]]


# Where it is told


def test_a_route_for_violations_gets_moves_that_are_violations(begin: Begin) -> None:
    notified = begin(RouteConfig(("chat",), kinds=frozenset({"violation"})))
    notified.receive(
        push("1.0.0", "one", 0), push("prod", "one", 1), push("1.0.0", "other", 2), push("prod", "other", 3)
    )
    assert notified.messages() == [["1.0.0"]]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("created", [["prod"]]),
        ("moved", [["prod"]]),
        ("moved_back", [["prod"]]),
        ("deleted", [["prod"]]),
        ("deployed", [["prod"], ["prod"], ["prod"]]),
        ("declared", [["deployment"]]),
    ],
)
def test_a_route_gets_the_kinds_that_it_lists(begin: Begin, kind: str, expected: list[list[str]]) -> None:
    notified = begin(RouteConfig(("chat",), kinds=frozenset({kind})))  # type: ignore[arg-type]
    for at, content in enumerate(("one", "two", "one")):
        notified.receive(push("prod", content, at))
        notified.clock.pass_seconds(10)
    notified.receive(delete_tag("prod", 4))
    declare(notified.store, notified.ledger.recorder, Declaration("production", f"team/app@{digest_of('two')}"))
    assert notified.messages() == expected


def test_only_what_was_published_goes_where_an_environment_is_named(begin: Begin) -> None:
    notified = begin(RouteConfig(("chat",), environment="production"), RouteConfig(("mail",), environment="staging"))
    notified.receive(
        push("1.0.0", "one", 0), push("staging", "one", 1), push("prod", "one", 2), push("latest", "one", 3)
    )
    declare(notified.store, notified.ledger.recorder, Declaration("staging", "team/app:1.0.0"))
    notified.receive(delete_tag("prod", 10))
    assert notified.messages("chat") == [["prod"], ["prod"]], "a withdrawal is about the environment as well"
    assert notified.messages("mail") == [["staging", "1.0.0"]]


def test_a_deployment_declared_on_the_command_line_needs_no_channel_secret(begin: Begin, tmp_path: Path) -> None:
    notified = begin()
    notified.receive(push("1.0.0", "one", 0))
    config = tmp_path / "config.yml"
    config.write_text(
        "notify: {channels: [{name: chat, kind: slack, url: {env: NOT_SET_HERE}}], routes: [{channels: [chat]}]}"
    )
    cli = CommandLine(notified.store.directory)
    result = cli.run("deploy", "team/app:1.0.0", "--environment", "production", TAGTRAIL_CONFIG=str(config))
    assert result.exit_code == 0, result.stderr
    assert notified.messages() == [["1.0.0"]]
    assert notified.ledger.rows("SELECT kind FROM delivery_lines JOIN entries USING (seq)") == [("deployment",)]


def test_the_service_writes_deliveries_and_no_secret_is_in_its_database(store: Store, clock: Clock) -> None:
    hook = "https://chat.example/s3cr3t"
    registry = RegistryConfig("main", tokens=(IngestToken("a-token-of-the-registry"),))
    channel = SlackConfig(name="chat", url=SecretUrl(hook))
    notify = NotifyConfig(channels=(channel,), routes=(RouteConfig(("chat",)),))
    app = create_app(Config(data=store.directory, registries=(registry,), notify=notify), store=store, clock=clock)
    headers = {"Authorization": "Bearer a-token-of-the-registry"}
    assert app.test_client().post("/events", data=envelope(push("prod", "one", 0)), headers=headers).status_code == 202
    found = store.reader().execute("SELECT channel, subject FROM deliveries").fetchall()
    assert found == [("chat", "main/team/app")]
    assert b"s3cr3t" not in data_files(store.directory)
    store.close()


def test_quiet_hours_hold_a_delivery_back(begin: Begin) -> None:
    notified = begin(RouteConfig(("chat",), quiet=QuietHours(TimeOfDay(0), TimeOfDay(23), "UTC")))
    notified.receive(push("prod", "one", 0))
    (delivery,) = notified.deliveries("chat")
    assert notified.clock() == parse_instant("2026-04-21T12:00:00Z")
    assert delivery.not_before == delivery.due_at == parse_instant("2026-04-21T23:00:00Z")


def test_quiet_hours_hold_nothing_back_that_comes_along_with_what_they_do_not_hold(begin: Begin) -> None:
    """`docker push --all-tags` at night: `stable` would have waited, the violation must not."""
    notified = begin(
        RouteConfig(("chat",), quiet=QuietHours(TimeOfDay(0), TimeOfDay(23), "UTC")),
        RouteConfig(("chat",), kinds=frozenset({"violation"})),
    )
    notified.receive(push("1.0.0", "one", 0))
    notified.clock.pass_seconds(10)
    notified.receive(push("stable", "two", 10), push("1.0.0", "two", 10))
    _, delivery = notified.deliveries("chat")
    assert notified.messages() == [["1.0.0"], ["stable", "1.0.0"]]
    assert delivery.not_before == delivery.due_at == notified.clock() + 3 * SECOND


def test_an_alert_goes_to_the_routes_that_match_alerts(begin: Begin) -> None:
    notified = begin(RouteConfig(("chat",), tag="prod"), RouteConfig(("mail",), kinds=frozenset({"alert"})))
    assert notified.outbox is not None
    with notified.store.writing() as tx:
        (made,) = notified.outbox.add_alert(tx, "silent main", registry="main")
    (delivery,) = notified.deliveries()
    assert (delivery.id, delivery.channel, delivery.subject, delivery.group_key, delivery.not_before) == (
        made, "mail", "service", "silent main", notified.clock(),
    )  # fmt: skip


# What is never told


def test_a_repeated_push_gives_no_delivery(notified: NotifiedLedger) -> None:
    notified.receive(push("prod", "one", 0))
    notified.clock.pass_seconds(60)
    notified.receive(push("prod", "one", 60))
    assert notified.messages() == [["prod"]]


def test_the_same_event_twice_gives_one_delivery(notified: NotifiedLedger) -> None:
    event = push("prod", "one", 0)
    notified.receive(event, event)
    assert notified.messages() == [["prod"]]


def test_the_platforms_of_an_index_give_no_delivery(notified: NotifiedLedger) -> None:
    notified.receive(push(None, "amd64", 0), push(None, "arm64", 1), push("prod", "index", 2, media_type=INDEX))
    assert notified.messages() == [["prod"]]


def test_a_late_event_gives_no_delivery(notified: NotifiedLedger) -> None:
    notified.receive(push("prod", "two", 100))
    notified.clock.pass_seconds(60)
    notified.receive(push("prod", "one", 50), delete_tag("prod", 75))
    assert notified.messages() == [["prod"]]


def test_a_late_deployment_does_not_match_as_a_deployment(begin: Begin) -> None:
    """It moved its tag, but the environment has been declared to run something else since."""
    notified = begin(RouteConfig(("chat",), kinds=frozenset({"deployed"})), RouteConfig(("mail",)))
    notified.receive(push("1.0.0", "one", 0))
    declare(notified.store, notified.ledger.recorder, Declaration("production", "team/app:1.0.0"))
    notified.receive(push("prod", "two", 10))
    assert notified.messages("chat") == []
    assert notified.messages("mail") == [["1.0.0", "1.0.0"], ["prod"]]


def test_pulls_blobs_and_quarantined_events_give_no_delivery(notified: NotifiedLedger) -> None:
    notified.receive(
        push("prod", "one", 0, action="pull"), push(None, "blob", 1, media_type="application/octet-stream")
    )
    notified.ledger.receive_body(b"nonsense")
    assert notified.deliveries() == []


def test_a_rebuild_gives_no_delivery(notified: NotifiedLedger) -> None:
    notified.receive(push("prod", "one", 0), push("prod", "two", 1))
    before = notified.deliveries()
    rebuild(notified.store)
    assert notified.deliveries() == before


def test_a_recovery_gives_no_delivery(tmp_path: Path, clock: Clock) -> None:
    log = make_log(tmp_path, clock)
    config = NotifyConfig(channels=CHANNELS, routes=(RouteConfig(("chat",)),))
    log.log_signer.sign()
    save_database(log, tmp_path / "saved.db")
    NotifiedLedger(log.ledger.store, clock, config).receive(push("prod", "one", 0))
    log.log_signer.sign()
    notified = NotifiedLedger(put_back_database(log, tmp_path / "saved.db").ledger.store, clock, config)
    assert recover(notified.store, notified.ledger.recorder, log.place.journal) > 0
    assert notified.ledger.rows("SELECT count(*) FROM moves") == [(1,)]
    assert notified.deliveries() == []
    notified.store.close()


# In the same transaction


def test_a_rolled_back_transaction_leaves_no_delivery(notified: NotifiedLedger) -> None:
    """There is no moment between recording and telling: both are there, or neither."""

    def fail(tx: Connection) -> None:
        assert tx.execute("SELECT count(*) FROM deliveries").fetchone() == (2,)
        raise RuntimeError("after the line")

    sender = notified.ledger.sender
    (draft,) = read_body(envelope(push("prod", "one", 0)), sender, received_at=notified.clock())
    assert isinstance(draft, Draft)
    with pytest.raises(RuntimeError):
        notified.ledger.recorder.record_with(draft, fail)
    assert notified.deliveries() == []
    assert notified.ledger.rows("SELECT count(*) FROM lines") == [(0,)]
    notified.ledger.recorder.record(Submission((draft,)))
    assert notified.messages() == [["prod"]]


def test_a_route_that_fails_costs_a_message_and_never_the_evidence(
    notified: NotifiedLedger, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ValueError("a defect")

    monkeypatch.setattr("tagtrail.notify.routes.Routes.find_channels", fail)
    notified.receive(push("prod", "one", 0))
    assert notified.deliveries() == []
    assert notified.ledger.rows("SELECT kind FROM entries ORDER BY seq") == [("registry",), ("push",)]
    assert "the routes failed on a recorded line" in caplog.text


def test_without_routes_recording_runs_no_additional_statement(store: Store, clock: Clock) -> None:
    assert make_outbox(NotifyConfig(channels=CHANNELS)) is None
    notified = NotifiedLedger(store, clock, NotifyConfig())
    assert notified.outbox is None
    notified.receive(push("first", "zero", 0))
    statements: list[str] = []
    with store.writing() as tx:
        tx.set_trace_callback(statements.append)
    notified.receive(push("prod", "one", 1))
    with store.writing() as tx:
        tx.set_trace_callback(None)
    assert statements
    assert [sql for sql in statements if "deliver" in sql] == []
    store.close()


def test_our_clock_set_back_delays_no_message(notified: NotifiedLedger) -> None:
    notified.receive(push("prod", "one", 0))
    notified.clock.pass_seconds(-3_600)
    notified.receive(push("prod", "two", 1))
    first, second = notified.deliveries("chat")
    assert first.id < second.id
    assert second.not_before == notified.clock() + 3 * SECOND
