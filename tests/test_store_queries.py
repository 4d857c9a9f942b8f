"""What the trail answers, held against the story that was told and against a naive model of it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bench.fill import fill

from tagtrail.access.tokens import Sender
from tagtrail.errors import BadParameter, NotRecorded
from tagtrail.ledger.record import Recorder
from tagtrail.store.database import Store
from tagtrail.store.deployments import find_deployments
from tagtrail.store.digests import get_digest
from tagtrail.store.entries import find_entries, find_lines
from tagtrail.store.environments import EnvironmentState, Step, choose_step, find_environments
from tagtrail.store.history import find_history
from tagtrail.store.query import Filter, Page, Query
from tagtrail.store.registries import find_known_registries, find_quarantined, find_traffic
from tagtrail.store.releases import find_violations
from tagtrail.store.tags import TaggedDigest, find_tags
from tagtrail.trail.instant import DAY, SECOND
from tests.api_client import RULES, some_events, story
from tests.checker import check_ledger
from tests.conftest import Clock, Ledger
from tests.events import START, SomeEvent, delete_repository, digest_of, envelope, push

Find = Callable[..., Page[Any]]


def at(seconds: float) -> int:
    """An instant of the story."""
    return START + int(seconds * SECOND)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """The ledger after the story, shared by all tests that only ask."""
    store = Store(tmp_path_factory.mktemp("told") / "data")
    store.prepare()
    clock = Clock()
    ledger = Ledger(store, Recorder(store, clock=clock), clock)
    ledger.put_in_force(RULES)
    ledger.receive_body(envelope(*story()))
    yield ledger
    check_ledger(store)
    store.close()


def ask(ledger: Ledger, find: Find, limit: int = 1_000, *, when: int | None = None, **filters: Any) -> tuple[Any, ...]:
    """The items of the answer."""
    return find(ledger.store.reader(), Query(RULES, Filter(**filters), limit, at=when)).items


def ask_digest(ledger: Ledger, limit: int = 50, **filters: Any) -> Any:
    """Everything that is known of a digest."""
    return get_digest(ledger.store.reader(), Query(RULES, Filter(**filters), limit))


def test_the_audit_log_is_newest_first_and_shows_the_exact_line_and_what_it_moved(told: Ledger) -> None:
    entries = ask(told, find_entries, kind="push", tag="prod")
    assert [entry.seq for entry in entries] == sorted((entry.seq for entry in entries), reverse=True)
    stored = told.rows("SELECT seq, line FROM lines")
    assert all((entry.seq, entry.line.encode()) in stored for entry in entries)
    kinds = [[(change.tag, change.kind, change.digest) for change in entry.changes] for entry in entries]
    assert kinds == [
        [("prod", "moved", digest_of("index"))],
        [("prod", "moved_back", digest_of("one"))],
        [],  # the same again moves nothing
        [("prod", "moved", digest_of("two"))],
        [("prod", "created", digest_of("one"))],
    ]
    assert entries[0].environments == ("production",)
    assert entries[2].environments == ()


def test_a_delete_by_digest_shows_every_tag_that_it_took_away(told: Ledger) -> None:
    (entry,) = ask(told, find_entries, kind="delete", repository="team/app")
    assert [(change.tag, change.kind, change.previous_digest, change.violation) for change in entry.changes] == [
        ("1.1.0", "deleted", digest_of("two"), True)
    ]


@pytest.mark.parametrize(
    ("asked", "count"),
    [
        ({"registry": "main"}, 16),  # the story and the line of the registry's start
        ({"registry": "other"}, 0),
        ({"repository": "team/app"}, 12),
        ({"repository": "team/*"}, 13),
        ({"repository": "**"}, 18),  # and those of the service's start
        ({"repository": "*/x"}, 2),
        ({"repository": "team/nothing"}, 0),
        ({"tag": "prod"}, 5),
        ({"tag": "prod", "repository": "lab/*"}, 0),
        ({"digest": digest_of("one")}, 4),
        ({"digest": digest_of("one"), "tag": "prod"}, 2),
        ({"actor": "bob"}, 3),
        ({"actor": "nobody"}, 0),
        ({"actor": "carol", "kind": "delete"}, 1),
        ({"kind": "configuration"}, 1),
        ({"environment": "production"}, 4),
        ({"environment": "production", "actor": "bob"}, 2),
        ({"environment": "lab"}, 2),
        ({"last_seq": 4}, 5),
    ],
)
def test_entries_are_filtered_by_each_thing_and_by_all_together(
    told: Ledger, asked: dict[str, Any], count: int
) -> None:
    entries = ask(told, find_entries, **asked)
    assert len(entries) == count
    assert b"\n".join(ask(told, find_lines, **asked)) == b"\n".join(entry.line.encode() for entry in entries)


def test_since_and_until_of_entries_are_by_our_clock(ledger: Ledger) -> None:
    for number in range(10):
        ledger.receive(push(f"1.{number}", f"{number}", number))
        ledger.clock.pass_seconds(10)
    begin = START + DAY
    found = ask(ledger, find_entries, since=begin + 20 * SECOND, until=begin + 40 * SECOND)
    assert [change.tag for entry in found for change in entry.changes] == ["1.3", "1.2"]
    assert len(ask(ledger, find_entries, until=begin)) == 0
    assert len(ask(ledger, find_entries, since=begin + 90 * SECOND)) == 1
    assert len(ask(ledger, find_entries, since=begin + 91 * SECOND)) == 0


def test_a_digest_may_be_given_by_its_unambiguous_beginning(told: Ledger) -> None:
    whole = ask(told, find_entries, digest=digest_of("one"))
    assert ask(told, find_entries, digest=digest_of("one")[:14]) == whole
    assert ask(told, find_entries, digest=digest_of("one")[7:14]) == whole
    with pytest.raises(BadParameter, match="begins several digests") as failure:
        ask(told, find_entries, digest="sha256:")
    assert failure.value.parameter == "digest"


def test_tags_point_at_what_they_did_at_that_instant(told: Ledger) -> None:
    assert [(tag.tag, tag.digest) for tag in ask(told, find_tags, repository="team/app")] == [
        ("1.0.0", digest_of("three")),
        ("2.0", digest_of("index")),
        ("prod", digest_of("index")),
        ("stable", digest_of("one")),
    ]
    then = ask(told, find_tags, when=at(15), repository="team/app")
    assert [(tag.tag, tag.digest, tag.release_tags) for tag in then] == [
        ("1.0.0", digest_of("one"), ()),
        ("1.1.0", digest_of("two"), ()),
        ("prod", digest_of("two"), ("1.1.0",)),
        ("stable", digest_of("one"), ("1.0.0",)),
    ]
    assert (then[2].since, then[2].actor, then[2].size) == (at(12), "bob", 417)
    assert ask(told, find_tags, when=at(12), tag="prod")[0].digest == digest_of("two")
    assert ask(told, find_tags, when=at(12) - 1, tag="prod")[0].digest == digest_of("one")
    assert ask(told, find_tags, when=at(0)) == ()


def test_history_lists_every_move_with_its_interval_and_its_repeated_pushes(told: Ledger) -> None:
    moves = ask(told, find_history, repository="team/app", tag="prod")
    assert [(move.kind, move.at, move.until, move.repeated, move.release_tags) for move in moves] == [
        ("moved", at(60), None, 0, ("2.0",)),
        ("moved_back", at(20), at(60), 0, ("1.0.0",)),
        ("moved", at(12), at(20), 1, ("1.1.0",)),
        ("created", at(3), at(12), 0, ("1.0.0",)),
    ]
    assert [move.previous_digest for move in moves] == [digest_of("one"), digest_of("two"), digest_of("one"), None]
    (changed, created) = ask(told, find_history, repository="team/app", tag="1.0.0")
    assert (changed.violation, changed.actor, created.violation) == (True, "mallory", False)
    assert len(ask(told, find_history, repository="team/app", tag="prod", since=at(12), until=at(60))) == 2


def test_a_tag_that_no_line_names_has_no_history(told: Ledger) -> None:
    with pytest.raises(NotRecorded, match="no tag nothing"):
        ask(told, find_history, repository="team/app", tag="nothing")
    with pytest.raises(NotRecorded, match="no repository team/nothing"):
        ask(told, find_history, repository="team/nothing", tag="prod")
    with pytest.raises(BadParameter) as failure:
        ask(told, find_history, repository="team/*", tag="prod")
    assert failure.value.parameter == "repository"


def test_of_several_registries_the_one_of_a_history_must_be_named(ledger: Ledger) -> None:
    ledger.receive(push("prod", "one", 1))
    other = Ledger(ledger.store, ledger.recorder, ledger.clock, Sender("other", authenticates=True))
    other.receive(push("prod", "two", 2, instance="x"))
    with pytest.raises(BadParameter, match="is in several registries: main, other") as failure:
        ask(ledger, find_history, repository="team/app", tag="prod")
    assert failure.value.parameter == "registry"
    (move,) = ask(ledger, find_history, repository="team/app", tag="prod", registry="other")
    assert move.digest == digest_of("two")
    assert [tag.registry for tag in ask(ledger, find_tags)] == ["main", "other"]
    assert len(ask(ledger, find_entries, registry="other", kind="push")) == 1
    assert [one.registry for one in ask(ledger, find_deployments, registry="other")] == ["other"]


def test_deployments_say_what_was_before_which_way_it_went_and_how_long_it_ran(told: Ledger) -> None:
    deployments = ask(told, find_deployments, environment="production")
    assert [(one.direction, one.digest, one.until) for one in deployments] == [
        ("forward", digest_of("index"), None),
        ("back", digest_of("one"), at(60)),
        ("forward", digest_of("two"), at(20)),
        ("first", digest_of("one"), at(12)),
    ]
    back = deployments[1]
    assert (back.actor, back.basis, back.tag, back.registry) == ("carol", "reported", "prod", "main")
    assert list(back.release_tags_then) == ["1.0.0"]
    assert back.release_tags_now == ()  # 1.0.0 was overwritten since
    assert not back.unpinned
    assert back.previous is not None
    assert (back.previous.digest, back.previous.until, back.previous.rolled_back) == (
        digest_of("two"),
        at(20),
        True,
    )
    assert back.previous.deleted
    assert list(back.previous.release_tags_then) == ["1.1.0"]
    (seq,) = (entry.seq for entry in ask(told, find_entries, tag="1.0.0") if entry.changes[0].kind == "created")
    assert back.lines == (seq, back.seq)
    assert deployments[-1].previous is None


def test_a_deployment_is_unpinned_until_a_release_tag_names_its_digest(ledger: Ledger) -> None:
    ledger.receive(push("prod", "new", 1))
    (deployment,) = ask(ledger, find_deployments)
    assert deployment.unpinned
    ledger.receive(push("1.0.0", "new", 2))  # as `docker push --all-tags` may send it, a second later
    (deployment,) = ask(ledger, find_deployments)
    assert (deployment.unpinned, deployment.release_tags_then) == (False, ())
    assert list(deployment.release_tags_now) == ["1.0.0"]


@pytest.mark.parametrize(
    ("asked", "count"),
    [
        ({}, 6),
        ({"environment": "staging"}, 1),
        ({"repository": "team/*"}, 5),
        ({"repository": "team/*", "environment": "production"}, 4),
        ({"repository": "lab/**"}, 1),
        ({"registry": "main"}, 6),
        ({"registry": "other"}, 0),
        ({"digest": digest_of("one")}, 2),
        ({"actor": "bob"}, 2),
        ({"tag": "staging"}, 1),
        ({"since": START + 12 * SECOND, "until": START + 60 * SECOND}, 2),
        ({"environment": "nothing"}, 0),
    ],
)
def test_deployments_are_filtered(told: Ledger, asked: dict[str, Any], count: int) -> None:
    assert len(ask(told, find_deployments, **asked)) == count


def test_environments_show_what_is_published_and_what_to_go_back_to(told: Ledger) -> None:
    lab, production, staging = ask(told, find_environments)
    assert (lab.environment, lab.published, lab.withdrawn_at) == ("lab", None, at(63))
    assert lab.roll_back_to.digest == digest_of("lab")
    assert (production.published.digest, production.published.direction) == (digest_of("index"), "forward")
    assert production.roll_back_to.digest == digest_of("one")
    assert production.roll_back_to.at == at(20)
    assert staging.roll_back_to is None
    (then,) = ask(told, find_environments, when=at(15), environment="production")
    assert then.published.digest == digest_of("two")
    assert ask(told, find_environments, when=at(2), environment="production") == ()


def test_advice_passes_over_what_was_rolled_back_from_and_what_was_deleted(ledger: Ledger) -> None:
    for second, content in enumerate(["one", "two", "three", "two"], 1):
        ledger.receive(push("prod", content, second))
    (state,) = ask(ledger, find_environments)
    assert state.roll_back_to.digest == digest_of("one")  # not three, from which two was returned to
    ledger.receive(SomeEvent(action="delete", digest=digest_of("one"), at=9, method="DELETE"))
    (state,) = ask(ledger, find_environments)
    assert state.roll_back_to.digest == digest_of("three")
    assert (state.roll_back_to.rolled_back, state.roll_back_to.deleted) == (True, False)


def test_the_step_to_return_to() -> None:
    def step(number: int, manifest: int | None, direction: str | None) -> Step:
        return Step(number, b"", 0, manifest, direction, number)

    def chosen(*steps: Step, deleted: frozenset[int] = frozenset()) -> tuple[int | None, bool] | None:
        choice = choose_step(steps, is_deleted=lambda step: step.manifest_id in deleted)
        return None if choice is None else (choice.step.manifest_id, choice.rolled_back)

    assert chosen() is None
    assert chosen(step(1, 1, "first")) is None
    assert chosen(step(3, 2, "again"), step(2, 2, "forward"), step(1, 1, "first")) == (1, False)
    assert chosen(step(3, None, None), step(2, 2, "forward"), step(1, 1, "first")) == (2, False)
    assert chosen(step(3, 1, "back"), step(2, 2, "forward"), step(1, 1, "first")) == (2, True)
    assert chosen(step(2, 2, "forward"), step(1, 1, "first"), deleted=frozenset({1})) == (1, False)
    bad = (step(4, 2, "back"), step(3, 3, "forward"), step(2, 2, "forward"), step(1, 1, "first"))
    assert chosen(*bad) == (1, False)
    assert chosen(*bad, deleted=frozenset({1})) == (3, True)


def test_violations_are_kept_with_both_digests(told: Ledger) -> None:
    deleted, moved = ask(told, find_violations)
    assert (deleted.tag, deleted.kind, deleted.digest) == ("1.1.0", "deleted", None)
    assert deleted.previous_digest == digest_of("two")
    assert (moved.tag, moved.digest, moved.previous_digest) == ("1.0.0", digest_of("three"), digest_of("one"))
    assert ask(told, find_violations, actor="mallory") == (moved,)
    assert ask(told, find_violations, digest=digest_of("one")) == (moved,)
    assert ask(told, find_violations, tag="1.1.0", repository="team/app") == (deleted,)
    assert ask(told, find_violations, repository="lab/*") == ()
    assert ask(told, find_violations, until=at(40)) == (moved,)


def test_a_platform_leads_back_to_the_tag_and_the_environment(told: Ledger) -> None:
    answer = ask_digest(told, digest=digest_of("arm"))
    assert answer.tags == ()
    (index,) = answer.indexes
    assert (index.platform, index.digest) == ("linux/arm64", digest_of("index"))
    assert [naming.tag for naming in index.tags] == ["2.0", "prod"]
    assert [publishing.environment for publishing in index.environments] == ["production"]
    assert [member.digest for member in ask_digest(told, digest=digest_of("index")).platforms] == [digest_of("arm")]


def test_a_digest_lists_every_tag_that_named_it_release_tags_first(told: Ledger) -> None:
    answer = ask_digest(told, digest=digest_of("one"))
    assert [(naming.tag, naming.since, naming.until) for naming in answer.tags] == [
        ("1.0.0", at(1), at(30)),
        ("prod", at(20), at(60)),
        ("prod", at(3), at(12)),
        ("stable", at(2), None),
    ]
    assert [publishing.direction for publishing in answer.environments] == ["back", "first"]
    assert answer.whole
    short = ask_digest(told, 2, digest=digest_of("one"))
    assert (len(short.tags), short.whole) == (2, False)
    with pytest.raises(NotRecorded):
        ask_digest(told, digest=digest_of("one"), repository="lab/x")
    with pytest.raises(NotRecorded):
        ask_digest(told, digest=digest_of("never"))


def test_quarantine_traffic_and_registries(ledger: Ledger) -> None:
    ledger.receive_body(b"junk")
    for number in range(2):
        ledger.receive(SomeEvent(action="pull", digest=digest_of("a"), tag="prod", at=number * 86_400))
    ledger.receive(push("1.0", "a", 5, instance="instance-2"))
    (quarantined,) = ask(ledger, find_quarantined)
    assert (quarantined.size, quarantined.registry) == (4, "main")
    assert ask(ledger, find_quarantined, registry="other") == ()
    assert [(row.day, row.action, row.events) for row in ask(ledger, find_traffic)] == [
        ("2026-04-21", "pull_manifest", 1),
        ("2026-04-20", "pull_manifest", 1),
    ]
    assert len(ask(ledger, find_traffic, since=START + DAY)) == 1
    assert len(ask(ledger, find_traffic, until=START)) == 1
    (heard,) = ask(ledger, find_known_registries)
    assert (heard.registry, heard.instance, heard.starts) == ("main", "instance-2", 2)
    assert heard.last_seen >= heard.first_seen >= START + DAY


def model_tags(events: list[SomeEvent], instant: int) -> dict[tuple[str, str], str]:
    """What every tag points at, by replaying the events one after another."""
    heads: dict[tuple[str, str], str] = {}
    for event in events:
        if START + int(event.at * SECOND) > instant:
            break
        if event.action == "push" and event.tag and event.digest:
            heads[event.repository, event.tag] = event.digest
        elif event.action == "delete" and event.tag:
            heads.pop((event.repository, event.tag), None)
        elif event.action == "delete":
            heads = {
                key: digest
                for key, digest in heads.items()
                if key[0] != event.repository or event.digest not in (None, digest)
            }
    return heads


@pytest.mark.parametrize("seed", range(4))
def test_point_in_time_agrees_with_a_naive_model_whatever_the_order_of_arrival(ledger: Ledger, seed: int) -> None:
    events = [*some_events(seed, 60), delete_repository(61, repository="solo")]
    arriving = events if seed % 2 else list(reversed(events))
    ledger.receive_body(envelope(*arriving))
    for second in (0, 1, 7, 20, 33, 59, 60, 61):
        expected = model_tags(events, at(second))
        tags: tuple[TaggedDigest, ...] = ask(ledger, find_tags, when=at(second))
        assert {(tag.repository, tag.tag): tag.digest for tag in tags} == expected
        states: tuple[EnvironmentState, ...] = ask(ledger, find_environments, when=at(second))
        published = {
            (state.environment, state.repository): state.published.digest for state in states if state.published
        }
        named = {"prod": "production", "staging": "staging"}
        assert published == {
            (named[tag], repository): digest for (repository, tag), digest in expected.items() if tag in named
        }
    assert ask(ledger, find_tags) == ask(ledger, find_tags, when=at(61))


@pytest.mark.parametrize("seed", range(3))
def test_history_agrees_with_a_naive_model(ledger: Ledger, seed: int) -> None:
    events = some_events(seed, 80)
    ledger.receive_body(envelope(*events))
    head, expected = None, list[tuple[int, str | None, int]]()
    for event in events:
        if event.repository != "team/app" or (event.action == "push" and event.tag != "prod"):
            continue
        if event.action == "push":
            if event.digest == head:
                moment, digest, repeated = expected[-1]
                expected[-1] = (moment, digest, repeated + 1)
            else:
                head = event.digest
                expected.append((at(event.at), head, 0))
        elif head is not None and (event.tag == "prod" or event.digest == head):
            head = None
            expected.append((at(event.at), None, 0))
    moves = ask(ledger, find_history, repository="team/app", tag="prod")
    assert [(move.at, move.digest, move.repeated) for move in reversed(moves)] == expected


def test_violations_of_a_repository_do_not_read_those_of_the_others(tmp_path: Path) -> None:
    fill(tmp_path, 3_000, repositories=20)
    store = Store(tmp_path)
    with store.writing() as tx:
        ours, name = tx.execute(
            "SELECT r.id, r.name FROM tags t JOIN repositories r ON r.id = repository_id"
        ).fetchone()
        tags = "(SELECT id FROM tags WHERE repository_id = ?)"
        tx.execute(f"UPDATE moves SET violates = tag_id NOT IN {tags} OR kind = 'created'", (ours,))
        violating = f"SELECT count(*) FROM moves WHERE violates = 1 AND tag_id IN {tags}"
        (count,) = tx.execute(violating, (ours,)).fetchone()
        (count_of_all,) = tx.execute("SELECT count(*) FROM moves WHERE violates = 1").fetchone()
    assert count > 1
    assert count_of_all > 1_000 + count
    db, steps = store.reader(), 0

    def count_steps() -> int:
        nonlocal steps
        steps += 10
        return 0

    db.set_progress_handler(count_steps, 10)
    page = find_violations(db, Query(RULES, Filter(repository=name), count))
    assert (len(page.items), page.after) == (count, None)
    assert steps < 400 * count, (steps, count)
    store.close()
