"""The files in deploy/, checked without a container engine but with the real registry."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

import tagtrail
from tagtrail.config.load import load
from tagtrail.config.model import Config, LimitsConfig
from tagtrail.config.notifications import render_notifications
from tests.real import TOKEN, Layout, Registry, Service, need

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
TOKENS = {f"TAGTRAIL_{name}_TOKEN": f"{name.lower()}-token-that-is-long-enough" for name in ("READ", "DEPLOY")} | {
    "TAGTRAIL_INGEST_TOKEN": TOKEN
}


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction of a Dockerfile, continued lines joined; `stage` counts the FROMs before it."""

    stage: int
    name: str
    rest: str


def read_dockerfile() -> list[Instruction]:
    text = re.sub(r"^\s*#.*\n", "", (DEPLOY / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    stage, found = 0, []
    for line in filter(None, (line.strip() for line in text.splitlines())):
        name, _, rest = line.partition(" ")
        stage += name == "FROM"
        found.append(Instruction(stage, name, rest))
    return found


def rests(name: str, *, stage: int) -> list[str]:
    return [each.rest for each in read_dockerfile() if (each.name, each.stage) == (name, stage)]


@pytest.fixture(scope="module")
def clean_environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment made by the first stage's instructions, from the files that it copies alone."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("clean") / "tagtrail"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL"))}
    environment["PATH"] = f"{target / 'bin'}{os.pathsep}{Path(sys.executable).resolve().parent}:{os.environ['PATH']}"
    for instruction in read_dockerfile():
        if instruction.stage == 1 and instruction.name == "COPY":
            *names, _ = instruction.rest.split()
            copy_into(source, names)
        elif instruction.stage == 1 and instruction.name == "RUN":
            command = shlex.split(instruction.rest.replace("/opt/tagtrail", str(target)))
            executable = sys.executable if command[1:3] == ["-m", "venv"] else str(target / "bin/python")
            done = subprocess.run(
                [executable, *command[1:]], cwd=source, env=environment, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr
    return target


def copy_into(source: Path, names: list[str]) -> None:
    for name in names:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
            shutil.copytree(ROOT / name, source / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, source)


def test_the_image_installs_every_file_and_starts(clean_environment: Path, tmp_path: Path) -> None:
    [installed] = clean_environment.glob("lib/python3*/site-packages/tagtrail")
    package = Path(tagtrail.__file__).parent
    files = {path.relative_to(package) for path in package.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    assert [path for path in sorted(files) if not (installed / path).is_file()] == []
    done = subprocess.run(
        [clean_environment / "bin/tagtrail", "check"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_builder_receives_exactly_the_files_that_the_dockerfile_copies() -> None:
    copied = {name for rest in rests("COPY", stage=1) for name in rest.split()[:-1]}
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    assert ignored[1] == "*"
    assert {line[1:] for line in ignored if line.startswith("!")} == copied


def test_the_image_runs_without_root_and_keeps_its_data_in_a_volume() -> None:
    assert rests("USER", stage=2) == ["tagtrail"]
    assert rests("VOLUME", stage=2) == ["/data"]
    assert json.loads(rests("ENTRYPOINT", stage=2)[0]) == ["tagtrail"]
    assert "TAGTRAIL_DATA=/data" in rests("ENV", stage=2)[0]


def test_the_image_is_healthy_when_the_service_is_ready(tmp_path: Path) -> None:
    command = json.loads(rests("HEALTHCHECK", stage=2)[0].partition("CMD ")[2])
    service = Service(tmp_path / "service")
    check = [sys.executable, *(part.replace("127.0.0.1:8080", f"127.0.0.1:{service.port}") for part in command[1:])]
    service.start()
    ready = subprocess.run(check, capture_output=True, check=False)
    service.process.stop()
    stopped = subprocess.run(check, capture_output=True, check=False)
    assert (ready.returncode, stopped.returncode) == (0, 1)


@dataclass
class Compose:
    """The compose file as the engine sees it, with every variable filled in."""

    document: dict[str, Any]

    @property
    def configuration(self) -> str:
        content: str = self.document["configs"]["tagtrail"]["content"]
        return content

    @property
    def registry_environment(self) -> dict[str, str]:
        environment: dict[str, str] = self.document["services"]["registry"]["environment"]
        return environment


@pytest.fixture
def compose() -> Compose:
    text = (DEPLOY / "compose.yml").read_text()
    filled = re.sub(r"\$\{(\w+):\?[^}]*\}", lambda match: TOKENS[match[1]], text)
    assert "$" not in re.sub(r"^\s*#.*$", "", filled, flags=re.MULTILINE)
    return Compose(yaml.safe_load(filled))


def test_the_composed_service_starts_beyond_loopback_with_tokens_for_everybody(
    compose: Compose, tmp_path: Path
) -> None:
    path = tmp_path / "config.yml"
    path.write_text(compose.configuration)
    config = load(path, listen="0.0.0.0:8080", data=tmp_path / "data", environ=TOKENS)
    assert config.registries[0].tokens
    assert config.access.read
    assert config.access.deploy
    given = compose.document["services"]["tagtrail"]["environment"]
    assert {name: given[name] for name in TOKENS} == TOKENS


def test_the_composed_block_is_the_one_that_tagtrail_prints(compose: Compose, tmp_path: Path) -> None:
    path = tmp_path / "config.yml"
    path.write_text(compose.configuration.replace("http://localhost:8080", "http://tagtrail:8080"))
    config = load(path, data=tmp_path / "data", environ=TOKENS)
    printed = yaml.safe_load(render_notifications(config, config.registries[0]))["notifications"]
    assert yaml.safe_load(compose.registry_environment["REGISTRY_NOTIFICATIONS"]) == printed


@pytest.fixture
def composed(compose: Compose, tmp_path: Path) -> Iterator[tuple[Service, Registry]]:
    """The two services of the compose file, as processes: the registry is told by its environment alone."""
    service = Service(tmp_path / "tagtrail", {"registries": yaml.safe_load(compose.configuration)["registries"]})
    service.process.env.update(TOKENS)
    registry = Registry(tmp_path / "registry", events_url="http://127.0.0.1:9/events")
    told = compose.registry_environment["REGISTRY_NOTIFICATIONS"].replace("http://tagtrail:8080", service.url)
    registry.process.env.update(compose.registry_environment | {"REGISTRY_NOTIFICATIONS": told})
    service.start()
    registry.start()
    yield service, registry
    registry.process.stop()
    service.process.stop()


def test_the_composed_registry_sends_images_and_their_platforms(
    composed: tuple[Service, Registry], tmp_path: Path
) -> None:
    service, registry = composed
    layout = Layout(tmp_path / "layout")
    index = layout.index("index", "for two platforms")
    registry.push(layout.directory, "index", "team/multi:1.0.0")
    registry.delivered()
    assert service.rows("SELECT digest FROM tags JOIN manifests ON manifests.id = head_id") == [(index,)]
    assert service.rows("SELECT count(*) FROM index_members") == [(2,)]
    assert service.rows("SELECT host FROM contacts") == [(registry.host,)]
    assert service.rows("SELECT * FROM traffic WHERE action LIKE '%blob'") == []


def read_unit() -> dict[str, list[str]]:
    """Every setting of the systemd unit with its values, in order."""
    settings: dict[str, list[str]] = {}
    for line in (DEPLOY / "tagtrail.service").read_text().splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            settings.setdefault(name, []).append(value)
    return settings


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("DynamicUser", "yes"),
        ("StateDirectory", "tagtrail"),
        ("StateDirectoryMode", "0700"),
        ("ProtectSystem", "strict"),
        ("ProtectHome", "yes"),
        ("PrivateTmp", "yes"),
        ("NoNewPrivileges", "yes"),
        ("CapabilityBoundingSet", ""),
    ],
)
def test_the_unit_is_hardened(setting: str, value: str) -> None:
    assert read_unit()[setting] == [value]


def test_the_unit_waits_for_requests_in_flight_and_does_not_restart_a_refused_configuration(tmp_path: Path) -> None:
    unit = read_unit()
    assert float(unit["TimeoutStopSec"][0].removesuffix("s")) > LimitsConfig().stop_timeout
    wrong = tmp_path / "config.yml"
    wrong.write_text("lisen: 127.0.0.1:8080\n")
    done = subprocess.run(
        [sys.executable, "-m", "tagtrail", "serve", "--config", wrong], capture_output=True, check=False
    )
    assert str(done.returncode) in unit["RestartPreventExitStatus"][0].split()


def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    analyze = need("systemd-analyze")
    unit = tmp_path / "tagtrail.service"
    text = (DEPLOY / "tagtrail.service").read_text()
    unit.write_text(text.replace("/opt/tagtrail/bin/tagtrail", sys.executable))
    done = subprocess.run([analyze, "verify", unit], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def read_nginx() -> list[tuple[list[str], Any]]:
    """nginx.conf as nested lists of (words, block or None)."""
    text = re.sub(r"#.*", "", (DEPLOY / "nginx.conf").read_text())
    tokens = re.findall(r'"[^"]*"|[^\s;{}]+|[;{}]', text)
    tree, rest = _read_block(tokens)
    assert rest == []
    return tree


def _read_block(tokens: list[str]) -> tuple[list[tuple[list[str], Any]], list[str]]:
    found: list[tuple[list[str], Any]] = []
    words: list[str] = []
    while tokens:
        token, *tokens = tokens
        if token == "}":
            return found, tokens
        if token == "{":
            inner, tokens = _read_block(tokens)
            found.append((words, inner))
            words = []
        elif token == ";":
            found.append((words, None))
            words = []
        else:
            words.append(token)
    return found, tokens


def events_locations() -> list[dict[str, list[str]]]:
    """The directives before /events, of each server."""
    servers = [inner for words, inner in read_nginx() if words == ["server"]]
    return [
        {directive[0]: directive[1:] for directive, _ in inner}
        for server in servers
        for words, inner in server
        if words == ["location", "=", "/events"]
    ]


def test_nothing_stands_before_the_events() -> None:
    """A redirect loses events; a 4xx of nginx blocks the registry for ever."""
    over_tls, plain = events_locations()
    assert over_tls["auth_basic"] == over_tls["auth_request"] == ["off"]
    assert over_tls["client_max_body_size"] == ["0"]
    assert over_tls["proxy_request_buffering"] == ["on"]
    assert "return" not in over_tls
    assert plain == {"return": ["503"]}


def test_nginx_passes_on_the_api_the_pages_and_the_signed_log() -> None:
    tls, *_ = [inner for words, inner in read_nginx() if words == ["server"]]
    passed_on = [
        words[-1]
        for words, inner in tls
        if words[0] == "location" and (["proxy_pass", "http://tagtrail"], None) in inner
    ]
    assert {"/events", "/api/", "/"} == set(passed_on)


def test_nginx_asks_where_tagtrail_listens_by_default(tmp_path: Path) -> None:
    [upstream] = [inner for words, inner in read_nginx() if words == ["upstream", "tagtrail"]]
    assert upstream == [(["server", str(Config(data=tmp_path).listen)], None)]
