"""`tagtrail deployments`, `environments`, `rollback`, `deploy`: what was published, and how to go back."""

import shlex

import msgspec
import pytest

from tagtrail.cli.details import RollBack
from tagtrail.store.deployments import RecordedDeployment
from tagtrail.store.environments import DeclaredDeployment, EnvironmentState
from tagtrail.trail.names import Reference
from tagtrail.trail.rules import EnvironmentRule, RegistryIdentity, Rules
from tagtrail.wording.rollback import make_commands
from tests.command_line import DAY, HOST, HOUR, RULES, CommandLine, decode_struct, tell_story
from tests.conftest import Ledger
from tests.events import INDEX, delete_digest, delete_tag, digest_of, push

ONE, TWO = digest_of("one"), digest_of("two")


@pytest.fixture
def command_line(ledger: Ledger) -> CommandLine:
    tell_story(ledger)
    return CommandLine(ledger.store.directory)


def test_deployments_tell_what_was_published_and_what_it_replaced(command_line: CommandLine) -> None:
    lines = command_line.ask("deployments").splitlines()
    assert lines[0].split() == [
        "WHEN", "ENVIRONMENT", "IMAGE", "RELEASE", "WENT", "BASIS", "BY", "CHANGE", "BEFORE", "LASTED", "LINE",
    ]  # fmt: skip
    assert " ".join(lines[2].split()[3:]) == (
        f"production {HOST}/team/app:prod@{ONE} 1.0.0 (then) back reported bob - 1.1.0 2 h 59 min 8"
    )
    assert " unpinned first " in " ".join(lines[1].split())


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        ((), [14, 8, 7, 5]),
        (("team/app",), [8, 7, 5]),
        (("team/app:prod",), [8, 7, 5]),
        (("team/w*",), [14]),
        (("--registry", "main"), [14, 8, 7, 5]),
        (("--registry", "other"), []),
        (("--repository", "team/worker"), [14]),
        (("--tag", "staging"), [14]),
        (("--digest", TWO), [7]),
        (("--actor", "bob"), [8]),
        (("--environment", "staging"), [14]),
        (("--since", "2026-04-21 17:00"), [14, 8]),
        (("--until", "2026-04-21 14:01"), [5]),
        (("--limit", "2"), [14, 8]),
    ],
)
def test_deployments_are_narrowed(command_line: CommandLine, arguments: tuple[str, ...], lines: list[int]) -> None:
    assert [deployment["seq"] for deployment in command_line.ask_json("deployments", *arguments)] == lines


def test_machines_get_what_the_api_answers(command_line: CommandLine) -> None:
    for arguments, kind in (
        (("deployments",), RecordedDeployment),
        (("environments",), EnvironmentState),
        (("rollback", "team/app@production"), RollBack),
        (("deploy", "team/app:1.1.0", "--environment", "production"), DeclaredDeployment),
    ):
        lines = command_line.ask(*arguments, "--json").splitlines()
        assert lines
        for line in lines:
            decode_struct(line, kind)
            assert msgspec.json.decode(line).keys() == set(kind.__struct_fields__)


def test_environments_tell_what_is_published_and_what_it_could_go_back_to(command_line: CommandLine) -> None:
    lines = command_line.ask("environments").splitlines()
    assert " ".join(lines[1].split()) == (
        f"production {HOST}/team/app:prod@{ONE} 1.0.0 (then) 2026-04-21 17:00:00 +02:00 bob 1.1.0 8"
    )


def test_environments_show_a_withdrawal(command_line: CommandLine, ledger: Ledger) -> None:
    ledger.receive(delete_tag("staging", DAY + 9 * HOUR, repository="team/worker"))
    assert "withdrawn" in command_line.ask("environments", "--environment", "staging")
    assert "withdrawn" in command_line.ask_at_terminal("environments", "--environment", "staging")


