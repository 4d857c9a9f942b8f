"""The write transaction: what becomes a line, what is counted, what is kept apart, and that nothing is there twice."""

import json
import threading

import pytest
from sqlite_utils.utils import sqlite3 as driver  # type: ignore[attr-defined]

from tagtrail.access.tokens import Sender
from tagtrail.errors import StorageUnavailable
from tagtrail.intake.endpoint import accept
from tagtrail.intake.envelope import read_body
from tagtrail.ledger.front import FrontRecorder
from tagtrail.ledger.record import Recorder
from tagtrail.ledger.submission import Draft, Recorded, Repeated, Submission
from tagtrail.line import Entry
from tagtrail.store.database import Store
from tagtrail.trail.rules import EnvironmentRule, Rules, TagRule
from tests.conftest import Ledger
from tests.events import (
    BLOB,
    INDEX,
    delete_digest,
    delete_repository,
    delete_tag,
    digest_of,
    envelope,
    push,
)


def moves_of(ledger: Ledger, tag: str) -> list[tuple[object, ...]]:
    return ledger.rows(
        "SELECT moves.kind, now.digest, before.digest FROM moves JOIN tags ON tags.id = tag_id"
        " LEFT JOIN manifests now ON now.id = manifest_id LEFT JOIN manifests before ON before.id = previous_id"
        " WHERE tags.name = ? ORDER BY moves.occurred_at, moves.event",
        tag,
    )


def test_a_push_becomes_a_line_with_what_the_registry_said(ledger: Ledger) -> None:
    event = push("1.0.0", "a", 5, actor="alice")
    [recorded] = ledger.receive(event)
    assert isinstance(recorded, Recorded)
    [(line,)] = ledger.rows("SELECT line FROM lines WHERE seq = ?", recorded.seq)
    values = json.loads(line)
    assert values.pop("who")
    assert values.pop("raw")
    assert values == {
        "v": 1, "seq": 1, "at": "2026-04-21T12:00:00.000001Z", "kind": "push", "registry": "main",
        "host": "registry.example:5000", "event": event.id, "instance": "instance-1",
        "occurred": "2026-04-20T12:00:05.000000000Z", "repository": "team/app", "tag": "1.0.0",
        "digest": digest_of("a"), "media_type": "application/vnd.oci.image.manifest.v1+json", "size": 417,
        "request": event.id, "actor_assurance": "claimed",
    }  # fmt: skip


def test_the_start_of_a_registry_is_a_line_once_for_each_instance(ledger: Ledger) -> None:
    ledger.receive(push("a", "a", 1), push("b", "b", 2), push("c", "c", 3, instance="instance-2"))
    assert ledger.rows("SELECT kind FROM entries ORDER BY seq") == [
        ("registry",), ("push",), ("push",), ("registry",), ("push",),
    ]  # fmt: skip


def test_a_repeated_delivery_adds_nothing(ledger: Ledger) -> None:
    event = push("1.0.0", "a", 5)
    [first] = ledger.receive(event)
    assert ledger.receive(event, event) == [Repeated(first.seq), Repeated(first.seq)]
    assert ledger.rows("SELECT count(*) FROM lines") == [(2,)]


def test_the_same_id_with_another_content_is_quarantined_once(ledger: Ledger) -> None:
    event = push("1.0.0", "a", 5)
    forged = push("1.0.0", "b", 5, id=event.id)
    ledger.receive(event, forged, forged, event)
    assert ledger.rows("SELECT kind FROM entries ORDER BY seq") == [("registry",), ("push",), ("quarantined",)]
    assert moves_of(ledger, "1.0.0") == [("created", digest_of("a"), None)]


def test_the_same_id_with_another_actor_is_quarantined(ledger: Ledger) -> None:
    event = push("1.0.0", "a", 5, actor="alice")
    ledger.receive(event, push("1.0.0", "a", 5, id=event.id, actor="bob"))
    assert ledger.rows("SELECT count(*) FROM quarantine") == [(1,)]


def test_the_same_id_from_another_registry_is_another_event(ledger: Ledger, store: Store) -> None:
    event = push("1.0.0", "a", 5)
    ledger.receive(event)
    other = Ledger(store, ledger.recorder, ledger.clock, Sender("other", authenticates=True))
    assert isinstance(other.receive(event)[0], Recorded)


