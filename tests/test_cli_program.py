"""The program as a whole: help, exit codes, where the ledger is found, and what reaches a terminal."""

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import msgspec
import pytest
import sqlite_utils
from click.testing import CliRunner

from tagtrail.cli import main
from tagtrail.cli.open_trail import DEFAULT_DATA
from tagtrail.cli.program import EXIT_CODES, Program
from tagtrail.config.load import load
from tagtrail.line import Entry, hash_leaf, write_line
from tagtrail.store.database import DATABASE_NAME, NEWEST_MIGRATION, Store
from tagtrail.store.events import EntryRow, add_entries
from tagtrail.store.lines import append_line, set_projected
from tagtrail.store.migrations import migrations
from tagtrail.trail.rules import RegistryIdentity, Rules
from tests.command_line import DAY, HOSTILE_AS_SHOWN, CommandLine, commands_of, tell_story
from tests.conftest import Ledger
from tests.events import push

QUESTIONS = (
    ("log",),
    ("tags",),
    ("tags", "explain", "team/app:1.0"),
    ("history", "team/app:1.0.0"),
    ("at", "2026-04-21", "23:59"),
    ("at", "now", "team/**"),
    ("digest", "7692"),
    ("deployments",),
    ("environments",),
    ("rollback", "team/app@production"),
    ("violations",),
    ("quarantine",),
    ("registries",),
    ("traffic",),
)
TO_BE_COPIED = re.compile(r"^  (skopeo|crane|docker) .*$|^(  |It is the image.* )?\S*sha256:[0-9a-f]{64}$")
STYLE = re.compile(r"\x1b\[[0-9;]*m")
COLOUR = re.compile(r"\x1b\[[0-9;]*3[0-7][0-9;]*m")


@pytest.fixture
def command_line(ledger: Ledger) -> CommandLine:
    tell_story(ledger)
    return CommandLine(ledger.store.directory)


def all_commands(group: click.Group = main, path: str = "") -> list[tuple[str, click.Command]]:
    found: list[tuple[str, click.Command]] = []
    for name, command in commands_of(group).items():
        found.append((f"{path}{name}", command))
        if isinstance(command, click.Group):
            found += all_commands(command, f"{path}{name} ")
    return found


def test_every_command_is_in_the_help() -> None:
    """In the help of the program, of its group, or of its group's usual command."""
    for name, _ in all_commands():
        *groups, last = name.split()
        helps = [CliRunner().invoke(main, [*path, "--help"]).stdout for path in ([], groups, [*groups, "list"])]
        named = rf"(^  |`|`{' '.join(groups)} ){last}\b"
        assert last == "list" or any(re.search(named, text, re.MULTILINE) for text in helps), name


def test_every_command_and_option_explains_itself() -> None:
    for name, command in all_commands():
        assert command.help, name
        for parameter in command.params:
            assert not isinstance(parameter, click.Option) or parameter.help, f"{name} {parameter.name}"


