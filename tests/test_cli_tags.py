"""`tagtrail tags`, `tags explain`, `history`, `at` and `digest`: what pointed where, and when."""

import re

import msgspec
import pytest

from tagtrail.store.digests import RecordedDigest
from tagtrail.store.environments import EnvironmentState
from tagtrail.store.history import TagMove
from tagtrail.store.tags import TaggedDigest
from tests.command_line import DAY, HOST, CommandLine, decode_struct, tell_deletion, tell_story
from tests.conftest import Ledger
from tests.events import digest_of, push

ONE, TWO, INDEX, PLATFORM = (digest_of(content) for content in ("one", "two", "index", "amd64"))


@pytest.fixture
def command_line(ledger: Ledger) -> CommandLine:
    tell_story(ledger)
    return CommandLine(ledger.store.directory)


def names(command_line: CommandLine, *arguments: str) -> list[str]:
    return [f"{tag['repository']}:{tag['tag']}" for tag in command_line.ask_json(*arguments)]


def test_tags_shows_what_each_tag_points_at(command_line: CommandLine) -> None:
    lines = command_line.ask("tags").splitlines()
    assert lines[0].split() == ["IMAGE", "RELEASE", "SINCE", "BY", "LINE"]
    assert f"{HOST}/team/app:prod@{ONE}" in lines[3]
    assert "2026-04-21 17:00:00 +02:00  bob" in lines[3]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("team/multi",), ["team/multi:2.0.0"]),
        (("list", "team/multi"), ["team/multi:2.0.0"]),
        (("team/app:prod",), ["team/app:prod"]),
        ((f"{HOST}/team/app:prod",), ["team/app:prod"]),
        (("registry.local/team/app:prod",), ["team/app:prod"]),
        (("team/*i*",), ["team/multi:2.0.0"]),
        (("team/w*", "--tag", "staging"), ["team/worker:staging"]),
        (("--repository", "team/multi"), ["team/multi:2.0.0"]),
        (("--repository", "team/m*"), ["team/multi:2.0.0"]),
        (("--tag", "prod"), ["team/app:prod"]),
        (("--registry", "main", "--tag", "prod"), ["team/app:prod"]),
        (("--registry", "other"), []),
        (("--limit", "1"), ["team/app:1.0.0"]),
        (("--at", "2026-04-20 14:00:02"), ["team/app:1.0.0", "team/app:stable"]),
        (("--at", "2026-04-20"), []),
    ],
)
def test_tags_are_narrowed(command_line: CommandLine, arguments: tuple[str, ...], expected: list[str]) -> None:
    assert names(command_line, "tags", *arguments) == expected


def test_tags_are_sorted_as_versions(ledger: Ledger) -> None:
    pushed = ("prod", "1.10.0", "1.9.0", "1.10.0-rc1", "2026-04-20", "1.9.0-alpine", "latest")
    ledger.receive(*(push(tag, tag, number) for number, tag in enumerate(pushed)))
    ledger.receive(push("9", "nine", 20, repository="team/zoo"), push("10", "ten", 21, repository="team/zoo"))
    command_line = CommandLine(ledger.store.directory)
    in_order = ["1.9.0", "1.9.0-alpine", "1.10.0-rc1", "1.10.0", "2026-04-20", "latest", "prod"]
    everything = [f"team/app:{tag}" for tag in in_order] + ["team/zoo:9", "team/zoo:10"]
    assert names(command_line, "tags") == everything
    assert names(command_line, "tags", "--sort", "version", "--limit", "3") == everything[:3]
    assert names(command_line, "at", "now", "team/app") == everything[:7]
    listed = [line.split()[0].partition("@")[0] for line in command_line.ask("tags").splitlines()[1:]]
    assert listed == [f"{HOST}/{name}" for name in everything]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), ["team/worker:staging", "team/multi:2.0.0", "team/app:1.0.0", "team/app:prod"]),
        (("team/app",), ["team/app:1.0.0", "team/app:prod", "team/app:1.1.0", "team/app:stable"]),
        (("--at", "2026-04-21 14:30"), ["team/app:prod", "team/app:1.1.0", "team/app:stable", "team/app:1.0.0"]),
        (("--tag", "prod"), ["team/app:prod"]),
        (("--registry", "other"), []),
    ],
)
def test_the_newest_tags_come_first_on_demand(
    command_line: CommandLine, arguments: tuple[str, ...], expected: list[str]
) -> None:
    assert names(command_line, "tags", *arguments, "--sort", "newest")[:4] == expected
    assert names(command_line, "tags", *arguments, "--sort", "newest", "--limit", "1") == expected[:1]


