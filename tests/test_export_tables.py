"""The tables of a bundle: they say what the lines say, and what the trail says of them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tagtrail.export.deployments import Past
from tagtrail.ledger.declare import Declaration, declare
from tagtrail.ledger.record import record_start, record_stop
from tagtrail.ledger.rulebook import load_rulebook
from tagtrail.ledger.submission import Draft, Submission
from tagtrail.line import Entry
from tagtrail.store.deployments import find_deployments
from tagtrail.store.export import StoredRepository
from tagtrail.store.query import Query
from tagtrail.tlog.recovery import begin_epoch
from tagtrail.trail.instant import format_instant
from tagtrail.trail.rules import Rules
from tests.api_client import RULES as MANY_RULES
from tests.api_client import some_events
from tests.checker import check_ledger
from tests.command_line import HOST, HOSTILE, RULES, tell_deletion, tell_story
from tests.conftest import Clock
from tests.events import push
from tests.exports import exported
from tests.signed_log import Log, make_log


@pytest.fixture
def log(tmp_path: Path, clock: Clock) -> Iterator[Log]:
    log = make_log(tmp_path, clock)
    yield log
    check_ledger(log.ledger.store)
    log.ledger.store.close()


@pytest.mark.parametrize("seed", range(3))
def test_deployments_are_those_of_the_trail(log: Log, tmp_path: Path, seed: int) -> None:
    log.ledger.put_in_force(MANY_RULES)
    events = some_events(seed, 150)
    log.ledger.receive(*events[::2], *events[1::2])  # half of them late
    log.ledger.receive(push("1.0", "last", 200))
    declare(log.ledger.store, log.ledger.recorder, Declaration("staging", "team/app:1.0", change="T-1"))
    export = exported(log)
    page = find_deployments(log.ledger.store.reader(), Query(Rules(), limit=1_000))
    trail = {(answer.seq, answer.environment): answer for answer in page.items}
    rows = {(int(row["seq"]), row["environment"]): row for row in export.rows("deployments.csv")}
    assert rows.keys() == trail.keys()
    assert len(rows) > 10
    for key, answer in trail.items():
        row = rows[key]
        assert (row["registry"], row["repository"], row["tag"], row["digest"], row["direction"], row["basis"]) == (
            answer.registry, answer.repository, answer.tag, answer.digest, answer.direction, answer.basis,
        )  # fmt: skip
        assert row["at"] == answer.at.text
        assert row["until"] == ("" if answer.until is None else answer.until.text)
        assert set(answer.release_tags_then) <= set(row["release_tags"].split())
        previous = answer.previous
        assert row["previous_image"].endswith(f"@{previous.digest}" if previous else "")
        assert bool(row["previous_image"]) == bool(previous)
    assert export.verify(tmp_path).startswith("VERIFIED")


def test_deployments_stand_in_the_order_of_their_lines(log: Log) -> None:
    tell_story(log.ledger)
    seqs = [int(row["seq"]) for row in exported(log).rows("deployments.csv")]
    assert seqs == sorted(seqs)


def test_a_deployment_says_what_it_replaced_and_under_which_release(log: Log) -> None:
    tell_story(log.ledger)
    declare(
        log.ledger.store,
        log.ledger.recorder,
        Declaration("staging", "team/worker:staging", change="T-1", actor="dora", note="=1+1"),
    )
    rows = exported(log, identities=True).rows("deployments.csv")
    back = rows[2]
    assert (back["direction"], back["release_tags"], back["actor"]) == ("back", "1.0.0", "bob")
    assert back["image"].startswith(f"{HOST}/team/app:prod@sha256:")
    assert back["previous_image"] == rows[1]["image"]
    declared = rows[-1]
    assert (declared["basis"], declared["change"], declared["actor"]) == ("declared", "T-1", "dora")
    assert declared["note"] == "'=1+1", "a spreadsheet must not take it for a formula"


def test_a_deployment_is_derived_from_the_lines_of_its_size_alone(log: Log) -> None:
    tell_story(log.ledger)
    db = log.ledger.store.reader()
    repository = StoredRepository(
        *log.ledger.rows("SELECT id, 'main', name FROM repositories WHERE name = 'team/app'")[0]
    )
    size = log.log_signer.sign().size
    before = Past(load_rulebook(db).before(size), size).derive(db, repository, "production")
    log.ledger.receive(push("prod", "late", 10))
    assert Past(load_rulebook(db).before(size), size).derive(db, repository, "production") == before
    assert Past(load_rulebook(db), size + 1).derive(db, repository, "production") != before


def test_pushes_are_told_with_their_lines(log: Log) -> None:
    tell_story(log.ledger)
    rows = exported(log, identities=True).rows("pushes.csv")
    assert len(rows) == 12
    assert rows[0]["image"].startswith(f"{HOST}/team/app:1.0.0@sha256:")
    assert (rows[0]["actor"], rows[0]["actor_assurance"], rows[0]["size"]) == ("alice", "claimed", "417")
    assert HOSTILE in {row["actor"] for row in rows}
    assert "actor" not in exported(log).rows("pushes.csv")[0]


def gaps_of(log: Log, **asked: Any) -> list[tuple[str, str]]:
    return [(row["cause"], row["registry"]) for row in exported(log, **asked).rows("gaps.csv")]


def test_the_service_being_down_is_a_gap(log: Log, tmp_path: Path) -> None:
    ledger = log.ledger
    tell_story(ledger)
    ledger.clock.pass_seconds(60)
    record_stop(ledger.recorder)
    ledger.clock.pass_seconds(60)
    record_start(ledger.recorder, RULES)
    tell_deletion(ledger)
    ledger.clock.pass_seconds(60)
    record_start(ledger.recorder, RULES)
    export = exported(log)
    quarantined, stopped, ended = export.rows("gaps.csv")
    assert (quarantined["cause"], quarantined["from"] == quarantined["until"]) == ("quarantined", True)
    assert (stopped["cause"], stopped["from"], stopped["until"]) == (
        "stopped", "2026-04-21T12:01:00.000000Z", "2026-04-21T12:02:00.000000Z",
    )  # fmt: skip
    assert (ended["cause"], ended["from"], ended["until"]) == (
        "ended", "2026-04-22T12:02:00.000000Z", "2026-04-22T12:03:00.000000Z",
    )  # fmt: skip
    assert export.manifest["gaps"] == 3
    assert export.verify(tmp_path).startswith("VERIFIED")


def test_what_the_command_line_wrote_while_the_service_was_dead_does_not_shorten_the_gap(log: Log) -> None:
    tell_story(log.ledger)
    died = log.ledger.rows("SELECT line ->> 'at' FROM lines ORDER BY seq DESC LIMIT 1")[0][0]
    log.ledger.clock.pass_seconds(60)
    exported(log)
    log.ledger.clock.pass_seconds(60)
    record_start(log.ledger.recorder, RULES)
    assert exported(log).rows("gaps.csv")[-1]["from"] == died


def test_another_process_of_the_registry_is_a_gap_and_its_first_is_none(log: Log, tmp_path: Path) -> None:
    first, second = push("1.0.0", "one", 1), push("1.1.0", "two", 5)
    log.ledger.receive(first)
    assert gaps_of(log) == []
    log.ledger.recorder.record(Submission((Draft(Entry(kind="registry", registry="main", instance="another")),)))
    log.ledger.receive(second)
    assert gaps_of(log) == gaps_of(log, tag="none") == [("restarted", "main")]
    since = log.ledger.rows("SELECT line ->> 'at' FROM lines WHERE seq = 1")[0][0]
    export = exported(log, since=since)
    assert [row["cause"] for row in export.rows("gaps.csv")] == ["restarted"]
    assert export.verify(tmp_path).startswith("VERIFIED")


def test_a_new_epoch_is_a_gap_that_has_ended(log: Log) -> None:
    record_start(log.ledger.recorder, RULES)
    last = log.ledger.rows("SELECT received_at FROM entries ORDER BY seq DESC LIMIT 1")[0][0]
    log.log_signer.sign()
    log.place.key.unlink()
    log.ledger.clock.pass_seconds(60)
    began = log.ledger.clock()
    begin_epoch(log.ledger.store, log.ledger.recorder, log.place, reason="the key was lost")
    (gap,) = exported(log).rows("gaps.csv")
    assert (gap["cause"], gap["from"], gap["until"]) == ("gap", format_instant(last, 6), format_instant(began, 6))
    assert "began anew as tagtrail.example/log/2" in gap["explanation"]
    assert gap["explanation"].endswith(": the key was lost")


def test_gaps_that_were_opened_and_closed_are_told(log: Log, tmp_path: Path) -> None:
    def record(**fields: Any) -> None:
        log.ledger.clock.pass_seconds(5)
        log.ledger.recorder.record(Submission((Draft(Entry(**fields)),)))

    record(kind="gap_opened", registry="main", reason="-no answer")
    record(kind="gap_opened", registry="edge", reason="still there")
    record(kind="gap_closed", registry="main")
    export = exported(log)
    main, edge = export.rows("gaps.csv")
    assert (main["registry"], main["explanation"], main["until"] > main["from"]) == ("main", "'-no answer", True)
    assert (edge["registry"], edge["until"]) == ("edge", "")
    assert export.verify(tmp_path).startswith("VERIFIED")
