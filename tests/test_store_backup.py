"""A backup is whole, private, and holds nobody up; restored, it goes on or is refused."""

import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import yaml

from tagtrail.access.tokens import make_token, revoke_token
from tagtrail.errors import Contradicted, Refused, StorageUnavailable
from tagtrail.ledger import prune as retention
from tagtrail.ledger.record import Recorder, record_start
from tagtrail.ledger.submission import Draft, Submission
from tagtrail.line import Entry, commitment, disclosure
from tagtrail.store.backup import back_up
from tagtrail.store.database import DATABASE_NAME, Store
from tagtrail.store.lines import get_last_seq
from tagtrail.store.tokens import find_tokens
from tagtrail.tlog.recovery import recover
from tests.api_client import RULES, some_events, story
from tests.checker import check_ledger
from tests.command_line import CommandLine
from tests.conftest import Clock, Ledger
from tests.events import envelope, push
from tests.signed_log import make_log, put_back_database

ROOT = Path(__file__).parent.parent


@pytest.fixture
def told(ledger: Ledger) -> Ledger:
    """The ledger after the story."""
    ledger.put_in_force(RULES)
    ledger.receive_body(envelope(*story()))
    return ledger


def restored(copy: Path) -> Store:
    """A store over the copy, as the service opens it."""
    store = Store(copy.parent)
    store.prepare()
    return store


def test_the_copy_is_the_ledger_as_it_was(told: Ledger, tmp_path: Path) -> None:
    lines = told.rows("SELECT * FROM lines JOIN disclosures USING (seq)")
    copy = back_up(told.store, tmp_path / "a" / "copy")
    told.receive(push("prod", "later", 200))
    assert copy.last_seq == lines[-1][0]
    assert (stat.S_IMODE(copy.path.stat().st_mode), stat.S_IMODE(copy.path.parent.stat().st_mode)) == (0o600, 0o700)
    assert [path.name for path in copy.path.parent.iterdir()] == ["tagtrail.db"]
    store = restored(copy.path)
    assert store.reader().execute("SELECT * FROM lines JOIN disclosures USING (seq)").fetchall() == lines
    check_ledger(store)
    store.close()


def test_a_restored_ledger_goes_on_with_the_next_number(told: Ledger, tmp_path: Path, clock: Clock) -> None:
    copy = back_up(told.store, tmp_path / "copy")
    store = restored(copy.path)
    Ledger(store, Recorder(store, clock=clock), clock).receive(push("prod", "other", 201))
    assert get_last_seq(store.reader()) == copy.last_seq + 1
    check_ledger(store)
    store.close()


def test_an_old_backup_is_refused_until_the_journal_has_given_back_its_lines(tmp_path: Path, clock: Clock) -> None:
    log = make_log(tmp_path / "log", clock)
    record_start(log.ledger.recorder, RULES)
    log.ledger.receive(*story()[:5])
    log.log_signer.sign()
    copy = back_up(log.ledger.store, tmp_path / "copy")
    log.ledger.receive(*story()[5:])
    log.log_signer.sign()
    kept = log.ledger.rows("SELECT seq, line FROM lines")
    back = put_back_database(log, copy.path)
    with pytest.raises(Contradicted, match=r"missing.*tagtrail log recover.*tagtrail log new-epoch"):
        back.check()
    recover(back.ledger.store, back.ledger.recorder, back.place.journal)
    back.check()
    assert back.ledger.rows("SELECT seq, line FROM lines")[: len(kept)] == kept
    check_ledger(back.ledger.store)
    back.ledger.store.close()


def test_what_was_revoked_after_the_backup_opens_nothing_after_recovering(tmp_path: Path, clock: Clock) -> None:
    log = make_log(tmp_path / "log", clock)
    for name in ("board", "stolen"):
        make_token(log.ledger.recorder, name, ["read"])
    copy = back_up(log.ledger.store, tmp_path / "copy")
    revoked = revoke_token(log.ledger.store, log.ledger.recorder, "stolen")
    log.log_signer.sign()
    back = put_back_database(log, copy.path)
    recover(back.ledger.store, back.ledger.recorder, back.place.journal)
    tokens = {token.name: token for token in find_tokens(back.ledger.store.reader())}
    assert tokens["board"].is_live(clock())
    assert not tokens["stolen"].is_live(revoked.made_at)
    back.ledger.store.close()


def test_what_was_pruned_after_the_backup_is_pruned_again_by_recovering(tmp_path: Path, clock: Clock) -> None:
    log = make_log(tmp_path / "log", clock)
    ledger = log.ledger
    ledger.put_in_force(RULES)
    ledger.receive(*some_events(1, 120))
    copy = back_up(ledger.store, tmp_path / "copy")
    ledger.receive(*some_events(2, 60))
    log.log_signer.sign()
    retention.prune(ledger.store, ledger.recorder, before=150, reason="two years")
    ledger.receive(*some_events(3, 60))
    log.log_signer.sign()
    gone = ledger.rows("SELECT seq, leaf FROM pruned_leaves ORDER BY seq")
    last = get_last_seq(ledger.store.reader())
    back = put_back_database(log, copy.path)
    recover(back.ledger.store, back.ledger.recorder, back.place.journal)
    back.check()
    assert back.ledger.rows("SELECT seq, leaf FROM pruned_leaves ORDER BY seq") == gone
    assert any(seq < 100 for seq, _ in gone)
    assert any(seq > 125 for seq, _ in gone)
    assert get_last_seq(back.ledger.store.reader()) == last + 1
    check_ledger(back.ledger.store)
    back.ledger.store.close()