def test_a_terminal_says_that_there_are_more_tags_than_it_shows(ledger: Ledger) -> None:
    ledger.receive(*(push(f"1.{number}", "one", number) for number in range(51)))
    command_line = CommandLine(ledger.store.directory)
    for order, shown, left_out in (("version", "1.0", "1.50"), ("newest", "1.50", "1.0")):
        printed = re.sub(r"\x1b\[[0-9;]*m", " ", command_line.ask_at_terminal("tags", "--sort", order))
        assert "more than these 50" in printed
        assert f"team/app:{shown} " in printed
        assert f"team/app:{left_out} " not in printed


def test_machines_get_what_the_api_answers(command_line: CommandLine) -> None:
    for arguments, kind in (
        (("tags",), TaggedDigest),
        (("history", "team/app:prod"), TagMove),
        (("at", "now"), EnvironmentState),
        (("at", "now", "team/app"), TaggedDigest),
        (("digest", ONE), RecordedDigest),
    ):
        lines = command_line.ask(*arguments, "--json").splitlines()
        assert lines
        for line in lines:
            document = decode_struct(line, kind)
            assert msgspec.json.decode(line).keys() == set(kind.__struct_fields__), document


def test_explain_names_the_default_rule_that_decided(command_line: CommandLine) -> None:
    printed = command_line.ask("tags", "explain", "team/app:1.0")
    assert "team/app:1.0 is a release tag: it may never move. It is a version." in printed
    (answer,) = command_line.ask_json("tags", "explain", f"{HOST}/team/app:1.0")
    assert (answer["kind"], answer["environments"]) == ("release", [])
    assert f"Decided by {answer['rule']};" in printed
    rule = f"{answer['rule']}: release: is a version; tag {answer['syntax']} {answer['pattern']}\n"
    assert rule in command_line.ask("check", "--all")
    assert answer["pattern"] not in command_line.ask("check")


def test_explain_names_the_rule_of_the_configuration_and_the_environment(command_line: CommandLine) -> None:
    (answer,) = command_line.ask_json("tags", "explain", "any/where:1.0.0-rc1")
    assert (answer["kind"], answer["rule"], answer["pattern"]) == ("moving", "tag_rules[0]", "*-rc*")
    assert "deployed to production" in command_line.ask("tags", "explain", "team/app:prod")
    (elsewhere,) = command_line.ask_json("tags", "explain", "team/app:prod", "--registry", "other")
    assert elsewhere["environments"] == []


def test_history_tells_every_move_of_a_tag(command_line: CommandLine) -> None:
    moves = command_line.ask_json("history", "team/app:prod")
    assert [(move["kind"], move["digest"], move["release_tags"]) for move in moves] == [
        ("moved_back", ONE, ["1.0.0"]),
        ("moved", TWO, ["1.1.0"]),
        ("created", ONE, ["1.0.0"]),
    ]
    lines = command_line.ask("history", "team/app:prod").splitlines()
    assert "2026-04-21 14:01:00 +02:00  2026-04-21 17:00:00 +02:00  moved" in lines[2]
    assert lines[1].split()[-3:] == ["1x", "bob", "8"]
    assert "2 h 59 min" in command_line.ask_at_terminal("history", "team/app:prod", width=120)


def test_history_shows_a_violation_and_a_deletion(command_line: CommandLine) -> None:
    assert "moved VIOLATION" in command_line.ask("history", "team/app:1.0.0")
    assert "deleted" in command_line.ask("history", "team/worker:latest")
    assert [move["digest"] for move in command_line.ask_json("history", "team/worker:latest")] == [
        None,
        digest_of("spare"),
    ]


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        (("--since", "2026-04-21 14:01"), [8, 7]),
        (("--until", "2026-04-21 14:01"), [5]),
        (("--registry", "main", "--limit", "1"), [8]),
    ],
)
def test_history_is_narrowed(command_line: CommandLine, arguments: tuple[str, ...], lines: list[int]) -> None:
    assert [move["seq"] for move in command_line.ask_json("history", "team/app:prod", *arguments)] == lines


def test_history_of_a_time_without_moves_is_an_empty_answer(command_line: CommandLine) -> None:
    result = command_line.run("history", "team/app:prod", "--until", "2026-01-01")
    assert (result.exit_code, result.stderr) == (0, "The tag team/app:prod did not move in that time.\n")


@pytest.mark.parametrize(
    ("words", "digest"),
    [
        (("2026-04-21", "14:00:59", "team/app:prod"), ONE),
        (("2026-04-21", "14:01", "team/app:prod"), TWO),
        (("2026-04-21 14:01", f"{HOST}/team/app:prod"), TWO),
        (("2026-04-21T12:01:00Z", "team/app@production"), TWO),
        (("now", "team/app:prod"), ONE),
        (("1h", "ago", "team/app@production"), ONE),
    ],
)
def test_at_tells_the_head_at_that_instant(command_line: CommandLine, words: tuple[str, ...], digest: str) -> None:
    (answer,) = command_line.ask_json("at", *words)
    assert (answer.get("published") or answer)["digest"] == digest
    assert digest in command_line.ask("at", *words)


