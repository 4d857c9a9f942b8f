"""The guard and its two ways out: a ledger that is not what was signed of it is recovered, or goes on as a new log."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tagtrail.errors import Contradicted, Refused
from tagtrail.ledger.erase import erase, find_holdings
from tagtrail.ledger.record import Recorder, record_start
from tagtrail.store.rebuilding import dump_projection
from tagtrail.store.tree import StoredHashes, find_checkpoint
from tagtrail.tlog.note import read_note
from tagtrail.tlog.recovery import begin_epoch, recover
from tagtrail.tlog.signer import rotate_key
from tagtrail.tlog.tree import Tree, is_consistent
from tagtrail.trail.rules import Rules
from tests.checker import check_ledger as check_promises
from tests.conftest import Clock
from tests.events import delete_tag, push
from tests.signed_log import Log, checkpoint_of, make_log, put_back_database, save_database


@pytest.fixture
def log(tmp_path: Path, clock: Clock) -> Iterator[Log]:
    """A log with four lines under its first checkpoint."""
    log = make_log(tmp_path, clock)
    record_start(log.ledger.recorder, Rules())
    log.ledger.receive(push("1.0.0", "one", 1), push("prod", "one", 2))
    log.log_signer.sign()
    yield log
    log.ledger.store.close()


def grow(log: Log) -> None:
    """Three lines more, and a checkpoint."""
    log.ledger.receive(push("1.1.0", "two", 10), push("prod", "two", 11), delete_tag("1.0.0", 12))
    log.log_signer.sign()


@pytest.fixture
def restored(log: Log, tmp_path: Path) -> Log:
    """The log after an old backup of its database was put back."""
    save_database(log, tmp_path / "old.db")
    grow(log)
    return put_back_database(log, tmp_path / "old.db")


def test_a_ledger_that_only_grew_is_let_in(log: Log) -> None:
    log.check()
    log.ledger.receive(push("1.1.0", "two", 10))
    log.check()


def test_a_new_ledger_is_let_in(tmp_path: Path, clock: Clock) -> None:
    new = make_log(tmp_path / "new", clock)
    new.check()
    new.ledger.store.close()


def test_a_restored_backup_is_refused_with_both_ways_out(restored: Log) -> None:
    with pytest.raises(Contradicted) as refusal:
        restored.check()
    size = restored.ledger.rows("SELECT count(*) FROM lines")[0][0]
    assert f"lines {size} to {size + 2} are missing" in str(refusal.value)
    assert "tagtrail log recover" in str(refusal.value)
    assert "tagtrail log new-epoch --reason" in str(refusal.value)


def test_a_fork_is_refused(restored: Log) -> None:
    restored.ledger.receive(*(push(f"2.0.{at}", "other", 20 + at) for at in range(5)))
    with pytest.raises(Contradicted, match="another history"):
        restored.check()
    with pytest.raises(Contradicted, match="another history"):
        restored.log_signer.sign()


def test_a_database_that_is_gone_is_refused_while_its_journal_is_there(log: Log) -> None:
    log.ledger.store.close()
    for path in log.ledger.store.directory.glob("tagtrail.db*"):
        path.unlink()
    log.ledger.store.prepare()
    with pytest.raises(Contradicted, match="lines 0 to"):
        log.check()


def test_a_journal_that_somebody_else_signed_is_refused(log: Log) -> None:
    other = make_log(log.place.journal.parent / "other", log.ledger.clock)
    other.log_signer.sign()
    (foreign,) = other.journal.directory.glob("*.checkpoints")
    (ours,) = log.journal.directory.glob("*.checkpoints")
    ours.write_bytes(ours.read_bytes() + foreign.read_bytes())
    with pytest.raises(Contradicted, match="cannot be believed"):
        log.check()
    other.ledger.store.close()


def test_lost_lines_are_appended_again_byte_for_byte(log: Log, tmp_path: Path) -> None:
    save_database(log, tmp_path / "old.db")
    grow(log)
    before = log.ledger.rows("SELECT seq, line, leaf FROM lines")
    moves = log.ledger.rows("SELECT * FROM moves")
    restored = put_back_database(log, tmp_path / "old.db")
    assert recover(restored.ledger.store, restored.ledger.recorder, restored.place.journal) == 3
    after = restored.ledger.rows("SELECT seq, line, leaf FROM lines")
    assert after[: len(before)] == before
    assert restored.ledger.rows("SELECT * FROM moves") == moves
    said = json.loads(after[len(before)][1])
    assert (said["kind"], said["relation"], said["lines"]) == (
        "annotation",
        "recovered",
        [[len(before) - 3, len(before) - 1]],
    )
    restored.check()
    restored.log_signer.sign()
    assert restored.find_trouble() is None
    check_promises(restored.ledger.store)


def test_a_whole_ledger_is_recovered_from_its_journal(log: Log) -> None:
    grow(log)
    rotate_key(log.ledger.store, log.ledger.recorder, log.log_signer, log.place, reason="yearly")
    before, keys = log.ledger.rows("SELECT seq, line, leaf FROM lines"), log.log_signer.verifier_keys()
    log.ledger.store.close()
    for path in log.ledger.store.directory.glob("tagtrail.db*"):
        path.unlink()
    log.ledger.store.prepare()
    new = put_back_database(log, log.ledger.store.path.rename(log.ledger.store.directory / "empty.db"))
    recover(new.ledger.store, new.ledger.recorder, new.place.journal)
    assert new.ledger.rows("SELECT seq, line, leaf FROM lines")[: len(before)] == before
    assert new.log_signer.verifier_keys() == keys
    new.log_signer.sign()
    new.check()
    assert new.find_trouble() is None
    check_promises(new.ledger.store)
    new.ledger.store.close()


def test_what_was_erased_after_the_backup_is_erased_again(log: Log, tmp_path: Path) -> None:
    log.ledger.receive(push("2.0.0", "two", 5, actor="alice-of-the-backup"))
    save_database(log, tmp_path / "old.db")
    erase(log.ledger.recorder, find_holdings(log.ledger.store, "alice-of-the-backup"), reason="case 17")
    log.log_signer.sign()
    restored = put_back_database(log, tmp_path / "old.db")
    assert restored.ledger.rows("SELECT name FROM actors WHERE name LIKE 'alice%'")
    recover(restored.ledger.store, restored.ledger.recorder, restored.place.journal)
    assert not restored.ledger.rows("SELECT name FROM actors WHERE name LIKE 'alice%'")
    assert not restored.ledger.rows("SELECT seq FROM disclosures WHERE instr(who, 'alice') OR instr(raw, 'alice')")
    restored.check()
    check_promises(restored.ledger.store)


def test_nothing_is_recovered_where_nothing_is_missing(log: Log) -> None:
    with pytest.raises(Refused, match="nothing to recover"):
        recover(log.ledger.store, log.ledger.recorder, log.place.journal)


def test_a_fork_is_not_recovered_and_not_changed(restored: Log) -> None:
    restored.ledger.receive(push("2.0.0", "other", 20))
    before = dump_projection(restored.ledger.store.reader())
    with pytest.raises(Contradicted, match="another history"):
        recover(restored.ledger.store, restored.ledger.recorder, restored.place.journal)
    assert dump_projection(restored.ledger.store.reader()) == before
    check_promises(restored.ledger.store)


def test_a_journal_with_a_line_changed_recovers_nothing(restored: Log) -> None:
    for path in restored.journal.directory.glob("*.ndjson"):
        path.write_bytes(path.read_bytes().replace(b'"tag":"1.1.0"', b'"tag":"1.1.9"'))
    size = restored.ledger.rows("SELECT count(*) FROM lines")
    with pytest.raises(Contradicted, match="another history"):
        recover(restored.ledger.store, restored.ledger.recorder, restored.place.journal)
    assert restored.ledger.rows("SELECT count(*) FROM lines") == size


def test_a_new_epoch_names_what_was_lost(restored: Log) -> None:
    kept = restored.ledger.rows("SELECT count(*) FROM lines")[0][0]
    lost = restored.journal.find_checkpoint()
    origin = begin_epoch(restored.ledger.store, restored.ledger.recorder, restored.place, reason="the disk died")
    assert origin == "tagtrail.example/log/2"
    first = json.loads(restored.ledger.rows("SELECT line FROM lines ORDER BY seq DESC LIMIT 1")[0][0])
    assert (first["kind"], first["origin"], first["lost"], first["kept"]) == ("gap_opened", origin, lost, kept)
    assert first["reason"] == "the disk died"
    restored.check()
    signed = restored.log_signer.sign()
    assert checkpoint_of(signed.note).origin == origin
    assert read_note(signed.note).verify(restored.log_signer.verifier_keys())
    restored.check()
    assert restored.find_trouble() is None
    check_promises(restored.ledger.store)


def test_across_epochs_what_survived_is_still_provably_the_same(log: Log, tmp_path: Path) -> None:
    old = find_checkpoint(log.ledger.store.reader())
    assert old is not None
    save_database(log, tmp_path / "old.db")
    grow(log)
    restored = put_back_database(log, tmp_path / "old.db")
    begin_epoch(restored.ledger.store, restored.ledger.recorder, restored.place, reason="restored")
    new = restored.log_signer.sign()
    proof = Tree(StoredHashes(restored.ledger.store.reader())).prove_consistency(old.size, new.size)
    assert is_consistent(old.size, old.root, new.size, new.root, proof)


def test_a_fork_goes_on_as_a_new_epoch_and_says_how_much_is_the_old_one(restored: Log) -> None:
    kept = restored.ledger.rows("SELECT count(*) FROM lines")[0][0]
    restored.ledger.receive(push("2.0.0", "other", 20), push("2.0.1", "other", 21))
    begin_epoch(restored.ledger.store, restored.ledger.recorder, restored.place, reason="two services ran")
    first = json.loads(restored.ledger.rows("SELECT line FROM lines ORDER BY seq DESC LIMIT 1")[0][0])
    assert first["kept"] == kept
    restored.check()


def test_a_new_epoch_is_not_begun_without_need(log: Log) -> None:
    with pytest.raises(Refused, match="is not needed"):
        begin_epoch(log.ledger.store, log.ledger.recorder, log.place, reason="tidying up")


def test_a_lost_key_needs_a_new_epoch_and_gets_one(log: Log) -> None:
    log.place.key.unlink()
    begin_epoch(log.ledger.store, log.ledger.recorder, log.place, reason="the key was lost")
    assert checkpoint_of(log.log_signer.sign().note).origin == "tagtrail.example/log/2"
    log.check()


def test_a_backup_from_before_the_epoch_is_refused(restored: Log, tmp_path: Path) -> None:
    begin_epoch(restored.ledger.store, restored.ledger.recorder, restored.place, reason="the disk died")
    restored.log_signer.sign()
    again = put_back_database(restored, tmp_path / "old.db")
    with pytest.raises(Contradicted, match="from before that epoch"):
        again.check()
    assert recover(again.ledger.store, again.ledger.recorder, again.place.journal) > 0
    again.check()
    again.log_signer.sign()
    assert again.find_trouble() is None
    check_promises(again.ledger.store)
    again.ledger.store.close()


def test_a_backup_from_before_a_rotation_is_recovered_and_the_rotation_can_still_be_followed(
    log: Log, tmp_path: Path
) -> None:
    save_database(log, tmp_path / "old.db")
    rotate_key(log.ledger.store, log.ledger.recorder, log.log_signer, log.place, reason="yearly")
    grow(log)
    rotations = log.log_signer.rotations()
    restored = put_back_database(log, tmp_path / "old.db")
    with pytest.raises(Contradicted, match="tagtrail log recover"):
        restored.check()
    recover(restored.ledger.store, restored.ledger.recorder, restored.place.journal)
    restored.log_signer.sign()
    assert restored.log_signer.rotations() == rotations
    assert restored.find_trouble() is None


def test_a_signed_ledger_without_its_journal_is_refused_for_nothing_tells_whether_it_is_the_newest(
    restored: Log,
) -> None:
    shutil.rmtree(restored.place.journal)
    with pytest.raises(Contradicted, match="not mounted"):
        restored.check()
    restored.ledger.receive(push("2.0.0", "other", 20))
    with pytest.raises(Contradicted, match="not mounted"):
        restored.log_signer.sign()
    assert not restored.place.journal.exists(), "nothing is written where a disk may be mounted again"
    begin_epoch(restored.ledger.store, restored.ledger.recorder, restored.place, reason="the journal is lost")
    restored.log_signer.sign()
    restored.check()
    assert restored.find_trouble() is None


def test_lines_that_the_journal_has_beyond_its_newest_checkpoint_are_missed_too(log: Log, tmp_path: Path) -> None:
    save_database(log, tmp_path / "old.db")
    log.ledger.receive(push("1.1.0", "two", 10))
    seq, line = log.ledger.rows("SELECT seq, line FROM lines ORDER BY seq DESC LIMIT 1")[0]
    log.journal.append([line])  # and no checkpoint: the disk was full
    restored = put_back_database(log, tmp_path / "old.db")
    with pytest.raises(Contradicted, match=f"line {seq} is missing"):
        restored.check()
    restored.ledger.receive(push("2.0.0", "other", 20))
    with pytest.raises(Contradicted, match="another history"):
        restored.log_signer.sign()
    restored = put_back_database(restored, tmp_path / "old.db")
    assert recover(restored.ledger.store, restored.ledger.recorder, restored.place.journal) == 1
    restored.check()


def test_a_journal_that_cannot_be_read_is_no_dead_end(log: Log) -> None:
    (path,) = log.journal.directory.glob("*.ndjson")
    path.write_bytes(path.read_bytes() + b"junk\n")
    with pytest.raises(Contradicted, match="no line of a ledger"):
        log.check()
    with pytest.raises(Contradicted, match="no line of a ledger"):
        recover(log.ledger.store, log.ledger.recorder, log.place.journal)
    begin_epoch(log.ledger.store, log.ledger.recorder, log.place, reason="somebody wrote into the journal")
    log.log_signer.sign()
    log.check()
    assert log.find_trouble() is None


def test_keys_that_cannot_be_read_recover_nothing(log: Log) -> None:
    (log.journal.directory / "keys.vkey").write_bytes(b"\xff\n")
    log.ledger.store.close()
    for path in log.ledger.store.directory.glob("tagtrail.db*"):
        path.unlink()
    log.ledger.store.prepare()
    with pytest.raises(Contradicted, match="cannot be believed"):
        log.check()
    with pytest.raises(Contradicted, match=r"keys\.vkey"):
        recover(log.ledger.store, log.ledger.recorder, log.place.journal)


def killed() -> int:
    """A clock that the process does not survive."""
    raise KeyboardInterrupt


def test_what_was_recovered_and_that_it_was_stand_in_the_ledger_together(restored: Log) -> None:
    size = restored.ledger.rows("SELECT count(*) FROM lines")
    with pytest.raises(KeyboardInterrupt):
        recover(restored.ledger.store, Recorder(restored.ledger.store, clock=killed), restored.place.journal)
    assert restored.ledger.rows("SELECT count(*) FROM lines") == size
    assert recover(restored.ledger.store, restored.ledger.recorder, restored.place.journal) == 3


def test_a_new_epoch_that_was_broken_off_leaves_recovering_possible(restored: Log) -> None:
    recorder = Recorder(restored.ledger.store, clock=killed)
    with pytest.raises(KeyboardInterrupt):
        begin_epoch(restored.ledger.store, recorder, restored.place, reason="the disk died")
    assert recover(restored.ledger.store, restored.ledger.recorder, restored.place.journal) == 3
    restored.check()


def test_lines_that_go_missing_at_the_end_are_noticed_when_it_would_be_signed(log: Log) -> None:
    log.ledger.clock.pass_seconds(60)
    last = log.ledger.rows("SELECT max(seq) FROM lines")[0][0]
    for table in ("moves", "entries", "disclosures", "lines"):
        log.tamper(f"DELETE FROM {table} WHERE seq = ?", last)
    with pytest.raises(Contradicted, match=f"line {last} is missing"):
        log.log_signer.sign_if_due(age=30)