def test_the_newest_backup_is_let_in_as_it_is(tmp_path: Path, clock: Clock) -> None:
    log = make_log(tmp_path / "log", clock)
    log.ledger.receive(*story())
    log.log_signer.sign()
    back = put_back_database(log, back_up(log.ledger.store, tmp_path / "copy").path)
    back.check()
    back.ledger.store.close()


def test_neither_the_key_nor_the_journal_is_in_a_backup(tmp_path: Path, clock: Clock) -> None:
    log = make_log(tmp_path / "log", clock)
    log.ledger.receive(*story())
    log.log_signer.sign()
    back_up(log.ledger.store, tmp_path / "copy")
    assert [path.name for path in (tmp_path / "copy").rglob("*")] == ["tagtrail.db"]
    log.ledger.store.close()


def test_a_copy_is_never_overwritten_not_even_the_ledger_itself(told: Ledger, tmp_path: Path) -> None:
    back_up(told.store, tmp_path / "copy")
    for directory in (tmp_path / "copy", told.store.directory):
        with pytest.raises(Refused, match="is there already"):
            back_up(told.store, directory)


def test_what_an_interrupted_backup_left_is_no_hindrance(told: Ledger, tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "tagtrail.db.unfinished").write_bytes(b"half of it")
    assert back_up(told.store, tmp_path / "copy").last_seq == get_last_seq(told.store.reader())


def test_nothing_is_written_through_a_link_that_somebody_left(told: Ledger, tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    precious = tmp_path / "precious"
    precious.write_text("precious")
    (tmp_path / "copy" / "tagtrail.db.unfinished").symlink_to(precious)
    assert not back_up(told.store, tmp_path / "copy").path.is_symlink()
    assert precious.read_text() == "precious"


def test_backups_at_the_same_time_do_not_spoil_each_other(told: Ledger, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tagtrail", "backup", str(tmp_path / "copy"), "--data", str(told.store.directory)]
    ended = [running.wait() for running in [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(3)]]
    assert 0 in ended
    assert [path.name for path in (tmp_path / "copy").iterdir()] == ["tagtrail.db"]
    store = restored(tmp_path / "copy" / "tagtrail.db")
    check_ledger(store)
    store.close()


def test_what_cannot_be_written_is_told_and_leaves_nothing(told: Ledger, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no directory")
    with pytest.raises(StorageUnavailable, match="could not be made"):
        back_up(told.store, tmp_path / "file" / "copy")


def test_recording_goes_on_during_a_backup(told: Ledger, tmp_path: Path) -> None:
    """The copy of 64 MB is made by another process; recording meanwhile is as quick as ever."""
    raw = disclosure("raw", b'"' + b"x" * 50_000 + b'"')
    large = Draft(Entry(kind="started", raw=commitment(raw)), raw=raw)
    for _ in range(13):
        told.recorder.record(Submission((large,) * 100))
    command = [sys.executable, "-m", "tagtrail", "backup", str(tmp_path / "copy"), "--data", str(told.store.directory)]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    took: list[float] = []
    while running.poll() is None:
        began = time.monotonic()
        told.receive(push("prod", f"{len(took)}", 300 + len(took)))
        took.append(time.monotonic() - began)
    assert running.returncode == 0
    assert running.stdout is not None
    assert "Copied up to line" in running.stdout.read()
    running.stdout.close()
    assert len(took) > 5
    assert max(took) < 10, "a busy disk's worst; the copy as a whole would be one of them"
    assert (tmp_path / "copy" / "tagtrail.db").stat().st_size > 60_000_000


def test_threads_that_record_are_all_or_nothing_in_the_copy(told: Ledger, tmp_path: Path) -> None:
    """Each POST's two lines are both in the copy, or neither."""
    stop = threading.Event()

    def record() -> None:
        at = 0
        while not stop.is_set():
            at += 1
            told.receive_body(envelope(push("a", f"{at}", 500 + at), push("b", f"{at}", 500 + at)))

    thread = threading.Thread(target=record)
    thread.start()
    copies = [back_up(told.store, tmp_path / f"{number}") for number in range(5)]
    stop.set()
    thread.join()
    for copy in copies:
        store = restored(copy.path)
        counts = store.reader().execute(
            "SELECT count(*) FROM entries e JOIN tags t ON t.id = e.tag_id WHERE t.name IN ('a', 'b') GROUP BY t.name"
        )
        assert len(set(counts.fetchall())) <= 1
        store.close()


def test_the_command_says_how_far_it_reaches(told: Ledger, tmp_path: Path) -> None:
    line = CommandLine(told.store.directory)
    said = line.ask("backup", str(tmp_path / "copy"))
    assert said.startswith(f"Copied up to line {get_last_seq(told.store.reader())} to {tmp_path}/copy/tagtrail.db, ")
    again = line.run("backup", str(tmp_path / "copy"))
    assert (again.exit_code, "is there already" in again.stderr) == (5, True)


def test_the_configuration_for_litestream_is_of_our_database() -> None:
    """As Litestream 0.5 documents its keys; an unknown one it would refuse."""
    config = yaml.safe_load((ROOT / "deploy" / "litestream.yml").read_text())
    assert config.keys() == {"snapshot", "dbs"}
    [database] = config["dbs"]
    assert database.keys() == {
        "path", "busy-timeout", "checkpoint-interval", "min-checkpoint-page-count", "truncate-page-n", "replica"
    }  # fmt: skip
    unit = (ROOT / "deploy" / "tagtrail.service").read_text()
    assert f"StateDirectory={Path(database['path']).parent.name}" in unit
    assert Path(database["path"]).name == DATABASE_NAME
    assert database["replica"]["type"] == "file"
