"""The docs are true: their examples load, their commands exist, and their outputs are current."""

import json
import os
import re
import shlex
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

import tagtrail
from tagtrail.api.openapi import describe_api
from tagtrail.cli import main
from tagtrail.cli.program import EXIT_CODES
from tagtrail.config.load import load
from tagtrail.store.database import Store
from tagtrail.web.pages import PAGES
from tests.checker import check_ledger
from tests.command_line import commands_of
from tests.events import envelope, push
from tests.real import Service
from tests.shown import DEPLOY_TOKEN, DOCS, ROOT, World, comparable, docs_world, find_shown

ALL = sorted(
    str(path.relative_to(ROOT)) for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")) if path.is_file()
)
PACKAGE = Path(tagtrail.__file__).parent
_FENCED = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_INLINE = re.compile(r"`(tagtrail [^`]+)`")
ENVIRONMENT = {
    "MAIN_TOKEN": "the-token-of-the-registry-main",
    "OPS_CHAT_URL": "https://chat.example/hooks/ops",
    "TEAM_CHAT_URL": "https://chat.example/hooks/team",
}


def text_of(doc: str) -> str:
    return (ROOT / doc).read_text()


def blocks(doc: str, language: str) -> list[str]:
    """The fenced blocks of a language, without the indentation of a list."""
    return [
        re.sub(rf"^{indent}", "", body, flags=re.MULTILINE)
        for indent, found, body in _FENCED.findall(text_of(doc))
        if found == language
    ]