@pytest.mark.parametrize(
    ("arguments", "environments"),
    [
        ((), ["production", "staging"]),
        (("team/app",), ["production"]),
        (("--repository", "team/worker"), ["staging"]),
        (("--environment", "staging"), ["staging"]),
        (("--registry", "other"), []),
        (("--limit", "1"), ["production"]),
        (("--at", "2026-04-21 14:30"), ["production"]),
        (("--at", "2026-01-01"), []),
    ],
)
def test_environments_are_narrowed(
    command_line: CommandLine, arguments: tuple[str, ...], environments: list[str]
) -> None:
    assert [state["environment"] for state in command_line.ask_json("environments", *arguments)] == environments


def test_rollback_prints_the_digest_and_the_commands(command_line: CommandLine) -> None:
    printed = command_line.ask("rollback", "team/app@production")
    pinned, tagged = f"{HOST}/team/app@{TWO}", f"{HOST}/team/app:prod"
    assert f"\n  {pinned}\n" in printed
    for command in (
        f"skopeo copy --all --preserve-digests docker://{pinned} docker://{tagged}",
        f"crane tag {pinned} prod",
        f"docker pull {pinned}",
        f"docker image tag {pinned} {tagged}",
        f"docker image push {tagged}",
    ):
        assert f"\n  {command}\n" in printed
    assert printed == command_line.ask("rollback", f"{HOST}/team/app@production", "--registry", "main")


def test_rollback_says_since_when_it_was_good_and_that_it_was_left(command_line: CommandLine) -> None:
    printed = command_line.ask("rollback", "team/app@production")
    assert f"go back to  1.1.0         {TWO}  2026-04-21 14:01:00 +02:00  2026-04-21 17:00:00 +02:00" in printed
    assert "Think twice: it was itself left by going back to an earlier one." in printed


def test_rollback_warns_of_what_was_deleted_since(ledger: Ledger) -> None:
    ledger.receive(push("prod", "one", 1), push("prod", "two", 2))
    command_line = CommandLine(ledger.store.directory)
    assert "Think twice" not in command_line.ask("rollback", "team/app@production")
    ledger.receive(delete_digest("one", 3))
    assert "the registry has reported its deletion since" in command_line.ask("rollback", "team/app@production")


def test_rollback_of_what_was_withdrawn_says_so(command_line: CommandLine, ledger: Ledger) -> None:
    ledger.receive(delete_tag("prod", DAY + 20 * HOUR))
    printed = command_line.ask("rollback", "team/app@production")
    assert "Nothing is published since 2026-04-22 10:00:00 +02:00: the tag was deleted." in printed
    assert f"crane tag {HOST}/team/app@" in printed


def test_rollback_warns_where_docker_would_push_a_part_of_an_image_only(ledger: Ledger) -> None:
    ledger.receive(push("prod", "one", 1, media_type=INDEX), push("prod", "two", 2))
    command_line = CommandLine(ledger.store.directory)
    assert "docker would push your own platform alone" in command_line.ask("rollback", "team/app@production")
    ledger.receive(push("prod", "three", 3))
    assert "docker would push" not in command_line.ask("rollback", "team/app@production")


def test_rollback_puts_back_the_tag_that_means_the_environment(ledger: Ledger) -> None:
    live = EnvironmentRule("production", "**", "production")
    ledger.put_in_force(Rules(environments=(live,), registries=(RegistryIdentity("main"),)))
    ledger.receive(push("production", "one", 1), push("production", "two", 2))
    (answer,) = CommandLine(ledger.store.directory).ask_json("rollback", "team/app@production")
    assert (answer["tag"], answer["commands"]["crane"][0].split()[-1]) == ("production", "production")


def test_rollback_of_an_environment_without_a_tag_any_more_gives_the_digest_only(ledger: Ledger) -> None:
    ledger.put_in_force(RULES)
    ledger.receive(push("prod", "one", 1), push("prod", "two", 2))
    ledger.put_in_force(
        Rules(environments=(EnvironmentRule("staging", "**", "staging"),), registries=(RegistryIdentity("main"),))
    )
    command_line = CommandLine(ledger.store.directory)
    (answer,) = command_line.ask_json("rollback", "team/app@production")
    assert (answer["tag"], answer["commands"]["skopeo"]) == (None, [])
    assert "skopeo" not in command_line.ask("rollback", "team/app@production")
    assert f"{HOST}/team/app@{ONE}" in command_line.ask("rollback", "team/app@production")