def test_every_exit_code_is_in_the_help() -> None:
    text = CliRunner().invoke(main, ["--help"]).stdout
    for code in {0, *EXIT_CODES.values()}:
        assert re.search(rf"^    {code}  \w", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("history", "team/nothing:1.0"), 1, "the trail knows no repository team/nothing"),
        (("history", "team/app:9"), 1, "no tag 9 is recorded in team/app"),
        (("tags", "team/app:9"), 1, "no tag team/app:9 pointed at an image"),
        (("at", "yesterday", "other.example/team/app"), 1, "no registry is known as other.example; known is"),
        (("digest", "sha256:" + 64 * "0"), 1, "is recorded"),
        (("digest", "sha256:"), 2, "begins several digests"),
        (("rollback", "team/app@staging"), 1, "its environments are: production"),
        (("rollback", "team/worker@staging"), 1, "never had another digest to go back to"),
        (("registries", "--registry", "other"), 1, "no such registry is configured, and none sent events"),
        (("zzz",), 2, "No such command 'zzz' (see 'tagtrail --help')"),
        (("log", "--nothing"), 2, "No such option '--nothing'. Did you mean '--until'? (see"),
        (("--nothing",), 2, "No such option '--nothing'"),
        (("log", "--since", "soon"), 2, "'soon' is no time that tagtrail understands"),
        (("log", "--since", "2h", "--until", "3h"), 2, "until does not lie after since"),
        (("log", "--digest", "xyz"), 2, "'xyz' is not a digest"),
        (("log", "--limit", "0"), 2, "0 is not in the range"),
        (("history", "team/app"), 2, "names no tag"),
        (("history", "Team/App:1"), 2, "'Team/App' is not a repository name"),
        (("tags", "team/app@sha256:" + 64 * "0"), 2, "`tagtrail digest` shows which tags named it"),
        (("tags", "explain", "team/app"), 2, "names no tag"),
        (("at", "yesterdya", "team/app"), 2, "'yesterdya' is no time"),
        (("rollback", "team/app"), 2, "is no repository@environment"),
        (("deploy", "team/app:1.0.0"), 2, "Missing option '--environment'"),
        (("--data", "/nowhere/at/all", "log"), 3, "there is no ledger in '/nowhere/at/all'"),
        (("--config", "/nowhere/config.yml", "check"), 3, "cannot be read"),
        (("deploy", "team/app:9", "--environment", "production"), 5, "the trail knows no tag 9 in team/app"),
    ],
)  # fmt: skip
def test_a_failure_is_one_sentence_and_an_exit_code(
    command_line: CommandLine, arguments: tuple[str, ...], code: int, sentence: str
) -> None:
    result = command_line.run(*arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert sentence in result.stderr
    assert result.stderr.startswith("tagtrail: ")
    assert len(result.stderr.splitlines()) == 1


def test_what_a_person_typed_cannot_command_the_terminal_in_an_error(command_line: CommandLine) -> None:
    assert "\x1b" not in command_line.run("history", "team/\x1b]0;x\x07:1").stderr
    assert "\x1b" not in command_line.run("log", "--kind", "\x1b[31m").stderr


def test_a_file_that_is_no_database_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "tagtrail.db").write_text("no database, but long enough to be taken for the head of one: " + 99 * "x")
    result = CommandLine(tmp_path).run("log")
    assert (result.exit_code, len(result.stderr.splitlines())) == (4, 1)
    assert "cannot be opened" in result.stderr


def test_a_damaged_ledger_is_one_sentence(command_line: CommandLine) -> None:
    """The pages behind the first are overwritten, in a copy, as a failing disk would."""
    damaged = command_line.data.parent / "damaged"
    damaged.mkdir()
    content = (command_line.data / "tagtrail.db").read_bytes()
    (damaged / "tagtrail.db").write_bytes(content[:4096] + b"\xa5" * (len(content) - 4096))
    result = CommandLine(damaged).run("tags")
    assert (result.exit_code, len(result.stderr.splitlines())) == (4, 1)


def test_an_empty_file_is_no_ledger(tmp_path: Path) -> None:
    (tmp_path / "tagtrail.db").touch()
    assert CommandLine(tmp_path).run("log").exit_code == 3


def test_a_ledger_of_a_newer_version_is_one_sentence(store: Store) -> None:
    entry = Entry(v=1, seq=0, at="2026-04-20T12:00:00.000000Z", kind="configuration", configuration={"v": 2})
    with store.writing() as tx:
        line = write_line(entry)
        append_line(tx, 0, line, hash_leaf(line))
        add_entries(tx, [EntryRow(seq=0, received_at=0, kind="configuration")])
        set_projected(tx, 0)
    result = CommandLine(store.directory).run("log")
    assert (result.exit_code, "newer than this one" in result.stderr) == (4, True)


def test_a_defect_of_ours_is_not_dressed_up() -> None:
    group = Program("tagtrail")

    @group.command()
    def fail() -> None:
        raise KeyError("a defect")

    assert isinstance(CliRunner().invoke(group, ["fail"]).exception, KeyError)


def test_an_interrupted_command_ends_as_shells_expect() -> None:
    group = Program("tagtrail")

    @group.command()
    def wait() -> None:
        raise KeyboardInterrupt

    assert CliRunner().invoke(group, ["wait"]).exit_code == 130


