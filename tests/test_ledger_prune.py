"""What pruning takes and what it never takes; everything else is as it was, proofs included."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from tagtrail.errors import BadParameter
from tagtrail.ledger import prune as retention
from tagtrail.ledger.batch import rebuild
from tagtrail.ledger.declare import Declaration, declare
from tagtrail.ledger.record import Recorder
from tagtrail.ledger.submission import Draft, Submission
from tagtrail.line import Entry, hash_leaf
from tagtrail.store.lines import get_last_seq
from tagtrail.store.rebuilding import dump_projection
from tagtrail.store.tree import StoredHashes
from tagtrail.tlog.tree import Tree
from tagtrail.trail.instant import DAY, SECOND, format_instant
from tests.api_client import RULES, make_client, some_events, story
from tests.checker import check_ledger
from tests.command_line import CommandLine
from tests.conftest import Clock, Ledger
from tests.events import INDEX, MANIFEST, delete_digest, delete_repository, delete_tag, digest_of, envelope, push
from tests.signed_log import make_log
from tests.test_ledger_erase import forget


@pytest.fixture
def told(ledger: Ledger) -> Ledger:
    """The ledger after the story."""
    ledger.put_in_force(RULES)
    ledger.receive_body(envelope(*story()))
    return ledger


def prune_all(ledger: Ledger) -> list[int]:
    """Prune whatever can be pruned of the lines so far; their numbers."""
    before = {seq for (seq,) in ledger.rows("SELECT seq FROM pruned_leaves")}
    retention.prune(ledger.store, ledger.recorder, before=get_last_seq(ledger.store.reader()) + 1, reason="two years")
    return [seq for (seq,) in ledger.rows("SELECT seq FROM pruned_leaves ORDER BY seq") if seq not in before]


def newest(ledger: Ledger) -> dict[str, Any]:
    """The newest line, decoded."""
    ((line,),) = ledger.rows("SELECT line FROM lines ORDER BY seq DESC LIMIT 1")
    document: dict[str, Any] = json.loads(line)
    return document


def root_of(ledger: Ledger, size: int) -> bytes:
    return Tree(StoredHashes(ledger.store.reader())).root(size)


def answers(ledger: Ledger) -> dict[str, Any]:
    """What the API says of everything that is promised for ever."""
    client = make_client(ledger)
    paths = [
        "tags", "deployments", "environments", "violations", "history?repository=team/app&tag=prod",
        "history?repository=team/app&tag=1.0.0", "history?repository=team/app&tag=1.1.0",
        "tags?at=2026-04-20T12:00:15Z",
        f"digests/{digest_of('one')}", f"digests/{digest_of('two')}", f"digests/{digest_of('arm')}",
    ]  # fmt: skip
    said: dict[str, Any] = {path: client.get(f"/api/v1/{path}").json for path in paths}
    for path in paths:
        for item in said[path].get("items", ()) if path.startswith("history") else ():
            del item["repeated"]  # counts the lines that there are
    return said


def test_repeated_pushes_and_the_services_own_starts_go(told: Ledger) -> None:
    repeated, _ = told.receive(*(push("prod", "index", at, media_type=INDEX) for at in (70, 71)))
    told.recorder.record(Submission((Draft(Entry(kind="stopped", version="1")),)))
    kinds = dict(told.rows("SELECT seq, kind FROM entries"))
    pruned = prune_all(told)
    assert repeated.seq in pruned
    assert {kinds[seq] for seq in pruned} == {"push", "registry", "started", "stopped"}
    assert {seq for seq, kind in kinds.items() if kind in ("registry", "started", "stopped")} <= set(pruned)


def test_what_is_promised_for_ever_is_answered_as_before(told: Ledger) -> None:
    before = answers(told)
    assert prune_all(told)
    assert answers(told) == before


def test_the_line_says_what_is_gone_and_every_leaf_is_still_there(told: Ledger) -> None:
    size = get_last_seq(told.store.reader()) + 1
    lines = dict(told.rows("SELECT seq, line FROM lines"))
    roots = [root_of(told, some) for some in range(1, size + 1)]
    pruned = prune_all(told)
    said = newest(told)
    assert (said["kind"], said["seq"], said["before"], said["reason"]) == ("pruned", size, size, "two years")
    assert [seq for first, last in said["lines"] for seq in range(first, last + 1)] == pruned
    assert told.rows("SELECT seq, leaf FROM pruned_leaves") == [(seq, hash_leaf(lines[seq])) for seq in pruned]
    assert [root_of(told, some) for some in range(1, size + 1)] == roots
    assert not {seq for (seq,) in told.rows("SELECT seq FROM disclosures")} & set(pruned)
    assert told.rows("SELECT seq, line FROM lines WHERE seq < ?", size) == [
        (seq, line) for seq, line in lines.items() if seq not in pruned
    ]


def test_the_ledger_goes_on_after_the_newest_line(told: Ledger) -> None:
    prune_all(told)
    last = get_last_seq(told.store.reader())
    told.receive(push("prod", "new", 200))
    assert newest(told)["seq"] == last + 1


def test_pruning_again_takes_what_has_become_old_since(told: Ledger) -> None:
    prune_all(told)
    assert prune_all(told) == []
    assert newest(told)["kind"] == "pruned"
    told.receive(push("prod", "index", 80, media_type=INDEX), push("prod", "index", 90, media_type=INDEX))
    assert len(prune_all(told)) == 1  # the one at 60 s made the move, the one at 90 s is the latest


def test_the_first_push_of_a_digest_and_the_last_word_about_it_are_kept(ledger: Ledger) -> None:
    outcomes = ledger.receive(
        push(None, "one", 1),  # first
        push(None, "one", 2),
        push("prod", "one", 3),  # the move
        push("prod", "two", 4),
        push(None, "one", 5),
        delete_digest("one", 6),  # moves nothing, but tells that it is gone
        delete_digest("none", 7),  # of what was never seen; the latest that may concern several tags
    )
    first, second, moved, other, fifth, deleted, never = [outcome.seq for outcome in outcomes]
    pruned = prune_all(ledger)
    assert {second, fifth} <= set(pruned)
    assert not {first, moved, other, deleted, never} & set(pruned)


def test_a_delete_that_others_followed_goes_with_the_names_that_only_it_told(ledger: Ledger) -> None:
    ledger.receive(push("prod", "one", 1, actor="alice"))
    [nothing] = ledger.receive(delete_tag("prod", 0.5, actor="zed"))
    ledger.receive(delete_digest("never", 2), push("prod", "one", 3, actor="alice"), delete_repository(4))
    pruned = prune_all(ledger)
    assert nothing.seq in pruned
    assert ledger.rows("SELECT name FROM actors WHERE name = 'zed'") == []


def test_an_index_push_that_alone_names_its_platforms_is_kept(ledger: Ledger) -> None:
    platform = {"mediaType": MANIFEST, "digest": digest_of("arm"), "platform": {"os": "linux", "architecture": "arm64"}}
    outcomes = ledger.receive(
        push("2.0", "index", 1, media_type=INDEX),
        push("2.0", "index", 2, media_type=INDEX, references=(platform,)),
        push("2.0", "index", 3, media_type=INDEX),
        push("2.0", "index", 4, media_type=INDEX),
    )
    _, telling, third, _ = [outcome.seq for outcome in outcomes]
    pruned = prune_all(ledger)
    assert third in pruned
    assert telling not in pruned
    described: Any = make_client(ledger).get(f"/api/v1/digests/{digest_of('index')}").json
    assert described["platforms"] != []


def test_governance_lines_and_deployments_are_kept(told: Ledger) -> None:
    declare(told.store, told.recorder, Declaration("production", "team/app:prod"))
    for kind in ("token", "key", "exported", "gap_opened", "gap_closed"):
        told.recorder.record(Submission((Draft(Entry(kind=kind)),)))
    forget(told, "mallory")
    kept = told.rows(
        "SELECT seq FROM entries WHERE kind IN"
        " ('configuration', 'token', 'key', 'exported', 'gap_opened', 'gap_closed', 'erased', 'deployment')"
    )
    assert len(kept) == 8
    assert not {seq for (seq,) in kept} & set(prune_all(told))


def test_an_annotated_line_is_kept_with_its_annotation(told: Ledger) -> None:
    [repeated, _] = told.receive(
        push("prod", "index", 70, media_type=INDEX), push("prod", "index", 71, media_type=INDEX)
    )
    entry = Entry(kind="annotation", annotates=repeated.seq, relation="ticket", change="OPS-1")
    told.recorder.record(Submission((Draft(entry),)))
    assert repeated.seq not in prune_all(told)


def test_a_quarantined_line_goes_and_what_is_sent_again_is_recorded_again(ledger: Ledger) -> None:
    ledger.receive(push("prod", "one", 1))
    ledger.receive_body(b"junk")
    assert prune_all(ledger)
    assert ledger.rows("SELECT * FROM quarantine") == []
    ledger.receive_body(b"junk")
    assert newest(ledger)["kind"] == "quarantined"


def test_a_pruned_event_that_is_sent_again_is_recorded_again_and_moves_nothing(ledger: Ledger) -> None:
    old = push("prod", "one", 2)
    ledger.receive(push("prod", "one", 1), old, push("prod", "one", 3), push("prod", "two", 4))
    assert prune_all(ledger)
    moves = ledger.rows("SELECT * FROM moves")
    [outcome] = ledger.receive(old)
    assert newest(ledger)["seq"] == outcome.seq
    assert ledger.rows("SELECT * FROM moves") == moves


@pytest.mark.parametrize("seed", range(8))
def test_whatever_happened_the_trail_is_derived_again_from_what_is_kept(ledger: Ledger, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - no secret
    ledger.put_in_force(RULES)
    events = some_events(seed, 200)
    chance.shuffle(events) if seed % 2 else None
    for first in range(0, 200, 50):
        ledger.receive(*events[first : first + 50])
        before = dump_projection(ledger.store.reader())
        pruned = set(prune_all(ledger))
        assert pruned
        after = dump_projection(ledger.store.reader())
        assert (after["moves"], after["publications"]) == (before["moves"], before["publications"])
        check_ledger(ledger.store)


def test_erase_then_prune_then_rebuild(told: Ledger) -> None:
    size = get_last_seq(told.store.reader()) + 1
    root = root_of(told, size)
    forget(told, "alice")
    prune_all(told)
    forget(told, "bob")
    retention.prune_raw(told.recorder, before=size, reason="ninety days")
    projection = dump_projection(told.store.reader())
    rebuild(told.store)
    assert dump_projection(told.store.reader()) == projection
    assert root_of(told, size) == root


def test_a_signed_log_is_verified_after_pruning_and_erasing(tmp_path: Path, clock: Clock) -> None:
    log = make_log(tmp_path, clock)
    log.ledger.put_in_force(RULES)
    log.ledger.receive(*story())
    log.log_signer.sign()
    assert prune_all(log.ledger)
    forget(log.ledger, "alice")
    log.ledger.receive(push("prod", "later", 200))
    log.log_signer.sign()
    log.check()
    assert log.find_trouble() is None
    log.ledger.store.close()


def test_events_as_received_may_have_a_shorter_life(told: Ledger) -> None:
    told.receive_body(b"junk")
    size = get_last_seq(told.store.reader()) + 1
    told.receive(push("prod", "later", 100, actor="alice"))
    lines = told.rows("SELECT seq, line FROM lines")
    who = told.rows("SELECT seq, who FROM disclosures WHERE who IS NOT NULL")
    seq = retention.prune_raw(told.recorder, before=size, reason="ninety days")
    said = newest(told)
    assert (said["seq"], said["kind"], said["format"], said["before"], "lines" in said) == (
        seq,
        "pruned",
        "raw",
        size,
        False,
    )
    assert told.rows("SELECT seq FROM disclosures WHERE raw IS NOT NULL") == [(size,)]
    assert told.rows("SELECT seq, who FROM disclosures WHERE who IS NOT NULL") == who
    assert told.rows("SELECT seq, line FROM lines WHERE seq < ?", seq) == lines
    assert told.rows("SELECT * FROM pruned_leaves") == []


def test_a_late_event_between_the_plan_and_the_deed_is_heeded(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger.receive(*(push("prod", "one", at) for at in (10, 20, 30)))
    planned = retention.plan
    late = [push("prod", "two", 15)]  # makes the push at 20 s a move

    def plan_and_be_late(store: Any, *, before: int) -> retention.Plan:
        found = planned(store, before=before)
        if late:
            ledger.receive(late.pop())
        return found

    monkeypatch.setattr(retention, "plan", plan_and_be_late)
    size = get_last_seq(ledger.store.reader()) + 1
    done = retention.prune(ledger.store, ledger.recorder, before=size, reason="two years")
    assert done is not None
    assert (done[1].count, len(ledger.rows("SELECT 1 FROM moves"))) == (1, 3)  # the registry's start alone
    assert len(ledger.rows("SELECT 1 FROM entries WHERE kind = 'pruned'")) == 1


def test_ranges_that_no_line_can_name_are_left_out(told: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "_MOST_RANGES", 1)
    assert prune_all(told)
    assert "lines" not in newest(told)


def test_another_process_goes_on_with_the_names_that_there_are(told: Ledger) -> None:
    other = Ledger(told.store, Recorder(told.store, clock=told.clock), told.clock)
    other.receive(delete_digest("ghost", 100), delete_digest("ghost", 101, repository="team/web"))
    other.receive(push("prod", "index", 102, media_type=INDEX))
    prune_all(told)
    other.receive(push("prod", "ghost", 103))


@pytest.mark.parametrize(("days", "least"), [(29, 30), (0.5, 1)])
def test_what_is_too_young_is_refused(days: float, least: int) -> None:
    now = 1_000 * DAY
    with pytest.raises(BadParameter, match=rf"less than {least} day"):
        retention.check_request(now - int(days * DAY), "x", now=now, least_days=least, parameter="--before")
    retention.check_request(now - (least + 1) * DAY, "x", now=now, least_days=least, parameter="--before")


def test_the_commands_tell_and_do_it(told: Ledger) -> None:
    line = CommandLine(told.store.directory)
    told.clock.now += 10 * DAY
    told.receive(push("prod", "index", 70, media_type=INDEX), push("prod", "index", 71, media_type=INDEX))
    size = get_last_seq(told.store.reader()) + 1
    time = format_instant(told.clock.now + SECOND, 0)
    said = line.ask("prune", "--before", time, "--raw-before", time, "--reason", "two years")
    assert "Would be deleted: 4 lines" in said
    assert "(2 push, 1 registry, 1 started)" in said
    assert "Would be deleted: 17 events as received" in said
    assert "--yes" in said
    assert get_last_seq(told.store.reader()) + 1 == size
    said = line.ask("prune", "--before", time, "--raw-before", time, "--reason", "two years", "--yes")
    assert f"Recorded as line {size}." in said
    assert f"Recorded as line {size + 1}." in said
    again = line.ask("prune", "--before", time, "--raw-before", time, "--reason", "two years", "--yes")
    assert again.count("nothing was recorded") == 2
    log = line.ask("log", "--kind", "pruned")
    assert "4 lines" in log
    assert line.run("prune", "--before", "3 days ago", "--reason", "x").exit_code == 2
    assert line.run("prune", "--reason", "x").exit_code == 2
