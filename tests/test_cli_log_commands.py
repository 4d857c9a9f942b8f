"""`tagtrail log ...` about the signed log, as an operator runs it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tagtrail.store.database import Store
from tagtrail.tlog.note import read_note, read_verifier_key
from tagtrail.tlog.signer import LogPlace, LogSigner
from tests.command_line import CommandLine
from tests.conftest import Ledger
from tests.events import push
from tests.signed_log import Log, checkpoint_of, put_back_database, save_database


@pytest.fixture
def log(ledger: Ledger) -> Log:
    """A log as the service has one by default: key and journal in the data directory."""
    data = ledger.store.directory
    place = LogPlace("tagtrail.example", data / "log-key.pem", data / "journal")
    ledger.receive(push("1.0.0", "one", 1), push("prod", "one", 2))
    return Log(ledger, place, LogSigner(ledger.store, place))


@pytest.fixture
def cli(log: Log) -> Iterator[CommandLine]:
    yield CommandLine(log.ledger.store.directory)
    log.ledger.store.close()


def test_before_the_first_checkpoint_it_says_so(cli: CommandLine) -> None:
    result = cli.run("log", "checkpoint")
    assert result.exit_code == 1
    assert "nothing was signed yet" in result.stderr


def test_the_checkpoint_is_printed_as_it_was_published(cli: CommandLine, log: Log) -> None:
    signed = log.log_signer.sign()
    assert cli.ask("log", "checkpoint") == signed.note
    key = read_verifier_key(cli.ask("log", "key", "show"))
    assert read_note(signed.note).verify([key]) == [key]


def test_the_listing_is_still_what_log_alone_does(cli: CommandLine) -> None:
    assert len(cli.ask_json("log", "--kind", "push")) == 2
    assert len(cli.ask_json("log", "--tag", "prod")) == 1
    assert cli.ask("log", "list", "--tag", "prod") == cli.ask("log", "--tag", "prod")


def test_a_sound_ledger_is_verified(cli: CommandLine, log: Log) -> None:
    log.log_signer.sign()
    assert "nothing is wrong" in cli.ask("log", "verify")
    assert log.ledger.rows("SELECT trouble FROM verification") == [(None,)]


def test_a_ledger_that_was_tampered_with_is_told_and_remembered(cli: CommandLine, log: Log) -> None:
    log.log_signer.sign()
    (line,) = log.ledger.rows("SELECT line FROM lines WHERE seq = 1")[0]
    log.tamper("UPDATE lines SET line = ? WHERE seq = 1", line.replace(b"team", b"meat"))
    result = cli.run("log", "verify")
    assert result.exit_code == 6
    assert result.stderr == "tagtrail: the ledger does not verify: line 1 is not what its hash says\n"
    assert log.ledger.rows("SELECT trouble FROM verification") == [("line 1 is not what its hash says",)]
    log.tamper("UPDATE lines SET line = ? WHERE seq = 1", line)


def test_the_key_is_rotated_and_the_new_one_printed(cli: CommandLine, log: Log) -> None:
    log.log_signer.sign()
    old = cli.ask("log", "key", "show")
    new = cli.ask("log", "key", "rotate", "--reason", "yearly")
    assert cli.ask("log", "key", "show") == old + new
    note = read_note(cli.ask("log", "checkpoint"))
    assert note.verify([read_verifier_key(old), read_verifier_key(new)]) == [read_verifier_key(new)]


def test_a_reason_is_required(cli: CommandLine) -> None:
    assert cli.run("log", "key", "rotate").exit_code == 2
    assert cli.run("log", "new-epoch").exit_code == 2


def lose_lines(log: Log, tmp_path: Path) -> Log:
    """Put back a database that lacks the last line which was signed."""
    log.log_signer.sign()
    save_database(log, tmp_path / "old.db")
    log.ledger.receive(push("1.0.1", "two", 10))
    log.log_signer.sign()
    return put_back_database(log, tmp_path / "old.db")


def test_lost_lines_are_recovered(cli: CommandLine, log: Log, tmp_path: Path) -> None:
    lost = lose_lines(log, tmp_path)
    lost.ledger.store.close()
    printed = cli.ask("log", "recover")
    assert printed.startswith("1 line was appended again from ")
    assert "1.0.1" in cli.ask("log")
    assert cli.run("log", "recover").exit_code == 5, "nothing is left to recover"


def test_a_whole_database_is_recovered(cli: CommandLine, log: Log) -> None:
    log.log_signer.sign()
    before = log.ledger.rows("SELECT line FROM lines")
    log.ledger.store.close()
    for path in log.ledger.store.directory.glob("tagtrail.db*"):
        path.unlink()
    cli.ask("log", "recover")
    store = Store(log.ledger.store.directory)
    assert store.reader().execute("SELECT line FROM lines").fetchall()[: len(before)] == before
    store.close()


def test_a_new_epoch_is_begun_with_a_reason(cli: CommandLine, log: Log, tmp_path: Path) -> None:
    lost = lose_lines(log, tmp_path)
    lost.ledger.store.close()
    assert cli.ask("log", "new-epoch", "--reason", "the disk died") == "The log continues as tagtrail.example/log/2.\n"
    assert checkpoint_of(cli.ask("log", "checkpoint")).origin == "tagtrail.example/log/2"
    (line,) = cli.ask_json("log", "--kind", "gap_opened")
    assert json.loads(line["line"])["reason"] == "the disk died"


def test_a_new_epoch_without_need_is_refused(cli: CommandLine, log: Log) -> None:
    log.log_signer.sign()
    result = cli.run("log", "new-epoch", "--reason", "tidying up")
    assert result.exit_code == 5
    assert "is not needed" in result.stderr


@pytest.mark.parametrize(
    "command", [("log", "key", "rotate", "--reason", "x"), ("deploy", "team/app:1.0.0", "--environment", "production")]
)
def test_nothing_is_written_into_a_ledger_that_is_not_what_was_signed(
    cli: CommandLine, log: Log, tmp_path: Path, command: tuple[str, ...]
) -> None:
    lost = lose_lines(log, tmp_path)
    lost.ledger.store.close()
    result = cli.run(*command)
    assert result.exit_code == 6
    assert "tagtrail log recover" in result.stderr
    cli.ask("log", "recover")