def test_at_the_time_that_is_shown_for_a_move_is_after_the_move(ledger: Ledger) -> None:
    ledger.receive(push("prod", "one", 1), push("prod", "two", 60.75))
    command_line = CommandLine(ledger.store.directory)
    shown = command_line.ask("history", "team/app:prod").splitlines()[1][:26]
    assert shown == "2026-04-20 14:01:00 +02:00"
    assert [tag["digest"] for tag in command_line.ask_json("at", shown, "team/app:prod")] == [TWO]
    assert [tag["digest"] for tag in command_line.ask_json("tags", "--at", shown)] == [TWO]
    assert [tag["digest"] for tag in command_line.ask_json("at", "2026-04-20 14:01:00.5", "team/app:prod")] == [ONE]


def test_at_tells_all_tags_of_a_repository_or_every_environment(command_line: CommandLine) -> None:
    assert names(command_line, "at", "2026-04-21", "14:30", "team/app") == [
        "team/app:1.0.0",
        "team/app:1.1.0",
        "team/app:prod",
        "team/app:stable",
    ]
    assert names(command_line, "at", "now", "team/m*") == ["team/multi:2.0.0"]
    at_noon = command_line.ask_json("at", "2026-04-21", "14:30")
    assert [(state["environment"], state["roll_back_to"]["digest"]) for state in at_noon] == [("production", ONE)]
    assert len(command_line.ask_json("at", "now", "--limit", "1")) == 1
    assert command_line.ask_json("at", "now", "team/app", "--registry", "main")


def test_at_says_to_a_person_which_instant_it_understood(command_line: CommandLine) -> None:
    printed = command_line.ask_at_terminal("at", "2026-04-21", "2:30", "pm", "team/app:prod")
    assert "At 2026-04-21 14:30:00 +02:00, a Tuesday, by the registry's clock:" in printed
    assert "At 2026" not in command_line.ask("at", "2026-04-21", "2:30", "pm", "team/app:prod")


def test_at_knows_nothing_of_a_tag_before_its_first_push(command_line: CommandLine) -> None:
    result = command_line.run("at", "2026-04-20", "13:00", "team/app:prod")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "no tag team/app:prod pointed at an image at 2026-04-20 13:00:00 +02:00" in result.stderr
    assert command_line.run("at", "2026-04-20", "13:00", "team/app@production").exit_code == 1
    assert command_line.run("at", "2026-04-20", "13:00").exit_code == 0


def test_digest_tells_its_tags_and_environments(command_line: CommandLine) -> None:
    printed = command_line.ask("digest", ONE[:19])
    assert printed.startswith(f"{ONE}\nin {HOST}/team/app: application/vnd.oci.image.manifest.v1+json, a manifest of")
    assert "1.0.0   release  2026-04-20 14:00:01 +02:00  2026-04-21 19:00:00 +02:00  alice" in printed
    assert "production   team/app:prod  back   2026-04-21 17:00:00 +02:00  now" in printed


def test_the_digest_of_a_platform_leads_to_the_tag_of_its_index(command_line: CommandLine) -> None:
    printed = command_line.ask("digest", PLATFORM)
    assert "No tag ever named it." in printed
    assert f"It is the image for linux/amd64 of the index {INDEX}" in printed
    assert "team/multi:2.0.0" in printed
    assert f"linux/amd64  {PLATFORM}" in command_line.ask("digest", INDEX)


def test_digest_is_narrowed(command_line: CommandLine, ledger: Ledger) -> None:
    ledger.receive(push("copy", "one", DAY, repository="team/copy"))
    assert len(command_line.ask_json("digest", ONE)[0]["held"]) == 2
    for arguments in (
        (f"team/copy@{ONE}",),
        (ONE, "--repository", "team/copy"),
        (f"{HOST}/team/copy@{ONE}", "--registry", "main"),
    ):
        (answer,) = command_line.ask_json("digest", *arguments)
        assert [held["repository"] for held in answer["held"]] == ["team/copy"]
    assert command_line.run("digest", ONE, "--registry", "other").exit_code == 1
    (short,) = command_line.ask_json("digest", ONE, "--limit", "1")
    assert (len(short["tags"]), short["whole"]) == (1, False)
    assert "There are more" in command_line.run("digest", ONE, "--limit", "1").stderr


def test_a_digest_that_is_deleted_keeps_its_past(command_line: CommandLine, ledger: Ledger) -> None:
    tell_deletion(ledger)
    (answer,) = command_line.ask_json("digest", ONE)
    assert all(naming["until"] for naming in answer["tags"])
    assert "team/app:prod" not in command_line.ask("tags")