def test_blobs_mounts_and_pulls_are_counted_once_and_never_become_lines(ledger: Ledger) -> None:
    ledger.receive(push("1", "a", 0))
    events = [
        push(None, "b", 1, media_type=BLOB),
        push(None, "b", 2, media_type=BLOB, action="mount"),
        push("1", "a", 3, action="pull", method="GET"),
        push("1", "a", 4, action="pull", method="HEAD"),
        push(None, "b", 5, action="pull", method="HEAD", media_type=BLOB),
        push(None, "b", 86_400, media_type=BLOB),
    ]
    for event in events:
        ledger.receive(event, event)
    assert ledger.rows("SELECT day, action, events FROM traffic ORDER BY day, action") == [
        ("2026-04-20", "head_blob", 1), ("2026-04-20", "head_manifest", 1), ("2026-04-20", "mount_blob", 1),
        ("2026-04-20", "pull_manifest", 1), ("2026-04-20", "push_blob", 1), ("2026-04-21", "push_blob", 1),
    ]  # fmt: skip
    assert ledger.rows("SELECT count(*) FROM lines") == [(2,)]


def test_a_tag_is_created_moved_moved_back_deleted_and_created_again(ledger: Ledger) -> None:
    ledger.receive(
        push("prod", "a", 1), push("prod", "b", 2), push("prod", "b", 3), push("prod", "a", 4),
        delete_tag("prod", 5), delete_tag("prod", 6), push("prod", "c", 7),
    )  # fmt: skip
    a, b, c = digest_of("a"), digest_of("b"), digest_of("c")
    assert moves_of(ledger, "prod") == [
        ("created", a, None), ("moved", b, a), ("moved_back", a, b), ("deleted", None, a), ("created", c, a),
    ]  # fmt: skip


def test_deleting_a_digest_takes_away_every_tag_that_points_to_it_and_no_other(ledger: Ledger) -> None:
    ledger.receive(
        push("1.0", "a", 1), push("prod", "a", 2), push("old", "a", 3), push("old", "b", 4), delete_digest("a", 5)
    )
    assert ledger.rows("SELECT name FROM tags WHERE head_id IS NULL ORDER BY name") == [("1.0",), ("prod",)]


def test_deleting_a_repository_takes_away_all_its_tags(ledger: Ledger) -> None:
    ledger.receive(push("1.0", "a", 1), push("prod", "b", 2), push("1.0", "a", 3, repository="team/other"))
    ledger.receive(delete_repository(4))
    assert ledger.rows("SELECT count(*) FROM tags WHERE head_id IS NOT NULL") == [(1,)]


def test_a_late_event_does_not_move_the_head_back(ledger: Ledger) -> None:
    ledger.receive(push("prod", "a", 1), push("prod", "c", 3))
    [outcome] = ledger.receive(push("prod", "b", 2))
    assert isinstance(outcome, Recorded)
    assert [(move.kind, move.is_late) for move in outcome.moves] == [("moved", True)]
    assert [kind for kind, _, _ in moves_of(ledger, "prod")] == ["created", "moved", "moved"]
    assert ledger.rows("SELECT digest FROM tags JOIN manifests ON manifests.id = head_id") == [(digest_of("c"),)]


def test_a_push_that_arrives_after_its_own_deletion_leaves_the_tag_deleted(ledger: Ledger) -> None:
    ledger.receive(delete_digest("a", 5), delete_tag("1.0", 6), push("1.0", "a", 1))
    assert [kind for kind, _, _ in moves_of(ledger, "1.0")] == ["created", "deleted"]


def test_a_release_tag_that_moves_or_goes_and_comes_back_different_is_a_violation(ledger: Ledger) -> None:
    ledger.receive(
        push("1.0.0", "a", 1), push("1.0.0", "b", 2), delete_tag("1.0.0", 3), push("1.0.0", "b", 4),
        delete_tag("1.0.0", 5), push("1.0.0", "c", 6), push("latest", "a", 7), push("latest", "b", 8),
    )  # fmt: skip
    assert ledger.rows("SELECT kind, is_release, violates FROM moves ORDER BY occurred_at") == [
        ("created", 1, 0), ("moved", 1, 1), ("deleted", 1, 1), ("created", 1, 0), ("deleted", 1, 1),
        ("created", 1, 1), ("created", 0, 0), ("moved", 0, 0),
    ]  # fmt: skip


