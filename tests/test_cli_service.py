"""`tagtrail serve`, `registry-config`, `check` and `rebuild`: the commands around the service itself."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import requests
import yaml

from tagtrail.access.tokens import make_token
from tagtrail.ledger.submission import Draft, Submission
from tagtrail.line import Entry
from tagtrail.server.run import only_service
from tagtrail.store.rebuilding import dump_projection
from tests.command_line import CommandLine, tell_story
from tests.conftest import Ledger
from tests.real import Process, eventually, free_port

TOKEN = "a-token-that-is-long-enough-to-be-one"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yml"
    path.write_text(
        yaml.safe_dump(
            {
                "data": "./data",
                "registries": [
                    {"name": "main", "tokens": [{"value": TOKEN}]},
                    {"name": "other", "tokens": [{"env": "OTHER_TOKEN"}]},
                ],
            }
        )
    )
    return path


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/readyz", timeout=5).status_code == 200
    except requests.RequestException:
        return False


def test_serve_listens_where_it_is_told_and_keeps_everything_in_the_data_directory(tmp_path: Path) -> None:
    listen = f"127.0.0.1:{free_port()}"
    data = tmp_path / "data"
    command = [sys.executable, "-m", "tagtrail", "serve", "--listen", listen, "--data", str(data)]
    service = Process(command, tmp_path / "service.log", cwd=tmp_path)
    service.start()
    try:
        eventually(lambda: _answers(f"http://{listen}"), f"the service answers; see {service.log.read_text()}")
        command_line = CommandLine(data)
        assert "started" in command_line.ask("log")
        announced = service.log.read_text()
        assert f"Pages: http://{listen}/\n" in announced
        shown = announced.partition("Commands, in another terminal: ")[2].partition("\n")[0]
        assert shown == f"{sys.executable} -m tagtrail log --data data"
        answer = subprocess.run(shlex.split(shown), capture_output=True, text=True, check=True, cwd=tmp_path)
        assert "started" in answer.stdout
        result = command_line.run("rebuild")
        assert (result.exit_code, "which another tagtrail is using" in result.stderr) == (3, True)
    finally:
        assert service.stop() == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "service.log"]
    assert "stopped" in command_line.ask("log", "--limit", "1")
    assert "derived again" in command_line.ask("rebuild")


def test_registry_config_prints_yaml_and_nothing_else(tmp_path: Path) -> None:
    command_line = CommandLine(tmp_path / "data")
    result = command_line.run("registry-config")
    (endpoint,) = yaml.safe_load(result.stdout)["notifications"]["endpoints"]
    token = (tmp_path / "data" / "ingest-token").read_text().strip()
    assert endpoint["url"] == "http://127.0.0.1:8080/events"
    assert endpoint["headers"]["Authorization"] == [f"Bearer {token}"]
    assert result.stderr == ""
    assert command_line.ask("registry-config") == result.stdout
    compose = yaml.safe_load(command_line.ask("registry-config", "--form", "compose"))
    settings = yaml.safe_load(compose["environment"]["REGISTRY_NOTIFICATIONS"])
    assert settings == yaml.safe_load(result.stdout)["notifications"]


def test_registry_config_goes_by_what_the_service_is_told(config: Path) -> None:
    command_line = CommandLine(config.parent / "data")
    environment = {"OTHER_TOKEN": TOKEN[::-1], "TAGTRAIL_DATA": ""}
    arguments = ("registry-config", "--config", str(config), "--listen", "127.0.0.1:9999")
    for registry, token in (("main", TOKEN), ("other", TOKEN[::-1])):
        result = command_line.run(*arguments, "--registry", registry, **environment)
        (endpoint,) = yaml.safe_load(result.stdout)["notifications"]["endpoints"]
        assert endpoint["url"] == "http://127.0.0.1:9999/events"
        assert endpoint["headers"]["Authorization"] == [f"Bearer {token}"]
    result = command_line.run(*arguments, **environment)
    assert (result.exit_code, result.stdout, "name one of main, other" in result.stderr) == (3, "", True)
    assert command_line.run(*arguments, TAGTRAIL_LISTEN="nonsense", **environment).exit_code == 3


def test_check_prints_what_is_in_force_without_secrets_and_writes_nothing(config: Path) -> None:
    command_line = CommandLine(config.parent / "data")
    result = command_line.run(
        "check", "--config", str(config), "--listen", "127.0.0.1:9999", OTHER_TOKEN=TOKEN[::-1], TAGTRAIL_DATA=""
    )
    assert result.exit_code == 0
    assert "listen: 127.0.0.1:9999" in result.stdout
    assert f"data: {config.parent / 'data'}" in result.stdout
    assert TOKEN not in result.output
    assert TOKEN[::-1] not in result.output
    assert [path.name for path in config.parent.iterdir()] == ["config.yml"]


def test_check_warns_of_a_file_that_everybody_can_read(config: Path) -> None:
    config.chmod(0o644)
    result = CommandLine(config.parent).run("check", "--config", str(config), OTHER_TOKEN=TOKEN[::-1])
    assert result.exit_code == 0
    assert re.search(r"^Warning: registries\[0\]\.tokens\[0\]: .* chmod o-r it$", result.stderr, re.MULTILINE)
    config.chmod(0o640)
    result = CommandLine(config.parent).run("check", "--config", str(config), OTHER_TOKEN=TOKEN[::-1])
    assert "chmod" not in result.stderr


def test_check_says_in_one_sentence_what_is_wrong(config: Path) -> None:
    result = CommandLine(config.parent).run("check", "--config", str(config), OTHER_TOKEN="")
    assert (result.exit_code, result.stdout) == (3, "")
    assert "registries[1].tokens[0].env is OTHER_TOKEN, which is not set" in result.stderr


def test_check_ends_with_its_verdict_and_can_print_json(config: Path) -> None:
    command_line = CommandLine(config.parent)
    arguments = ("check", "--config", str(config))
    assert command_line.run(*arguments, OTHER_TOKEN=TOKEN[::-1]).stdout.endswith("\nThe configuration can be used.\n")
    report = json.loads(command_line.run(*arguments, "--json", OTHER_TOKEN=TOKEN[::-1]).stdout)
    assert (report["usable"], report["source"], report["error"]) == (True, str(config), None)
    settings = {each["key"]: (each["value"], each["is_default"]) for each in report["settings"]}
    assert settings["registries[0].name"] == ("main", False)
    assert settings["log.level"] == ("info", True)
    result = command_line.run(*arguments, "--json", OTHER_TOKEN="")
    assert "the configuration cannot be used: registries[1]" in result.stderr
    assert (json.loads(result.stdout)["usable"], result.exit_code) == (False, 3)


def test_check_fails_beyond_loopback_until_a_stored_token_can_read(ledger: Ledger) -> None:
    command_line = CommandLine(ledger.store.directory)
    result = command_line.run("check", "--listen", "0.0.0.0:8080")
    assert (result.exit_code, "access.read has no token" in result.stderr) == (3, True)
    make_token(ledger.recorder, "board", ["read"])
    assert command_line.run("check", "--listen", "0.0.0.0:8080").exit_code == 0


def test_rebuild_derives_the_same_trail_again(ledger: Ledger) -> None:
    tell_story(ledger)
    before = dump_projection(ledger.store.reader())
    with ledger.store.writing() as tx:
        tx.execute("UPDATE moves SET kind = 'created', violates = 0")
    printed = CommandLine(ledger.store.directory).ask("rebuild")
    assert re.fullmatch(r"The trail was derived again from 17 lines in \d+ s\.\n", printed)
    assert dump_projection(ledger.store.reader()) == before


def test_rebuild_refuses_while_the_service_runs(ledger: Ledger) -> None:
    with only_service(ledger.store.directory):
        result = CommandLine(ledger.store.directory).run("rebuild")
    assert (result.exit_code, "which another tagtrail is using" in result.stderr) == (3, True)


def test_rebuild_tells_a_person_how_far_it_is(ledger: Ledger) -> None:
    ledger.recorder.record(Submission(10_001 * (Draft(Entry(kind="annotation")),)))
    command_line = CommandLine(ledger.store.directory)
    assert "line 9999 ..." in command_line.ask_at_terminal("rebuild")
    assert "line 9999" not in command_line.run("rebuild").output
