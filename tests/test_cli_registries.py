"""`tagtrail registries`, `traffic`, `quarantine`, `violations`."""

import msgspec
import pytest

from tagtrail.store.registries import KnownRegistry, Quarantined, Traffic
from tagtrail.store.releases import Violation
from tagtrail.trail.rules import RegistryIdentity, Rules
from tests.command_line import DAY, HOST, HOSTILE, RULES, CommandLine, decode_struct, tell_deletion, tell_story
from tests.conftest import Ledger
from tests.events import SomeEvent, digest_of, push

ONE, OTHER = digest_of("one"), digest_of("other")


@pytest.fixture
def command_line(ledger: Ledger) -> CommandLine:
    tell_story(ledger)
    return CommandLine(ledger.store.directory)


def test_machines_get_what_the_api_answers(command_line: CommandLine) -> None:
    for command, kind in (
        ("registries", KnownRegistry),
        ("traffic", Traffic),
        ("quarantine", Quarantined),
        ("violations", Violation),
    ):
        (line,) = command_line.ask(command, "--json").splitlines()
        decode_struct(line, kind)
        assert msgspec.json.decode(line).keys() == set(kind.__struct_fields__)


def test_registries_tell_when_each_was_heard_of(command_line: CommandLine, ledger: Ledger) -> None:
    ledger.clock.pass_seconds(60)
    ledger.receive(push("again", "one", DAY, instance="instance-2"))
    line = command_line.ask("registries").splitlines()[1]
    assert f"main      {HOST}, registry.local  2026-04-21 14:01:00 +02:00" in line
    assert line.split()[-3:] == ["2", "none", "instance-2"]
    assert command_line.ask("registries", "--registry", "main") == command_line.ask("registries")


def test_a_registry_that_never_sent_anything_is_shown_as_such(ledger: Ledger) -> None:
    tell_story(ledger)
    silent = RegistryIdentity("silent", "silent.example")
    ledger.put_in_force(Rules(registries=(*RULES.registries, silent)))
    lines = CommandLine(ledger.store.directory).ask("registries").splitlines()
    assert lines[2].split() == ["silent", "silent.example", "never", "-", "-", "0", "none", "-"]


def test_traffic_counts_by_day(command_line: CommandLine, ledger: Ledger) -> None:
    ledger.receive(*(SomeEvent(action="pull", digest=ONE, at=number, method="GET") for number in range(3)))
    lines = command_line.ask("traffic").splitlines()
    assert [line.split() for line in lines[1:]] == [
        ["2026-04-21", "main", "pull", "manifest", "1"],
        ["2026-04-20", "main", "pull", "manifest", "3"],
    ]
    for arguments, days in (
        (("--since", "2026-04-21 12:00"), ["2026-04-21"]),
        (("--until", "2026-04-20 23:00"), ["2026-04-20"]),
        (("--limit", "1"), ["2026-04-21"]),
        (("--registry", "other"), []),
    ):
        assert [count["day"] for count in command_line.ask_json("traffic", *arguments)] == days


def test_quarantine_tells_why(command_line: CommandLine) -> None:
    line = command_line.ask("quarantine").splitlines()[1]
    assert "2026-04-21 14:00:00 +02:00  main      40 bytes  JSON is malformed" in line
    for arguments, count in (
        (("--since", "2026-04-21 14:00"), 1),
        (("--since", "2026-04-21 14:01"), 0),
        (("--until", "2026-04-21 14:00"), 0),
        (("--registry", "main", "--limit", "1"), 1),
        (("--registry", "other"), 0),
    ):
        assert len(command_line.ask_json("quarantine", *arguments)) == count


def test_violations_tell_both_digests(command_line: CommandLine, ledger: Ledger) -> None:
    tell_deletion(ledger)
    line = command_line.ask("violations").splitlines()[1]
    assert f"moved  {HOST}/team/app:1.0.0@{OTHER}  {ONE}  eve" in line


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        (("--registry", "main"), 1), (("--registry", "other"), 0),
        (("--repository", "team/app"), 1), (("--repository", "team/w*"), 0),
        (("--tag", "1.0.0"), 1), (("--tag", "1.1.0"), 0),
        (("--digest", ONE), 1), (("--digest", OTHER), 1), (("--digest", digest_of("two")), 0),
        (("--actor", HOSTILE), 1), (("--actor", "alice"), 0),
        (("--since", "2026-04-21 19:00"), 1), (("--since", "2026-04-21 19:01"), 0),
        (("--until", "2026-04-21 19:01"), 1), (("--until", "2026-04-21 19:00"), 0),
        (("--limit", "1"), 1),
    ],
)  # fmt: skip
def test_violations_are_narrowed(command_line: CommandLine, arguments: tuple[str, ...], count: int) -> None:
    assert len(command_line.ask_json("violations", *arguments)) == count


def test_a_release_tag_that_comes_back_with_another_digest_is_told_as_pushed_anew(ledger: Ledger) -> None:
    ledger.receive(
        push("1.0.0", "one", 1), SomeEvent(action="delete", tag="1.0.0", at=2, method="DELETE"), push("1.0.0", "two", 3)
    )
    lines = CommandLine(ledger.store.directory).ask("violations").splitlines()
    assert [line[28:39].strip() for line in lines] == ["MOVE", "pushed anew", "deleted"]


@pytest.mark.parametrize("command", ["traffic", "quarantine", "violations", "deployments", "environments"])
def test_an_empty_list_is_an_answer(ledger: Ledger, command: str) -> None:
    result = CommandLine(ledger.store.directory).run(command)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (0, "", 1)