def test_a_closed_pipe_ends_the_command_without_a_complaint(command_line: CommandLine) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "tagtrail", "--data", str(command_line.data), "log"],
        stdout=writing, stderr=subprocess.PIPE, check=False,
    )  # fmt: skip
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


def test_the_ledger_is_found_as_the_service_finds_it(command_line: CommandLine, tmp_path: Path) -> None:
    elsewhere, config = str(tmp_path / "elsewhere"), tmp_path / "config.yml"
    config.write_text("data: ./data\nregistries: [{name: main, tokens: [{env: NOT_SET_WHEN_ASKING}]}]\n")
    for arguments, environment in (
        (["--data", str(command_line.data), "tags"], {"TAGTRAIL_DATA": elsewhere}),
        (["tags", "--data", str(command_line.data)], {"TAGTRAIL_DATA": elsewhere}),
        (["--data", elsewhere, "tags", "--data", str(command_line.data)], {}),
        (["tags"], {"TAGTRAIL_DATA": str(command_line.data)}),
        (["tags", "--config", str(config)], {"TAGTRAIL_DATA": ""}),
        (["--config", str(config), "tags"], {"TAGTRAIL_DATA": ""}),
        (["tags"], {"TAGTRAIL_DATA": "", "TAGTRAIL_CONFIG": str(config)}),
    ):
        result = command_line.run(*arguments, **environment)
        assert (result.exit_code, "team/app:prod" in result.stdout) == (0, True), (arguments, environment)
    assert command_line.run("tags", TAGTRAIL_DATA=elsewhere).exit_code == 3


def test_without_any_word_the_ledger_is_where_the_service_puts_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert DEFAULT_DATA.absolute() == load(environ={}).data
    config = tmp_path / "config.yml"
    config.write_text("listen: 127.0.0.1:8080\n")
    for arguments in (["log"], ["log", "--config", str(config)]):
        result = CommandLine(tmp_path).run(*arguments, TAGTRAIL_DATA="")
        assert (result.exit_code, str(DEFAULT_DATA) in result.stderr) == (3, True)
    assert [path.name for path in tmp_path.iterdir()] == ["config.yml"]


@pytest.mark.parametrize("content", ["data: [", "data: 7", "data: ''"])
def test_a_configuration_that_names_no_data_directory_is_refused(tmp_path: Path, content: str) -> None:
    config = tmp_path / "config.yml"
    config.write_text(content)
    result = CommandLine(tmp_path).run("log", "--config", str(config), TAGTRAIL_DATA="")
    assert (result.exit_code, len(result.stderr.splitlines())) == (3, 1)


@pytest.mark.parametrize("arguments", QUESTIONS, ids=" ".join)
def test_a_question_creates_and_changes_nothing(command_line: CommandLine, arguments: tuple[str, ...]) -> None:
    command_line.ask("log")  # the first to close after a write writes the write-ahead log back
    before = {path.name: path.read_bytes() for path in command_line.data.iterdir()}
    command_line.ask(*arguments)
    assert {path.name: path.read_bytes() for path in command_line.data.iterdir()} == before


@pytest.mark.parametrize("width", [40, 80, 120, 200])
@pytest.mark.parametrize("arguments", QUESTIONS, ids=" ".join)
def test_every_answer_fits_the_terminal(command_line: CommandLine, arguments: tuple[str, ...], width: int) -> None:
    """Except what is to be copied, which is never broken."""
    printed = STYLE.sub("", command_line.ask_at_terminal(*arguments, width=width))
    too_long = [line for line in printed.splitlines() if len(line) > width]
    assert not [line for line in too_long if not TO_BE_COPIED.match(line)]


@pytest.mark.parametrize("arguments", QUESTIONS, ids=" ".join)
def test_nothing_but_styles_reaches_a_terminal_and_nothing_but_text_a_pipe(
    command_line: CommandLine, arguments: tuple[str, ...]
) -> None:
    for printed in (
        STYLE.sub("", command_line.ask_at_terminal(*arguments, width=160)),
        STYLE.sub("", command_line.ask_at_terminal(*arguments, "--json", width=160)),
        command_line.ask(*arguments),
        command_line.ask(*arguments, "--json"),
    ):
        assert all(line.isprintable() for line in printed.split("\n"))