def test_a_registry_on_this_machine_is_taken_to_speak_plain_http() -> None:
    for host, is_plain in (("localhost:5000", True), ("127.0.0.1", True), ("[::1]:5000", True), (HOST, False)):
        commands = make_commands(Reference("team/app", "prod", ONE, host))
        assert ("--src-tls-verify=false --dest-tls-verify=false" in commands.skopeo[0]) == is_plain


@pytest.mark.parametrize("host", ["", "registry"])
def test_there_are_no_commands_by_which_tools_would_go_elsewhere(ledger: Ledger, host: str) -> None:
    ledger.receive(push("prod", "one", 1, host=host), push("prod", "two", 2, host=host))
    command_line = CommandLine(ledger.store.directory)
    (answer,) = command_line.ask_json("rollback", "team/app@production")
    assert answer["commands"] == {"skopeo": [], "crane": [], "docker": []}
    printed = command_line.ask("rollback", "team/app@production")
    assert "Set the `host` of registry main in the configuration." in printed
    assert "docker pull" not in printed


def test_commands_say_nothing_else_to_a_shell_than_to_a_person() -> None:
    commands = make_commands(Reference("team/app", "prod", ONE, "evil.example;$(id)`id`"))
    for command in (*commands.skopeo, *commands.crane, *commands.docker):
        assert (
            shlex.split(command)[-1].removeprefix("docker://").startswith(("evil.example;$(id)`id`/team/app", "prod"))
        )


def test_deploy_records_a_deployment_and_says_what_to_go_back_to(command_line: CommandLine) -> None:
    printed = command_line.ask(
        "deploy", "team/app:1.1.0", "--environment", "production", "--change", "JIRA-7", "--actor", "jenkins",
        "--note", "at night", "--registry", "main",
    )  # fmt: skip
    assert printed.splitlines() == [
        "Recorded as line 17: team/app 1.1.0 for production, a step back to what was there before.",
        "The image to deploy:",
        f"  {HOST}/team/app:1.1.0@{TWO}",
        "The image to go back to:",
        f"  {HOST}/team/app@{ONE}" if f"{HOST}/team/app@{ONE}" in printed else f"  {HOST}/team/app:prod@{ONE}",
    ]
    (deployment,) = command_line.ask_json("deployments", "--limit", "1")
    said = {name: deployment[name] for name in ("basis", "change", "actor", "note", "digest")}
    assert said == {"basis": "declared", "change": "JIRA-7", "actor": "jenkins", "note": "at night", "digest": TWO}
    (entry,) = command_line.ask_json("log", "--limit", "1")
    assert entry["who"]["user_agent"].startswith("tagtrail/")


def test_the_same_declaration_under_the_same_key_is_recorded_once(command_line: CommandLine) -> None:
    arguments = ("deploy", "team/app:1.1.0", "--environment", "production", "--key", "build-7")
    assert command_line.ask(*arguments).startswith("Recorded as line 17:")
    assert command_line.ask(*arguments).startswith("Already recorded as line 17:")
    assert len(command_line.ask_json("log", "--kind", "deployment")) == 1


def test_deploy_refuses_what_contradicts_the_trail(command_line: CommandLine) -> None:
    result = command_line.run("deploy", f"team/app:1.1.0@{ONE}", "--environment", "production")
    assert (result.exit_code, f"never named {ONE}" in result.stderr) == (5, True)
    assert command_line.run("deploy", "team/app:1.1.0", "--environment", "nowhere").exit_code == 5
    assert command_line.run("deploy", "team/app:1.1.0", "--environment", "").exit_code == 2
    assert command_line.ask_json("log", "--kind", "deployment") == []
