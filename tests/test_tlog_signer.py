"""Signing: what is signed, when, by whom, and that nothing is ever signed that contradicts what was."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from tagtrail.errors import ConfigurationError, Contradicted
from tagtrail.ledger.record import Recorder, record_stop
from tagtrail.store.database import Store
from tagtrail.store.tree import StoredHashes, find_checkpoint, iterate_checkpoints
from tagtrail.tlog.note import BadNote, read_note
from tagtrail.tlog.signer import LogPlace, LogSigner, rotate_key
from tagtrail.tlog.tree import Tree
from tagtrail.trail.instant import SECOND
from tests.checker import check_ledger as check_promises
from tests.conftest import Clock
from tests.events import push
from tests.signed_log import Log, checkpoint_of, make_log, reopened


@pytest.fixture
def log(tmp_path: Path, clock: Clock) -> Iterator[Log]:
    log = make_log(tmp_path, clock)
    yield log
    check_promises(log.ledger.store)
    log.ledger.store.close()


def test_a_checkpoint_is_signed_over_all_lines(log: Log) -> None:
    log.ledger.receive(*(push("latest", f"image {at}", at) for at in range(1, 20)))
    signed = log.log_signer.sign()
    checkpoint = checkpoint_of(signed.note)
    size = log.ledger.rows("SELECT max(seq) + 1 FROM lines")[0][0]
    assert (checkpoint.origin, checkpoint.size) == ("tagtrail.example/log/1", size)
    assert checkpoint.root == Tree(StoredHashes(log.ledger.store.reader(), trusting_subtrees=False)).root(size)
    assert read_note(signed.note).verify(log.log_signer.verifier_keys())


def test_the_same_size_is_signed_once(log: Log) -> None:
    log.ledger.receive(push("1.0.0", "one", 1))
    first = log.log_signer.sign()
    log.ledger.clock.pass_seconds(3_600)
    assert log.log_signer.sign() == first
    assert reopened(log).log_signer.sign() == first


def test_an_empty_ledger_has_the_root_of_nothing(log: Log) -> None:
    assert checkpoint_of(log.log_signer.sign().note).size == 0


def test_it_is_signed_when_it_has_grown_and_the_last_sign_is_old_enough(log: Log) -> None:
    log.ledger.receive(push("1.0.0", "one", 1))
    assert log.log_signer.sign_if_due(age=30 * SECOND) is not None, "the first is always due"
    log.ledger.clock.pass_seconds(60)
    assert log.log_signer.sign_if_due(age=30 * SECOND) is None, "nothing has grown"
    log.ledger.receive(push("1.0.1", "two", 2))
    assert log.log_signer.sign_if_due(age=30 * SECOND) is not None
    log.ledger.receive(push("1.0.2", "three", 3))
    assert log.log_signer.sign_if_due(age=30 * SECOND) is None, "the last one is not old enough"


def test_a_clock_that_was_set_back_keeps_nobody_from_signing(log: Log) -> None:
    log.log_signer.sign()
    log.ledger.receive(push("1.0.0", "one", 1))
    log.ledger.clock.pass_seconds(-40 * 86_400)
    assert log.log_signer.sign_if_due(age=30 * SECOND) is not None


def test_a_journal_that_lost_its_keys_gets_them_again(log: Log) -> None:
    log.log_signer.sign()
    (log.journal.directory / "keys.vkey").unlink()
    log.ledger.receive(push("1.0.0", "one", 1))
    log.log_signer.sign()
    assert log.journal.keys() == [str(key) for key in log.log_signer.verifier_keys()]


def test_a_lost_key_is_told_before_anything_is_recorded(log: Log) -> None:
    log.log_signer.check_key()
    log.log_signer.sign()
    log.log_signer.check_key()
    log.place.key.unlink()
    with pytest.raises(ConfigurationError, match="missing"):
        log.log_signer.check_key()


def test_subtrees_are_kept_and_are_those_of_the_leaves(log: Log) -> None:
    for at in range(520):
        record_stop(log.ledger.recorder)
        if at in (100, 256, 300):
            log.log_signer.sign()
    log.log_signer.sign()
    assert log.ledger.rows("SELECT level, number FROM subtrees ORDER BY 1, 2") == [(8, 0), (8, 1)]
    db = log.ledger.store.reader()
    assert Tree(StoredHashes(db)).root(520) == Tree(StoredHashes(db, trusting_subtrees=False)).root(520)
    assert log.find_trouble() is None


def test_a_subtree_that_somebody_put_there_beforehand_is_not_signed(log: Log) -> None:
    log.log_signer.sign()
    log.tamper("INSERT INTO subtrees (level, number, hash) VALUES (8, 0, ?), (8, 1, ?)", bytes(32), bytes(32))
    for _ in range(520):
        record_stop(log.ledger.recorder)
    signed = log.log_signer.sign()
    leaves = StoredHashes(log.ledger.store.reader(), trusting_subtrees=False)
    assert signed.root == Tree(leaves).root(signed.size)
    assert log.find_trouble() is None


def test_everybody_is_told_once_of_a_new_checkpoint(log: Log) -> None:
    told: list[int] = []
    log_signer = LogSigner(
        log.ledger.store, log.place, clock=log.ledger.clock, published=lambda each: told.append(each.size)
    )
    log.ledger.receive(push("1.0.0", "one", 1))
    log_signer.sign()
    log_signer.sign()
    assert len(told) == 1


def test_the_key_is_for_its_owner_only_and_outside_the_database(log: Log) -> None:
    log.log_signer.sign()
    assert log.place.key.stat().st_mode & 0o777 == 0o600
    secret = log.place.key.read_bytes().splitlines()[1]
    assert secret not in b"".join(path.read_bytes() for path in log.ledger.store.directory.iterdir())


def test_a_key_that_others_may_read_is_refused(log: Log) -> None:
    log.log_signer.sign()
    log.place.key.chmod(0o644)
    log.ledger.receive(push("1.0.0", "one", 1))
    with pytest.raises(ConfigurationError, match="chmod 600"):
        log.log_signer.sign()


def test_another_key_never_signs_this_log(log: Log) -> None:
    log.log_signer.sign()
    log.place.key.unlink()
    log.ledger.receive(push("1.0.0", "one", 1))
    with pytest.raises(ConfigurationError, match="missing or is not the one"):
        log.log_signer.sign()
    assert not log.place.key.exists(), "no key is made in the place of a lost one"


def test_nothing_is_signed_that_contradicts_what_was(log: Log) -> None:
    log.ledger.receive(push("1.0.0", "one", 1), push("1.0.1", "two", 2))
    log.log_signer.sign()
    leaf = log.ledger.rows("SELECT leaf FROM lines WHERE seq = 1")[0][0]
    log.tamper("UPDATE lines SET leaf = zeroblob(32) WHERE seq = 1")
    log.ledger.receive(push("1.0.2", "three", 3))
    with pytest.raises(Contradicted, match="another history"):
        log.log_signer.sign()
    assert len(list(iterate_checkpoints(log.ledger.store.reader()))) == 1
    log.tamper("UPDATE lines SET leaf = ? WHERE seq = 1", leaf)


def test_a_crash_after_the_journal_was_written_does_no_harm(log: Log) -> None:
    log.ledger.receive(push("1.0.0", "one", 1))
    signed = log.log_signer.sign()
    log.tamper("DELETE FROM checkpoints")
    assert reopened(log).log_signer.sign().note == signed.note
    files = list(log.journal.directory.glob("*.checkpoints"))
    assert [path.read_text() for path in files] == [signed.note], "it is in the journal once"


def test_a_rotation_is_signed_by_both_keys(log: Log) -> None:
    log.ledger.receive(push("1.0.0", "one", 1))
    log.log_signer.sign()
    (old,) = log.log_signer.verifier_keys()
    new = rotate_key(log.ledger.store, log.ledger.recorder, log.log_signer, log.place, reason="yearly")
    assert log.log_signer.verifier_keys() == (old, new)
    (rotation,) = log.log_signer.rotations()
    assert read_note(rotation).verify([old, new]) == [old, new]
    log.ledger.receive(push("1.0.1", "two", 2))
    following = read_note(log.log_signer.sign().note)
    assert following.verify([new]) == [new]
    with pytest.raises(BadNote, match="no known key"):
        following.verify([old])
    line = log.ledger.rows("SELECT line FROM lines JOIN entries USING (seq) WHERE kind = 'key'")[0][0]
    assert str(new).encode() in line
    assert log.find_trouble() is None


@pytest.mark.parametrize("crashed", ["before the line", "before the checkpoint", "before the key was put in its place"])
def test_a_rotation_that_crashed_is_ended_by_the_next_signing(log: Log, crashed: str) -> None:
    log.log_signer.sign()
    if crashed == "before the line":
        from tagtrail.tlog.keys import make_key

        make_key(log.place.next_key)
        rotate_key(log.ledger.store, log.ledger.recorder, log.log_signer, log.place, reason="again")
    else:
        old = log.place.key.read_bytes()
        rotate_key(log.ledger.store, log.ledger.recorder, log.log_signer, log.place, reason="yearly")
        log.place.key.rename(log.place.next_key)
        log.place.key.write_bytes(old)
        log.place.key.chmod(0o600)
        if crashed == "before the checkpoint":
            size = list(iterate_checkpoints(log.ledger.store.reader()))[-1].size
            log.tamper("DELETE FROM checkpoints WHERE size = ?", size)
            for path in log.journal.directory.glob("*.checkpoints"):
                path.write_text(list(iterate_checkpoints(log.ledger.store.reader()))[-1].note)
    log.ledger.receive(push("1.0.0", "one", 1))
    signed = reopened(log).log_signer.sign()
    first, second = log.log_signer.verifier_keys()
    assert second in read_note(signed.note).verify([first, second])
    assert len(log.log_signer.rotations()) == 1
    assert not log.place.next_key.exists()


def test_a_key_that_is_mounted_by_itself_is_not_rotated(
    log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over a mount nothing can be renamed: the rotation would never end, and nothing be signed any more."""
    log.log_signer.sign()
    size = log.ledger.rows("SELECT count(*) FROM lines")
    mounts = tmp_path / "mountinfo"  # as the kernel writes it, with a space in a name
    shown = str(log.place.key).replace(" ", "\\040")
    mounts.write_text(f"22 27 0:21 / /proc rw,relatime - proc proc rw\n39 27 8:1 /k {shown} ro - ext4 /dev/sda1 ro\n")
    monkeypatch.setattr("tagtrail.tlog.keys._MOUNTS", mounts)
    with pytest.raises(ConfigurationError, match="mount that directory, writable, instead of the file"):
        rotate_key(log.ledger.store, log.ledger.recorder, log.log_signer, log.place, reason="yearly")
    assert log.ledger.rows("SELECT count(*) FROM lines") == size
    assert not log.place.next_key.exists()
    mounts.unlink()  # a system without such a list: nothing is known, nothing is refused
    rotate_key(log.ledger.store, log.ledger.recorder, log.log_signer, log.place, reason="yearly")


