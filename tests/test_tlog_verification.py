"""Verifying the whole ledger finds whatever somebody with the database file could do to it, and names it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tagtrail.ledger.record import record_start, record_stop
from tagtrail.line import hash_leaf
from tagtrail.tlog.recovery import begin_epoch
from tagtrail.tlog.verification import count_lines, find_trouble
from tagtrail.trail.rules import Rules
from tests.conftest import Clock
from tests.events import push
from tests.signed_log import Log, make_log


@pytest.fixture
def log(tmp_path: Path, clock: Clock) -> Iterator[Log]:
    """A log of 300 lines, signed twice."""
    log = make_log(tmp_path, clock)
    record_start(log.ledger.recorder, Rules())
    log.ledger.receive(*(push(f"1.0.{at}", f"image {at}", at) for at in range(1, 9)))
    log.log_signer.sign()
    while log.ledger.rows("SELECT count(*) FROM lines")[0][0] < 300:
        record_stop(log.ledger.recorder)
    log.log_signer.sign()
    yield log
    log.ledger.store.close()


def line_of(log: Log, seq: int) -> bytes:
    line: bytes = log.ledger.rows("SELECT line FROM lines WHERE seq = ?", seq)[0][0]
    return line


def test_a_sound_ledger_has_no_trouble(log: Log) -> None:
    assert log.find_trouble() is None


def test_an_edited_line_is_named(log: Log) -> None:
    edited = line_of(log, 4).replace(b"1.0.", b"9.9.")
    log.tamper("UPDATE lines SET line = ? WHERE seq = 4", edited)
    assert log.find_trouble() == "line 4 is not what its hash says"


def test_a_line_edited_together_with_its_hash_is_found_by_the_checkpoint(log: Log) -> None:
    edited = line_of(log, 4).replace(b"1.0.", b"9.9.")
    log.tamper("UPDATE lines SET line = ?, leaf = ? WHERE seq = 4", edited, hash_leaf(edited))
    assert "are not those that were signed" in str(log.find_trouble())


def test_a_line_deleted_in_the_middle_is_named(log: Log) -> None:
    log.tamper("DELETE FROM lines WHERE seq = 5")
    assert log.find_trouble() == "line 5 is missing"


def test_lines_deleted_at_the_end_are_told(log: Log) -> None:
    log.tamper("DELETE FROM lines WHERE seq >= 290")
    assert log.find_trouble() == "300 lines were signed, and the ledger has 290: those at its end are missing"


def test_two_swapped_lines_are_named(log: Log) -> None:
    one, two = line_of(log, 4), line_of(log, 5)
    log.tamper("UPDATE lines SET line = CASE seq WHEN 4 THEN ? ELSE ? END WHERE seq IN (4, 5)", two, one)
    assert log.find_trouble() == "line 4 is not what its hash says"


def test_a_swapped_disclosure_is_named(log: Log) -> None:
    log.tamper("UPDATE disclosures SET who = (SELECT who FROM disclosures WHERE seq = 5) WHERE seq = 4")
    assert log.find_trouble() == "what line 4 discloses as 'who' is not what it is committed to"


def test_an_erased_disclosure_is_no_trouble(log: Log) -> None:
    log.tamper("UPDATE disclosures SET who = NULL, raw = NULL WHERE seq = 4")
    assert log.find_trouble() is None


def test_a_false_subtree_is_named(log: Log) -> None:
    log.tamper("UPDATE subtrees SET hash = zeroblob(32)")
    assert "subtree 0 of level 8" in str(log.find_trouble())


def test_a_forged_checkpoint_is_told(log: Log) -> None:
    log.tamper("UPDATE checkpoints SET note = replace(note, '\n300\n', '\n299\n') WHERE size = 300")
    assert "signature" in str(log.find_trouble())


def test_what_is_not_signed_yet_is_verified_too(log: Log) -> None:
    log.ledger.receive(push("2.0.0", "new", 50))
    last = log.ledger.rows("SELECT max(seq) FROM lines")[0][0]
    log.tamper("UPDATE lines SET line = x'7b7d' WHERE seq = ?", last)
    assert log.find_trouble() == f"line {last} is not what its hash says"


def test_what_is_signed_while_it_is_verified_is_no_trouble(log: Log) -> None:
    size = count_lines(log.ledger.store)
    log.ledger.receive(push("2.0.0", "later", 20))
    log.log_signer.sign()
    assert find_trouble(log.ledger.store, log.place.journal, size=size) is None


def test_what_was_signed_cannot_be_disowned_in_the_database(log: Log) -> None:
    edited = line_of(log, 4).replace(b"1.0.", b"9.9.")
    log.tamper("UPDATE lines SET line = ?, leaf = ? WHERE seq = 4", edited, hash_leaf(edited))
    log.tamper("DELETE FROM subtrees")
    log.tamper("DELETE FROM log_keys")
    assert "no known key" in (log.find_trouble() or "")
    log.tamper("DELETE FROM checkpoints")
    assert "another history" in (log.find_trouble() or "")


def test_what_a_new_epoch_says_to_be_lost_is_no_trouble_for_ever(log: Log) -> None:
    edited = line_of(log, 4).replace(b"1.0.", b"9.9.")
    log.tamper("UPDATE lines SET line = ?, leaf = ? WHERE seq = 4", edited, hash_leaf(edited))
    log.tamper("DELETE FROM subtrees")
    assert log.find_trouble() is not None
    begin_epoch(log.ledger.store, log.ledger.recorder, log.place, reason="somebody changed it")
    log.log_signer.sign()
    assert log.find_trouble() is None
    edited = line_of(log, 2).replace(b"at", b"ta")
    log.tamper("UPDATE lines SET line = ?, leaf = ? WHERE seq = 2", edited, hash_leaf(edited))
    assert log.find_trouble() is not None
