"""`tagtrail token`: shown once, listed without secrets, revoked."""

import json
import re
from pathlib import Path

import pytest

from tagtrail.store.database import Store
from tagtrail.store.tokens import find_tokens
from tagtrail.trail.instant import DAY, SECOND, now
from tests.command_line import CommandLine
from tests.conftest import Ledger


@pytest.fixture
def command_line(ledger: Ledger) -> CommandLine:
    return CommandLine(ledger.store.directory)


def test_the_token_is_all_that_standard_output_gets(command_line: CommandLine) -> None:
    made = command_line.run("token", "create", "board", "--scope", "read", "--scope", "export", "--expires", "90d")
    assert made.exit_code == 0
    assert re.fullmatch(r"tt_[A-Za-z0-9_-]{43}\n", made.stdout)
    assert re.fullmatch(r"The token board has export, read until \d{4}-.*\. It is not shown again\.\n", made.stderr)
    assert made.stdout.strip() not in made.stderr
    assert made.stdout.strip() not in command_line.ask("token", "list") + command_line.ask("log", "--json")


def test_a_list_tells_the_state_of_each(command_line: CommandLine, ledger: Ledger) -> None:
    assert command_line.ask("token", "list") == "There are no tokens.\n"
    for name in ("board", "old"):
        command_line.ask("token", "create", name, "--scope", "read")
    assert re.fullmatch(r"The token old is revoked \(.*\)\.\n", command_line.ask("token", "revoke", "old"))
    assert command_line.ask("token", "revoke", "old").startswith("The token old was already revoked (")
    title, board, old = command_line.ask("token", "list").splitlines()
    assert title.split() == ["NAME", "STATE", "SCOPES", "MADE", "EXPIRES", "REVOKED"]
    assert board.split()[:3] == ["board", "live", "read"]
    assert old.split()[:3] == ["old", "revoked", "read"]
    kinds = [json.loads(line)["kind"] for line in command_line.ask("log", "--json").splitlines()]
    assert kinds == ["token"] * 3


@pytest.mark.parametrize(("expires", "days"), [("90d", 90), ("2w", 14), ("12h", 0.5), ("12 h", 0.5)])
def test_a_life_is_counted_from_now(command_line: CommandLine, ledger: Ledger, expires: str, days: float) -> None:
    command_line.ask("token", "create", "board", "--scope", "read", "--expires", expires)
    [token] = find_tokens(ledger.store.reader())
    assert token.expires_at is not None
    assert abs(token.expires_at - now() - days * DAY) < 60 * SECOND


@pytest.mark.parametrize(
    ("arguments", "exit_code", "sentence"),
    [
        (("create", "board"), 2, "Missing option '--scope'"),
        (("create", "board", "--scope", "write"), 2, "'write' is not one of"),
        (("create", "Board", "--scope", "read"), 2, "'Board' is not a name"),
        (("create", "board", "--scope", "read", "--expires", "soon"), 2, "is neither a lifetime nor a time; write 90d"),
        (
            ("create", "board", "--scope", "read", "--expires", "99999w"),
            2,
            "is neither a lifetime nor a time; write 90d",
        ),
        (("create", "board", "--scope", "read", "--expires", "yesterday"), 2, "is in the past"),
        (("create", "taken", "--scope", "read"), 5, "a name is used once"),
        (("revoke", "unknown"), 1, "there is no token 'unknown'"),
        (("revoke", "\udcff"), 1, "there is no token"),
    ],
)
def test_what_is_refused_is_told_in_one_sentence(
    command_line: CommandLine, arguments: tuple[str, ...], exit_code: int, sentence: str
) -> None:
    command_line.ask("token", "create", "taken", "--scope", "read")
    refused = command_line.run("token", *arguments)
    assert (refused.exit_code, refused.stdout) == (exit_code, "")
    assert sentence in refused.stderr


def test_a_token_can_be_made_before_the_first_start(tmp_path: Path) -> None:
    command_line = CommandLine(tmp_path / "new")
    made = command_line.run("token", "create", "board", "--scope", "read")
    assert made.stdout.startswith("tt_")
    assert made.stderr.startswith(f"A new ledger was made in {tmp_path / 'new'}.\n")
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
    store = Store(tmp_path / "new")
    assert [token.name for token in find_tokens(store.reader())] == ["board"]
    store.close()


def test_listing_and_revoking_make_no_ledger(tmp_path: Path) -> None:
    for arguments in (("list",), ("revoke", "board")):
        refused = CommandLine(tmp_path / "new").run("token", *arguments)
        assert refused.exit_code == 3
    assert not (tmp_path / "new").exists()