def test_a_key_in_a_directory_that_cannot_be_written_is_not_rotated(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    log.log_signer.sign()
    size = log.ledger.rows("SELECT count(*) FROM lines")
    monkeypatch.setattr(os, "access", lambda path, _: path != log.place.key.parent)  # as for root on a read-only disk
    with pytest.raises(ConfigurationError, match="Mount it writable"):
        rotate_key(log.ledger.store, log.ledger.recorder, log.log_signer, log.place, reason="yearly")
    assert log.ledger.rows("SELECT count(*) FROM lines") == size


def test_many_threads_sign_each_size_once(log: Log) -> None:
    def work(at: int) -> None:
        log.ledger.receive(push(f"1.0.{at}", f"image {at}", at))
        LogSigner(log.ledger.store, log.place).sign()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(1, 40)))
    sizes = [each.size for each in iterate_checkpoints(log.ledger.store.reader())]
    assert len(sizes) == len(set(sizes))
    assert log.find_trouble() is None


def append_and_sign(directory: str, place: LogPlace) -> None:
    """500 lines and a sign now and then, in a process of its own."""
    store = Store(Path(directory))
    recorder, log_signer = Recorder(store), LogSigner(store, place)
    for at in range(500):
        record_stop(recorder)
        if at % 100 == 0:
            log_signer.sign_if_due(age=0)
    store.close()


def test_four_processes_append_500_lines_each_without_a_gap(log: Log) -> None:
    directory = str(log.ledger.store.directory)
    processes = [get_context("spawn").Process(target=append_and_sign, args=(directory, log.place)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    assert log.ledger.rows("SELECT count(*), min(seq), max(seq) FROM lines") == [(2_000, 0, 1_999)]
    log.log_signer.sign()
    assert log.find_trouble() is None
    newest = find_checkpoint(log.ledger.store.reader())
    assert newest is not None
    assert newest.size == 2_000
