"""`tagtrail log`: sentences for people, documents for machines, and every filter."""

import re

import msgspec
import pytest

from tagtrail.ledger.submission import Draft, Submission
from tagtrail.line import Entry
from tagtrail.store.entries import LoggedEntry
from tests.command_line import HOST, HOSTILE, CommandLine, decode_struct, tell_deletion, tell_story
from tests.conftest import Ledger
from tests.events import delete_repository, delete_tag, digest_of, push

ONE, TWO = digest_of("one"), digest_of("two")


@pytest.fixture
def command_line(ledger: Ledger) -> CommandLine:
    tell_story(ledger)
    return CommandLine(ledger.store.directory)


def lines_of(command_line: CommandLine, *arguments: str) -> dict[int, str]:
    """The sentences by the numbers of their lines."""
    lines = command_line.ask("log", *arguments).splitlines()[1:]
    return {int(line[26:].split()[0]): line for line in lines}


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (3, f"2026-04-20 14:00:01 +02:00     3  {HOST}/team/app:1.0.0@{ONE}  created  by alice (claimed)"),
        (
            5,
            f"{HOST}/team/app:prod@{ONE}  created as 1.0.0  published for production  by alice (claimed)",
        ),
        (
            8,
            f"{HOST}/team/app:prod@{ONE}  moved back to 1.0.0 (was 1.1.0 {TWO})  published for production  by bob",
        ),
        (9, f"{HOST}/team/app:prod@{ONE}  pushed again, no move: 1.0.0 {ONE}  by bob (claimed)"),
        (10, f"moved (was {ONE})  VIOLATION: a release tag never moves  by eve"),
        (11, f"{HOST}/team/multi@{digest_of('amd64')}  pushed without a tag"),
        (15, f"{HOST}/team/worker:latest  deleted (was {digest_of('spare')})"),
        (16, "quarantined from registry main (40 bytes): JSON is malformed"),
        (2, f"registry main was heard of, called {HOST}, instance instance-1"),
        (1, "started"),
        (0, "rules put in force: 1 tag rule of its own, environments production, staging"),
    ],
)
def test_every_entry_is_a_sentence(command_line: CommandLine, line: int, sentence: str) -> None:
    assert sentence in lines_of(command_line)[line]


def test_a_person_sees_the_release_and_a_shortened_digest(command_line: CommandLine) -> None:
    printed = command_line.ask_at_terminal("log", "--tag", "prod", width=200).splitlines()
    assert re.sub(r"\x1b\[[0-9;]*m", "", printed[2]).rstrip() == (
        "2026-04-21 17:00:00 +02:00     8  team/app:prod  moved back to 1.0.0 sha256:7692c3ad3540 (was 1.1.0"
        " sha256:3fc4ccfe7458)  published for production  by bob (claimed)"
    )


def test_a_release_tag_that_arrives_a_second_later_is_named(ledger: Ledger) -> None:
    """As `docker push --all-tags` sends them: in the order of the alphabet."""
    ledger.receive(push("prod", "one", 1), push("v1.0.0", "one", 2))
    assert "created as v1.0.0" in lines_of(CommandLine(ledger.store.directory), "--tag", "prod")[1]


def test_a_release_tag_that_had_left_the_digest_before_is_not_named(ledger: Ledger) -> None:
    ledger.receive(push("v1.0.0", "one", 1), push("v1.0.0", "two", 2), push("prod", "one", 3))
    assert "v1.0.0" not in lines_of(CommandLine(ledger.store.directory), "--tag", "prod")[3]


def test_a_delete_by_digest_names_all_its_tags(command_line: CommandLine, ledger: Ledger) -> None:
    tell_deletion(ledger)
    assert f"{HOST}/team/app@{ONE}  deleted: prod, stable" in lines_of(command_line)[17]


def test_deletes_that_take_no_tag_away_say_so(ledger: Ledger) -> None:
    ledger.receive(push(None, "one", 1), delete_tag("gone", 2), delete_repository(3))
    lines = lines_of(CommandLine(ledger.store.directory))
    assert "already deleted" in lines[2]
    assert "deleted, no tag pointed there" in lines[3]


def test_a_declared_deployment_names_its_change(command_line: CommandLine) -> None:
    command_line.ask("deploy", "team/app:1.1.0", "--environment", "production", "--change", "JIRA-7")
    assert "deployed to production for JIRA-7" in lines_of(command_line)[17]


def test_what_is_no_event_of_a_registry_is_told_in_words(ledger: Ledger) -> None:
    kinds = ("annotation", "exported", "erased", "pruned", "token", "key", "gap_opened", "gap_closed", "stopped")
    ledger.recorder.record(Submission(tuple(Draft(Entry(kind=kind)) for kind in kinds)))  # type: ignore[arg-type]
    lines = lines_of(CommandLine(ledger.store.directory))
    assert "a person's data was erased" in lines[2]
    assert "the signing key was changed" in lines[5]
    assert len(lines) == len(kinds)


def test_who_was_erased_is_told_as_such(command_line: CommandLine, ledger: Ledger) -> None:
    with ledger.store.writing() as tx:
        tx.execute("UPDATE disclosures SET who = NULL WHERE seq = 8")
        tx.execute("UPDATE entries SET actor_id = NULL WHERE seq = 8")
    assert "by somebody whose name was erased" in lines_of(command_line)[8]
    assert command_line.ask_json("log", "--tag", "prod")[1]["actor"] is None


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        (("--registry", "main", "--kind", "delete"), {15}),
        (("--registry", "other"), set()),
        (("--repository", "team/worker"), {13, 14, 15}),
        (("--repository", "team/*er"), {13, 14, 15}),
        (("--tag", "prod"), {5, 7, 8, 9}),
        (("--digest", TWO), {6, 7}),
        (("--digest", TWO[:15]), {6, 7}),
        (("--actor", "bob"), {8, 9}),
        (("--actor", HOSTILE), {10}),
        (("--kind", "quarantined"), {16}),
        (("--environment", "staging"), {14}),
        (("--since", "2026-04-21T12:00:01Z"), set()),
        (("--since", "2026-04-21 14:00", "--kind", "delete"), {15}),
        (("--until", "2026-04-21 14:00"), set()),
        (("--limit", "2"), {15, 16}),
        (("--repository", "team/app", "--tag", "prod", "--actor", "alice", "--limit", "1"), {7}),
    ],
)
def test_every_filter_narrows_the_answer(
    command_line: CommandLine, arguments: tuple[str, ...], lines: set[int]
) -> None:
    assert set(lines_of(command_line, *arguments)) == lines
    assert {entry["seq"] for entry in command_line.ask_json("log", *arguments)} == lines


def test_an_empty_answer_is_said_beside_it(command_line: CommandLine) -> None:
    result = command_line.run("log", "--actor", "nobody")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "No line of the ledger matches.\n")
    assert command_line.run("log", "--actor", "nobody", "--json").output == ""


def test_machines_get_what_the_api_answers(command_line: CommandLine) -> None:
    for line in command_line.ask("log", "--json").splitlines():
        document = decode_struct(line, LoggedEntry)
        assert msgspec.json.decode(document.line)["seq"] == document.seq


def test_a_ledger_without_lines_is_an_empty_answer(ledger: Ledger) -> None:
    result = CommandLine(ledger.store.directory).run("log")
    assert (result.exit_code, result.stdout) == (0, "")