def test_rules_judge_from_the_line_that_put_them_in_force(ledger: Ledger) -> None:
    ledger.receive(push("stable", "a", 1), push("stable", "b", 2))
    ledger.put_in_force(Rules(tag_rules=(TagRule("**", "stable", "glob", "release"),)))
    ledger.receive(push("stable", "c", 4), push("stable", "d", 3))
    assert ledger.rows("SELECT violates FROM moves ORDER BY occurred_at") == [(0,), (0,), (1,), (1,)]


def test_a_restart_with_the_same_rules_does_not_write_them_again(ledger: Ledger) -> None:
    for _ in range(2):
        ledger.put_in_force(Rules())
    assert ledger.rows("SELECT kind FROM entries ORDER BY seq") == [("configuration",), ("started",), ("started",)]


def test_an_environment_is_deployed_to_forward_back_and_withdrawn(ledger: Ledger) -> None:
    ledger.receive(
        push("prod", "a", 1), push("prod", "b", 2), push("prod", "a", 3), delete_tag("prod", 4),
        push("prod", "a", 5), push("prod", "c", 6), push("prod", "b", 5.5),
    )  # fmt: skip
    assert ledger.rows("SELECT direction FROM publications ORDER BY occurred_at") == [
        ("first",), ("forward",), ("back",), (None,), ("again",), ("back",), ("forward",),
    ]  # fmt: skip


def test_two_rules_of_one_environment_publish_a_push_once(ledger: Ledger) -> None:
    rules = (EnvironmentRule("production", "**", "prod"), EnvironmentRule("production", "team/*", "prod"))
    ledger.put_in_force(Rules(environments=rules))
    ledger.receive(push("prod", "a", 1))
    assert ledger.rows("SELECT environment FROM publications") == [("production",)]


def test_a_late_new_digest_leaves_the_way_back_a_way_back(ledger: Ledger) -> None:
    ledger.receive(push("prod", "a", 1), push("prod", "b", 2), push("prod", "a", 5), push("prod", "c", 3))
    assert [kind for kind, _, _ in moves_of(ledger, "prod")] == ["created", "moved", "moved", "moved_back"]


def test_a_late_push_puts_many_deployments_in_their_place(ledger: Ledger) -> None:
    ledger.receive(*(push("prod", str(number), 10 + number) for number in range(30)), push("prod", "late", 5))
    assert ledger.rows("SELECT direction, count(*) FROM publications GROUP BY 1 ORDER BY 1") == [
        ("first", 1), ("forward", 30),
    ]  # fmt: skip


def test_no_two_lines_share_a_time_even_while_the_clock_stands(ledger: Ledger) -> None:
    ledger.receive(push("a", "a", 1), push("b", "b", 2))
    ledger.clock.pass_seconds(-3_600)
    ledger.receive(push("c", "c", 3))
    times = [json.loads(line)["at"] for (line,) in ledger.rows("SELECT line FROM lines ORDER BY seq")]
    assert times == sorted(set(times))


def test_a_clock_that_was_set_back_holds_no_event_back(ledger: Ledger) -> None:
    ledger.receive(push("a", "a", 1))
    ledger.clock.pass_seconds(-30 * 86_400)
    body = envelope(push("b", "b", 2))
    accept(ledger.recorder, ledger.sender, read_body(body, ledger.sender, received_at=ledger.recorder.now()))
    assert ledger.rows("SELECT count(*) FROM quarantine") == [(0,)]


def test_a_retry_is_known_after_the_registrys_authentication_was_configured(ledger: Ledger) -> None:
    event = push("prod", "a", 1, actor="alice")
    ledger.receive(event)
    ledger.sender = Sender("main", authenticates=True)
    assert isinstance(ledger.receive(event)[0], Repeated)


def test_a_registry_without_an_instance_id_is_heard_of(ledger: Ledger) -> None:
    ledger.receive(push("prod", "a", 1, instance=""))
    assert ledger.rows("SELECT registry, instance FROM contacts") == [("main", "")]


