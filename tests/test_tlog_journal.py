"""The journal: plain files that only grow, and survive a crash in the middle of a line."""

from pathlib import Path

import pytest

from tagtrail.errors import Contradicted
from tagtrail.ledger.record import record_start
from tagtrail.tlog.journal import Journal, find_newest_epoch
from tagtrail.trail.rules import Rules
from tests.conftest import Clock
from tests.events import push
from tests.signed_log import Log, make_log


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path, epoch=1)


def line(seq: int, day: int = 1) -> bytes:
    return b'{"at":"2026-04-%02dT10:00:00.000000Z","kind":"stopped","seq":%d,"v":1}' % (day, seq)


def note(size: int, signer: str = "tagtrail.example/log/1") -> str:
    return f"{signer}\n{size}\nAAAA\n\n\N{EM DASH} {signer} AAAA\n\N{EM DASH} {signer} BBBB\n"


def test_lines_are_kept_by_utc_day(journal: Journal) -> None:
    journal.append([line(0), line(1), line(2, day=2)])
    journal.append([line(3, day=2)])
    assert sorted(path.name for path in journal.directory.iterdir()) == ["2026-04-01.ndjson", "2026-04-02.ndjson"]
    assert list(journal.lines()) == [(0, line(0)), (1, line(1)), (2, line(2, day=2)), (3, line(3, day=2))]
    assert list(journal.lines(first=2)) == [(2, line(2, day=2)), (3, line(3, day=2))]
    assert journal.find_last() == (3, line(3, day=2))


def test_an_empty_journal_has_no_lines_no_checkpoint_and_no_keys(journal: Journal) -> None:
    assert (list(journal.lines()), journal.find_last(), journal.find_checkpoint(), journal.keys()) == (
        [],
        None,
        None,
        [],
    )


def test_half_a_line_is_cut_off_before_more_is_written(journal: Journal) -> None:
    journal.append([line(0)])
    path = next(journal.directory.iterdir())
    path.write_bytes(path.read_bytes() + line(1)[:30])
    assert list(journal.lines()) == [(0, line(0))]
    assert journal.find_last() == (0, line(0))
    journal.append([line(1)])
    assert path.read_bytes() == line(0) + b"\n" + line(1) + b"\n"


@pytest.mark.parametrize("torn", range(1, len(note(2).encode())))
def test_half_a_checkpoint_is_passed_over(journal: Journal, torn: int) -> None:
    journal.append_checkpoint(note(1), day="2026-04-01")
    path = next(journal.directory.iterdir())
    path.write_bytes(path.read_bytes() + note(2).encode()[:torn])
    found = journal.find_checkpoint()
    assert found is not None
    assert found in (note(1), note(2)[: len(found)]), "whole, or with its first signature only"
    journal.append_checkpoint(note(3), day="2026-04-01")
    assert journal.find_checkpoint() == note(3)


def test_the_newest_checkpoint_may_stand_in_an_older_file(journal: Journal) -> None:
    journal.append_checkpoint(note(1), day="2026-04-01")
    (journal.directory / "2026-04-02.checkpoints").touch()
    assert journal.find_checkpoint() == note(1)


def test_a_key_is_written_once(journal: Journal) -> None:
    for key in ("one", "two", "one"):
        journal.append_key(key)
    assert journal.keys() == ["one", "two"]


def test_files_are_for_their_owner_only(journal: Journal) -> None:
    journal.append([line(0)])
    assert {path.stat().st_mode & 0o777 for path in journal.directory.iterdir()} == {0o600}
    assert journal.directory.stat().st_mode & 0o777 == 0o700


def test_the_newest_epoch_is_found_among_other_things(tmp_path: Path) -> None:
    assert find_newest_epoch(tmp_path / "nowhere") == 0
    for name in ("epoch-1", "epoch-10", "epoch-9", "epoch-2.copy", "lost+found"):
        (tmp_path / name).mkdir()
    assert find_newest_epoch(tmp_path) == 10


def test_it_holds_the_exact_lines_and_no_personal_data(tmp_path: Path, clock: Clock) -> None:
    log: Log = make_log(tmp_path, clock)
    record_start(log.ledger.recorder, Rules())
    log.ledger.receive(push("1.0.0", "one", 1, actor="alice-the-actor"))
    log.log_signer.sign()
    assert [text for _, text in log.journal.lines()] == [row[0] for row in log.ledger.rows("SELECT line FROM lines")]
    written = b"".join(path.read_bytes() for path in log.place.journal.rglob("*") if path.is_file())
    assert b"alice-the-actor" not in written
    log.ledger.store.close()


def test_a_clock_that_was_ahead_does_not_hide_the_newest_checkpoint(journal: Journal) -> None:
    journal.append_checkpoint(note(1), day="2099-01-01")
    journal.append_checkpoint(note(2), day="2026-04-01")
    assert journal.find_checkpoint() == note(2)
    assert list(journal.checkpoints()) == [note(1), note(2)]


def test_any_number_of_zeros_that_a_power_cut_left_is_cut_off(journal: Journal) -> None:
    journal.append([line(0)])
    path = next(journal.directory.iterdir())
    path.write_bytes(path.read_bytes() + bytes(300_000))
    journal.append([line(1)])
    assert path.read_bytes() == line(0) + b"\n" + line(1) + b"\n"


@pytest.mark.parametrize("other", [b"junk\n", b'{"seq":"1"}\n', b"\xff\n", b"\n"])
def test_a_file_in_which_something_else_stands_is_named(journal: Journal, other: bytes) -> None:
    journal.append([line(0)])
    path = next(journal.directory.iterdir())
    path.write_bytes(path.read_bytes() + other)
    with pytest.raises(Contradicted, match=path.name):
        journal.find_last()
    with pytest.raises(Contradicted, match=path.name):
        list(journal.lines())