def test_an_actor_is_shown_with_escapes_and_kept_as_it_was_for_machines(command_line: CommandLine) -> None:
    assert HOSTILE_AS_SHOWN in command_line.ask("violations")
    assert command_line.ask_json("violations")[0]["actor"].startswith("eve\x1b]0;owned\x07")


def test_a_process_finds_out_about_its_terminal_by_itself(command_line: CommandLine) -> None:
    for width in (80, 200):
        printed = command_line.ask_as_process("environments", width=width)
        assert COLOUR.search(printed)
        assert STYLE.sub("", printed) == STYLE.sub("", command_line.ask_at_terminal("environments", width=width))


def test_colour_is_for_terminals(command_line: CommandLine) -> None:
    assert COLOUR.search(command_line.ask_at_terminal("log"))
    assert not COLOUR.search(command_line.ask_at_terminal("log", NO_COLOR="1"))
    assert "\x1b" not in command_line.ask_at_terminal("log", TERM="dumb")
    assert "\x1b" not in command_line.run("log", FORCE_COLOR="1").stdout


def test_a_pipe_gets_whole_references_each_row_on_one_line(command_line: CommandLine) -> None:
    lines = command_line.ask("tags").splitlines()
    assert len(lines) == 7
    assert all(re.match(r"registry\.example:5000/team/\w+:[\w.]+@sha256:[0-9a-f]{64}  ", line) for line in lines[1:])


def test_a_terminal_that_knows_ascii_only_gets_escapes(command_line: CommandLine, ledger: Ledger) -> None:
    ledger.receive(push("1.2.0", "new", DAY, actor="Zoë"))
    done = subprocess.run(
        [sys.executable, "-m", "tagtrail", "--data", str(command_line.data), "tags"],
        capture_output=True, check=True, env=os.environ | {"PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert b"Zo\\xeb" in done.stdout


def test_a_person_is_told_when_a_terminal_shows_a_part_only(ledger: Ledger) -> None:
    ledger.receive(*(push(f"1.0.{number}", "one", number) for number in range(60)))
    command_line = CommandLine(ledger.store.directory)
    assert "more than these 50" in command_line.ask_at_terminal("tags")
    assert "more than these" not in command_line.ask_at_terminal("tags", "--limit", "60")
    assert "more than these" not in command_line.ask_at_terminal("tags", "--limit", "5")
    assert len(command_line.ask_json("tags")) == 60
    assert len(command_line.ask_at_terminal("tags", "--json").splitlines()) == 60
    assert len(command_line.ask("tags").splitlines()) == 61


def test_a_list_longer_than_a_page_is_whole_and_in_order(ledger: Ledger) -> None:
    ledger.receive(*(push(f"1.0.{number}", str(number), number) for number in range(620)))
    command_line = CommandLine(ledger.store.directory)
    assert [entry["seq"] for entry in command_line.ask_json("log")] == list(range(620, -1, -1))
    assert len(command_line.ask("tags").splitlines()) == 621


@pytest.mark.parametrize("arguments", QUESTIONS, ids=" ".join)
def test_json_is_one_document_per_line(command_line: CommandLine, arguments: tuple[str, ...]) -> None:
    lines = command_line.ask(*arguments, "--json").splitlines()
    assert lines
    assert all(isinstance(msgspec.json.decode(line), dict) for line in lines)


def test_a_repository_of_several_registries_has_to_be_chosen(ledger: Ledger) -> None:
    ledger.put_in_force(
        Rules(registries=(RegistryIdentity("main", "one.example"), RegistryIdentity("other", "two.example", ("two",))))
    )
    ledger.receive(push("prod", "one", 1), push("prod", "two", 2))
    ledger.sender = type(ledger.sender)("other", authenticates=False)
    ledger.receive(push("prod", "three", 1), push("prod", "four", 2))
    command_line = CommandLine(ledger.store.directory)
    for arguments in (("history", "team/app:prod"), ("rollback", "team/app@production")):
        result = command_line.run(*arguments)
        assert (result.exit_code, "choose one with --registry: main, other" in result.stderr) == (2, True)
    by_name = command_line.ask_json("history", "team/app:prod", "--registry", "other")
    assert {move["registry"] for move in by_name} == {"other"}
    assert command_line.ask_json("history", "two.example/team/app:prod") == by_name
    assert {tag["registry"] for tag in command_line.ask_json("tags", "team/app")} == {"main", "other"}
    assert {tag["registry"] for tag in command_line.ask_json("tags", "one.example/team/app")} == {"main"}
    assert "other/team/app:prod" in command_line.ask_at_terminal("tags")
    assert command_line.run("history", "one.example/team/app:prod", "--registry", "other").exit_code == 1


def test_the_version_is_told() -> None:
    assert CliRunner().invoke(main, ["--version"]).stdout.startswith("tagtrail, version ")


# Libraries that take long to import; a command imports one only when it uses it.
HEAVY = {"cryptography", "flask", "gunicorn", "jinja2", "requests", "rich", "sqlite_utils", "werkzeug", "yaml"}


@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [
        (("--version",), set()),
        (("--help",), set()),
        (("tags", "team/app"), set()),
        (("log",), set()),
        (("deployments", "--json"), set()),
        (("tags", "--help"), set()),
        (("notify", "status"), {"yaml"}),
    ],
)
def test_a_command_imports_only_the_libraries_that_it_uses(
    command_line: CommandLine, arguments: tuple[str, ...], allowed: set[str]
) -> None:
    assert imported_by(command_line, *arguments) & HEAVY == allowed


def test_the_version_is_printed_without_the_ledger(command_line: CommandLine) -> None:
    modules = imported_by(command_line, "--version")
    assert not modules & {"msgspec", "pysqlite3", "sqlite3"}


def imported_by(command_line: CommandLine, *arguments: str) -> set[str]:
    """The libraries that a process of its own has imported when the command ends."""
    program = (
        "import sys\nfrom tagtrail.cli import main\n"
        "try: main(sys.argv[1:])\nexcept SystemExit as exited: assert not exited.code\n"
        "print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)"
    )
    environment = {name: value for name, value in os.environ.items() if name != "TAGTRAIL_CONFIG"}
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], env=environment | {"TAGTRAIL_DATA": str(command_line.data)},
        capture_output=True, check=True, text=True,
    )  # fmt: skip
    return set(done.stderr.split())