def anchors(doc: str) -> set[str]:
    """The anchors of a doc's headings."""
    prose = _FENCED.sub("", text_of(doc))
    headings = re.findall(r"^#+ (.*)$", prose, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("doc", ALL)
def test_every_link_leads_somewhere(doc: str) -> None:
    for link in _LINK.findall(_FENCED.sub("", text_of(doc))):
        path, _, anchor = link.partition("#")
        if not link.startswith("https://"):
            target = (ROOT / doc).parent / path if path else ROOT / doc
            assert target.exists(), link
            assert not anchor or anchor in anchors(str(target.resolve().relative_to(ROOT))), link


@pytest.mark.parametrize("doc", ALL)
def test_no_doc_names_a_package_host_or_a_machine(doc: str) -> None:
    assert re.findall(r"--index-url|--extra-index-url|/(?:work|root|home)/\w|registry\.n\w+\.org", text_of(doc)) == []


@pytest.mark.parametrize("doc", ALL)
def test_no_doc_claims_more_than_a_log_can_show(doc: str) -> None:
    assert re.findall(r"(?i)\bcomplete\b|tamper-?proof|\bWORM\b", text_of(doc)) == []


YAML = [(doc, number) for doc in ALL for number in range(len(blocks(doc, "yaml")))]


@pytest.mark.parametrize(("doc", "number"), YAML, ids=[f"{doc}-{number}" for doc, number in YAML])
def test_every_yaml_block_parses(doc: str, number: int) -> None:
    assert isinstance(yaml.safe_load(blocks(doc, "yaml")[number]), dict)


@pytest.mark.parametrize("doc", ["docs/naming.md", "docs/operating.md", "docs/chat.md"])
def test_every_configuration_in_the_docs_loads(doc: str, tmp_path: Path) -> None:
    (tmp_path / "edge-token").write_text("the-token-of-the-registry-edge\n")
    found = [text for text in blocks(doc, "yaml") if not {"environment", "notifications"} & yaml.safe_load(text).keys()]
    assert found
    for text in found:
        path = tmp_path / "config.yml"
        path.write_text(text)
        load(path, environ=ENVIRONMENT)


def test_the_example_configuration_loads() -> None:
    load(ROOT / "config.example.yml", environ={})


def command_lines() -> Iterator[tuple[str, str]]:
    """Every `tagtrail ...` of a block, with its doc."""
    for doc in ALL:
        for _, language, body in _FENCED.findall(text_of(doc)):
            if language in ("sh", "console"):
                joined = body.replace("\\\n", " ")
                yield from ((doc, found) for found in re.findall(r"^ *(?:\$ )?(tagtrail .*)$", joined, re.MULTILINE))


LINES = sorted(set(command_lines()))


def check_arguments(command: click.Command, words: list[str], parent: click.Context) -> None:
    """Raise UsageError for an argument that the command does not accept; a group checks its subcommand."""
    context = command.make_context(command.name, list(words), parent=parent)
    if isinstance(command, click.Group):
        commands = commands_of(command)
        name = words[0] if words and words[0] in commands else "list"
        check_arguments(commands[name], words[1:] if words and words[0] == name else words, context)


@pytest.mark.parametrize(("doc", "line"), LINES, ids=[f"{doc}: {line}" for doc, line in LINES])
def test_every_command_line_in_the_docs_is_accepted(doc: str, line: str) -> None:
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|;>")
    lexer.whitespace_split = True
    words: list[str] = []
    for word in lexer:
        if set(word) <= set("|;>"):
            break
        words.append(word)
    _, name, *rest = words
    check_arguments(commands_of(main)[name], rest, click.Context(main, info_name="tagtrail"))


MENTIONS = sorted({(doc, found) for doc in ALL for found in _INLINE.findall(_FENCED.sub("", text_of(doc)))})


@pytest.mark.parametrize(("doc", "mention"), MENTIONS, ids=[f"{doc}: {mention}" for doc, mention in MENTIONS])
def test_every_command_and_option_that_is_mentioned_exists(doc: str, mention: str) -> None:
    _, name, *rest = mention.split()
    if name == "COMMAND":
        return
    if name.startswith("--"):
        assert name in {option for parameter in main.params for option in parameter.opts}
        return
    command = commands_of(main)[name]
    while isinstance(command, click.Group):
        commands = commands_of(command)
        name = rest.pop(0) if rest and rest[0] in commands else "list"
        if name not in commands:  # the text names the group itself
            return
        command = commands[name]
    known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    assert {word for word in rest if word.startswith("--")} <= known


def test_every_command_is_in_the_docs() -> None:
    mentioned = set(re.findall(r"`tagtrail (\S+?)[ `]", text_of("docs/cli.md")))
    assert set(commands_of(main)) <= mentioned


def test_every_exit_code_is_in_the_docs() -> None:
    documented = {int(code) for code in re.findall(r"^\| (\d+) \|", text_of("docs/cli.md"), flags=re.MULTILINE)}
    assert documented == {0, *EXIT_CODES.values()}


def test_every_route_and_filter_of_the_api_is_in_the_docs() -> None:
    api = text_of("docs/api.md")
    described: dict[str, Any] = json.loads(json.dumps(describe_api()))
    paths = described["paths"]
    assert paths
    for path, operations in paths.items():
        name = re.sub(r"\{(\w+)\}", r"<\1>", path.removeprefix("/api/v1").removeprefix("/"))
        base = re.sub(r"\.(json|csv|ndjson)$", "", name) if name != "openapi.json" else name
        row = next((line for line in api.splitlines() if line.startswith(f"| `{base}` |")), None)
        assert row is not None, path
        for parameter in operations.get("get", {}).get("parameters", ()):
            given = parameter.get("name", parameter.get("$ref", "").rpartition("/")[2])
            assert given in ("limit", "cursor", "digest") or f"`{given}`" in row or given.startswith("If-"), (
                path,
                given,
            )


def test_every_page_is_in_the_docs_with_its_address_and_no_other_is() -> None:
    cells = re.findall(r"^\| (`/.*?) \|", text_of("docs/pages.md"), re.MULTILINE)
    documented = [address for cell in cells for address in re.findall(r"`(.*?)`", cell)]
    assert sorted(documented) == sorted(re.sub(r"<\w+:(\w+)>", r"<\1>", page.rule) for page in PAGES)


def test_every_file_and_folder_in_the_architecture_exists() -> None:
    """A row of the reading order begins with its room; its files lie there, in the package or in the checkout."""
    missing = []
    for line in text_of("docs/architecture.md").splitlines():
        names = re.findall(r"`([\w/]+(?:\.py|/))`", line)
        room = PACKAGE / names[0] if names else PACKAGE
        missing += [name for name in names if not any((folder / name).exists() for folder in (room, PACKAGE, ROOT))]
    assert missing == []


def test_every_room_of_the_package_is_in_the_architecture() -> None:
    rooms = {f"{path.name}/" for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    assert rooms <= set(re.findall(r"`(\w+/)`", text_of("docs/architecture.md")))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with docs_world(tmp_path_factory.mktemp("docs")) as world:
        yield world


def test_every_output_in_the_docs_is_current(world: World) -> None:
    """One test for all docs: some commands declare a deployment, which later ones show. See `tests/shown.py`."""
    documented = {str(shown): comparable(shown.output) for doc in DOCS for shown in find_shown(doc)}
    printed = {str(shown): comparable(world.run(shown.command)) for doc in DOCS for shown in find_shown(doc)}
    assert printed == documented


def run_declare_script(world: World, directory: Path, reference: str) -> "subprocess.CompletedProcess[str]":
    """Run `declare.sh` of docs/pipelines.md as a pipeline does."""
    [script] = [text for text in blocks("docs/pipelines.md", "sh") if text.startswith("#!")]
    (directory / "declare.sh").write_text(script)
    given = {
        "TAGTRAIL_URL": world.service.url,
        "TAGTRAIL_DEPLOY_TOKEN": DEPLOY_TOKEN,
        "KEY": f"job for {reference}",
        "ACTOR": 'd"ora',
        "CHANGE": "https://git.example/team/app/commit/5208e61",
    }
    return subprocess.run(
        ["sh", directory / "declare.sh", "staging", reference],
        env=os.environ | given,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_pipelines_script_prints_the_reference_to_deploy(world: World, tmp_path: Path) -> None:
    first, again = (run_declare_script(world, tmp_path, "shop/web:1.4.2") for _ in range(2))
    assert re.fullmatch(r"registry\.example:5000/shop/web:1\.4\.2@sha256:[0-9a-f]{64}\n", first.stdout), first.stderr
    assert again.stdout == first.stdout
    listed = json.loads(world.service.cli("deployments", "shop/web", "--environment", "staging", "--json"))
    assert listed["actor"] == 'd"ora'


def test_the_pipelines_script_fails_for_a_refused_deployment(world: World, tmp_path: Path) -> None:
    done = run_declare_script(world, tmp_path, "shop/web:9.9.9")
    assert (done.returncode, done.stdout) == (1, "")
    assert "9.9.9" in done.stderr


@pytest.mark.parametrize("language", ["groovy", "yaml"])
def test_every_pipeline_gives_the_script_what_it_reads(language: str) -> None:
    found = [text for text in blocks("docs/pipelines.md", language) if "declare.sh" in text]
    assert found
    for text in found:
        assert text.count("{") == text.count("}")
        for name in ("TAGTRAIL_URL", "KEY", "ACTOR", "CHANGE"):
            assert re.search(rf"\b{name}( =|:) ", text), name


def test_a_documented_backup_of_a_busy_service_is_whole(tmp_path: Path) -> None:
    [command] = [line for doc, line in LINES if doc == "docs/operating.md" and line.startswith("tagtrail backup ")]
    words = [sys.executable, "-m", *shlex.split(command)[:-1], str(tmp_path / "backup")]
    service = Service(tmp_path / "service", {"data": str(tmp_path / "tagtrail-data")}).start()
    try:
        before = [push("prod", f"{n}", n) for n in range(300)]
        assert {service.post(envelope(event)) for event in before} == {202}
        running = subprocess.Popen(words, env=os.environ | {"TAGTRAIL_DATA": str(tmp_path / "tagtrail-data")})
        during = 300
        while running.poll() is None:
            assert service.post(envelope(push("prod", f"{during}", during))) == 202
            during += 1
        assert running.returncode == 0
    finally:
        service.process.stop()
    check_backup(tmp_path / "backup" / "tagtrail.db", ids={event.id for event in before})


def check_backup(backup: Path, *, ids: set[str]) -> None:
    """The copy is private, a valid ledger, and holds every event acknowledged before the backup."""
    assert backup.stat().st_mode & 0o077 == 0
    restored = backup.parent.parent / "restored"
    restored.mkdir()
    backup.rename(restored / "tagtrail.db")
    store = Store(restored)
    store.prepare()
    check_ledger(store)
    kept = {json.loads(line).get("event") for (line,) in store.reader().execute("SELECT line FROM lines")}
    store.close()
    assert ids <= kept
    with sqlite3.connect(restored / "tagtrail.db") as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()


def test_each_decision_has_a_number_of_its_own_and_is_listed() -> None:
    folder = Path(__file__).parent.parent / "docs" / "decisions"
    records = sorted(folder.glob("[0-9]*.md"))
    assert [record.name[:4] for record in records] == [f"{number:04}" for number in range(1, len(records) + 1)]
    index = (folder / "README.md").read_text()
    for record in records:
        title = record.read_text().partition("\n")[0].removeprefix("# ")
        assert f"| [{record.name[:4]}]({record.name}) | {title} |" in index
