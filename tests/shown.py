"""The outputs in the docs compared with today's outputs; `python -m tests.shown` writes the new ones into the docs.

In a block marked `console`, a line that begins with `$ ` is a command, which may continue after a backslash. Its output
follows. The comparison ignores values that differ in every run: times, durations, identifiers, line breaks.
"""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.real import TOKEN, Layout, Registry, Service
from tests.story import USERS, tell_story
from tests.terminal import at_terminal

ROOT = Path(__file__).parent.parent
# In this order, because some commands declare a deployment, which later commands show.
DOCS = ("docs/naming.md", "README.md", "docs/cli.md", "docs/api.md", "docs/pipelines.md")
HOST = "registry.example:5000"
DEPLOY_TOKEN = "tt_deploy-token-that-is-long-enough"
SERVICE = "http://127.0.0.1:8080"  # the address in the docs

_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_VOLATILE = tuple(
    (re.compile(pattern), placeholder)
    for pattern, placeholder in (
        (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( ?[+-]\d\d:\d\d|Z)?", "TIME"),
        (r"\d{4}-\d\d-\d\d", "DAY"),
        (r"\d\d:\d\d:\d\d [+-]\d\d:\d\d", "CLOCK"),  # on a line of its own in a narrow column
        (r"\b(Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day\b", "WEEKDAY"),
        (r"sha256:[0-9a-f]{12,64}", "DIGEST"),
        (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "IDENTIFIER"),
        (r"\b\d+ (days?|h|min|s)\b( \d+ (days?|h|min|s)\b)*", "DURATION"),
        (r'("\w*seconds": ?)[0-9.e+-]+', r"\1SECONDS"),
        (r"\btt_[\w-]{20,}", "TOKEN"),
        (r'\b(after|cursor)=[^&>" ]+', r"\1=CURSOR"),
        (r'("next": ?)"[^"]*"', r"\1CURSOR"),
        (r'ETag: "?[^"\n]*"?', "ETag: SOMETHING"),
        (r"127\.0\.0\.1:\d+", "ADDRESS"),
        (r"\bline \d+", "LINE"),
        (r"\s+", ""),
    )
)


@dataclass(frozen=True, slots=True)
class Shown:
    """A command in a doc, with the output that the doc shows."""

    doc: str
    command: str
    output: str

    def __str__(self) -> str:
        return f"{self.doc}: {self.command}"


@dataclass
class World:
    """A real registry and tagtrail after the pushes of the docs, and a directory to run commands in."""

    service: Service
    registry: Registry
    directory: Path

    def run(self, command: str) -> str:
        """The output of the command at a terminal."""
        environment = os.environ | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "TAGTRAIL_CONFIG": str(self.service.config),
            "TAGTRAIL_DEPLOY_TOKEN": DEPLOY_TOKEN,
            "TZ": "Europe/Berlin",
        }
        typed = ["bash", "-c", command.replace(SERVICE, self.service.url)]
        printed = at_terminal(typed, environment=environment, directory=self.directory)
        return printed.replace(self.service.url, SERVICE).replace(TOKEN, "THE-TOKEN")


@contextmanager
def docs_world(directory: Path) -> Iterator[World]:
    """A world after all pushes of the docs; everything is stopped afterwards."""
    settings = {
        "registries": [{"name": "main", "host": HOST, "authentication": "htpasswd", "tokens": [{"value": TOKEN}]}],
    }
    service = Service(directory / "tagtrail", settings)
    registry = Registry(directory / "registry", events_url=f"{service.url}/events", users=USERS)
    (directory / "work").mkdir()
    try:
        service.start()
        registry.start()
        push_naming(registry, directory / "naming")
        tell_story(registry, directory / "story")
        yield World(service, registry, directory / "work")
    finally:
        registry.process.stop()
        service.process.stop()


def push_naming(registry: Registry, directory: Path) -> None:
    """Push the images of docs/naming.md with skopeo: two releases with release tags, and two without."""
    layout = Layout(directory)
    for name in ("1.4.2", "1.5.0", "old", "new"):
        layout.image(name, f"the shop, {name}")

    def push(name: str, *tags: str, repository: str = "shop/web") -> None:
        for tag in tags:
            registry.push(directory, name, f"{repository}:{tag}")
        registry.delivered()

    push("1.4.2", "1.4.2", "stable")
    push("1.4.2", "prod")
    push("1.5.0", "1.5.0", "stable")
    push("1.5.0", "prod")
    push("old", "latest", "prod", repository="shop/mail")
    push("new", "latest", "prod", repository="shop/mail")


def find_shown(doc: str) -> list[Shown]:
    """Every command in a doc, in order."""
    text = (ROOT / doc).read_text()
    return [shown for block in _BLOCK.findall(text) for shown in _read_block(doc, block)]


def _read_block(doc: str, block: str) -> Iterator[Shown]:
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command = re.match(r"(?:.*\\\n)*.*\n", part)
        assert command is not None
        yield Shown(doc, command[0].rstrip("\n"), part[command.end() :])


def comparable(output: str) -> str:
    """The output without volatile values."""
    for pattern, placeholder in _VOLATILE:
        output = pattern.sub(placeholder, output)
    return output


def write_outputs(doc: str, world: World) -> None:
    """Run the commands of a doc and write their outputs into it."""

    def rewrite(block: re.Match[str]) -> str:
        commands = [shown.command for shown in _read_block(doc, block[1])]
        return "```console\n" + "".join(f"$ {command}\n{world.run(command)}" for command in commands) + "```"

    path = ROOT / doc
    path.write_text(_BLOCK.sub(rewrite, path.read_text()))


if __name__ == "__main__":
    with TemporaryDirectory() as directory, docs_world(Path(directory)) as world:
        for doc in DOCS:
            write_outputs(doc, world)