MIGRATIONS = [step.name for step in migrations.pending(sqlite_utils.Database(memory=True))]


def make_older_database(directory: Path, missing: str) -> None:
    """A database as a version left it that did not know the migration `missing`, nor the later ones."""
    directory.mkdir()
    database = sqlite_utils.Database(directory / DATABASE_NAME)
    migrations.apply(database, stop_before=missing)
    database.conn.close()


def test_the_newest_migration_is_the_last_one() -> None:
    assert MIGRATIONS[-1] == NEWEST_MIGRATION


@pytest.mark.parametrize("missing", MIGRATIONS)
def test_a_database_that_the_service_has_not_migrated_is_refused_with_the_cure(tmp_path: Path, missing: str) -> None:
    make_older_database(tmp_path / "data", missing)
    command_line = CommandLine(tmp_path / "data")
    create = ("token", "create", "ci", "--scope", "read")
    for command in (*QUESTIONS[:2], ("log", "verify"), ("notify", "status"), ("token", "list"), create):
        result = command_line.run(*command)
        assert result.exit_code == 4, result.output
        assert result.stderr.count("\n") == 1
        assert "has the schema of an older version" in result.stderr
        assert "start the service of version" in result.stderr
    Store(tmp_path / "data").prepare()
    assert command_line.run("tags").exit_code == 0


def test_before_an_upgrade_the_configuration_is_checked_and_the_database_copied(tmp_path: Path) -> None:
    make_older_database(tmp_path / "data", NEWEST_MIGRATION)
    command_line = CommandLine(tmp_path / "data")
    assert command_line.run("check").exit_code == 0
    copied = command_line.run("backup", str(tmp_path / "copy"))
    assert copied.exit_code == 0, copied.stderr
    assert not Store(tmp_path / "copy").is_migrated()
    rebuilt = command_line.run("rebuild")
    assert rebuilt.exit_code == 0, rebuilt.stderr
    assert command_line.run("tags").exit_code == 0