def test_trouble_in_reading_the_rules_is_no_reason_for_quarantine(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(db: object) -> None:
        raise driver.OperationalError("disk I/O error")

    with monkeypatch.context() as broken:
        broken.setattr("tagtrail.ledger.record.load_rulebook", fail)
        with pytest.raises(StorageUnavailable):
            ledger.recorder.record(Submission(()))


def test_the_manifests_of_an_index_are_connected_to_it(ledger: Ledger) -> None:
    platforms = tuple(
        {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest_of(name), "size": 1, **more}
        for name, more in (("amd", {"platform": {"os": "linux", "architecture": "amd64"}}), ("arm", {}))
    )
    ledger.receive(push(None, "amd", 1), push("2.0", "index", 2, media_type=INDEX, references=platforms))
    assert ledger.rows(
        "SELECT manifests.digest, platform FROM index_members JOIN manifests ON manifests.id = manifest_id ORDER BY 2"
    ) == [(digest_of("arm"), None), (digest_of("amd"), "linux/amd64")]


def test_time_in_the_ledger_never_goes_back(ledger: Ledger) -> None:
    ledger.receive(push("a", "a", 1))
    ledger.clock.pass_seconds(-3_600)
    ledger.receive(push("b", "b", 2))


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE lines SET line = x'00'",
        "UPDATE lines SET seq = seq + 100",
        "DELETE FROM lines",
        "DELETE FROM lines WHERE seq = (SELECT max(seq) FROM lines)",
        "INSERT INTO lines VALUES (99, x'00', zeroblob(32))",
        "INSERT OR REPLACE INTO lines VALUES (0, x'00', zeroblob(32))",
        "REPLACE INTO lines VALUES (1, x'00', zeroblob(32))",
        "INSERT INTO lines VALUES (NULL, x'00', zeroblob(31))",
        "INSERT OR REPLACE INTO disclosures VALUES (1, x'00', x'00')",
        "UPDATE disclosures SET who = x'00'",
        "UPDATE pruned SET before_seq = -1",
        "DELETE FROM pruned",
    ],
)
def test_the_database_refuses_to_change_what_is_recorded(ledger: Ledger, sql: str) -> None:
    ledger.receive(push("a", "a", 1), push("b", "b", 2))
    with pytest.raises(driver.IntegrityError), ledger.store.writing() as tx:
        tx.execute(sql)


def test_a_disclosure_can_be_erased_and_the_ledger_still_holds(ledger: Ledger) -> None:
    ledger.receive(push("a", "a", 1, actor="alice"))
    with ledger.store.writing() as tx:
        tx.execute("UPDATE disclosures SET who = NULL, raw = NULL")
        tx.execute("UPDATE entries SET actor_id = NULL")
        tx.execute("DELETE FROM actors")


def test_what_fails_alone_is_recorded_without_taking_its_group_along(ledger: Ledger) -> None:
    """A line over the limit cannot be written; the submission beside it can."""
    too_long = Submission((Draft(Entry(kind="annotation", reason="x" * 70_000)),))
    good = Submission((Draft(Entry(kind="annotation", reason="fine")),))
    results = FrontRecorder(ledger.recorder).append([too_long, good])
    assert isinstance(results[0], ValueError)
    assert isinstance(results[1], list)
    assert ledger.rows("SELECT count(*) FROM lines") == [(1,)]


def test_a_full_disk_stores_nothing_and_says_so(ledger: Ledger) -> None:
    ledger.receive(push("a", "a", 1))
    [(pages,)] = ledger.rows("PRAGMA page_count")
    with ledger.store.writing():
        pass
    writer = ledger.store._writer
    assert writer is not None
    writer.execute(f"PRAGMA max_page_count = {pages}")
    too_much = [push("b", f"content {number}", 2 + number) for number in range(200)]
    with pytest.raises(StorageUnavailable):
        ledger.receive(*too_much)
    writer.execute("PRAGMA max_page_count = 1000000000")
    ledger.receive(push("c", "c", 300))


def test_many_threads_record_without_a_gap(ledger: Ledger) -> None:
    bodies = [[envelope(push(f"t{thread}", f"{number}", number)) for number in range(50)] for thread in range(8)]
    failures: list[BaseException] = []

    def feed(own: list[bytes]) -> None:
        try:
            for body in own:
                ledger.receive_body(body)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=feed, args=(own,)) for own in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert ledger.rows("SELECT count(*) FROM lines WHERE seq >= 0") == [(401,)]


def test_two_recorders_take_turns(ledger: Ledger, store: Store) -> None:
    """As two worker processes do, each with a connection of its own."""
    other_store = Store(store.directory)
    other = Ledger(other_store, Recorder(other_store, clock=ledger.clock), ledger.clock)
    for number in range(20):
        ledger.receive(push("prod", f"{number}", 2 * number))
        other.receive(push("prod", f"{number}", 2 * number + 1))
    assert len(moves_of(ledger, "prod")) == 20
    other_store.close()
