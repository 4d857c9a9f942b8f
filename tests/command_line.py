"""A small story in a ledger, and the command line asked about it: in this process, or as a process at a terminal."""

import os
import pty
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from fcntl import ioctl
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec
from click.testing import CliRunner, Result

from tagtrail.cli import main
from tagtrail.trail.instant import parse_instant
from tagtrail.trail.rules import RegistryIdentity, Rules, TagRule
from tests.conftest import Ledger
from tests.events import INDEX, SomeEvent, delete_digest, delete_tag, digest_of, push

T = TypeVar("T", bound=msgspec.Struct)
HOUR, DAY = 3_600.0, 86_400.0
HOST = "registry.example:5000"
RULES = Rules(
    tag_rules=(TagRule("**", "*-rc*", "glob", "moving", "fits tag_rules[0] of the configuration"),),
    registries=(RegistryIdentity("main", HOST, ("registry.local",), "none"),),
)
HOSTILE = "eve\x1b]0;owned\x07\x1b[31m[bold]\u202egnp.exe"
HOSTILE_AS_SHOWN = "eve\\x1b]0;owned\\x07\\x1b[31m[bold]\\u202egnp.exe"


def decode_struct(line: str | bytes, kind: type[T]) -> T:
    """A struct from its JSON, with its instants."""
    return msgspec.json.decode(line, type=kind, dec_hook=lambda instant, text: instant(parse_instant(text)))


def tell_story(ledger: Ledger) -> None:
    """Two releases, both published for production, a rollback, and mistakes; times are local to START."""
    ledger.put_in_force(RULES)
    platform = {"digest": digest_of("amd64"), "platform": {"os": "linux", "architecture": "amd64"}}
    ledger.receive(
        push("1.0.0", "one", 1, actor="alice"),
        push("stable", "one", 2, actor="alice"),
        push("prod", "one", 3, actor="alice"),
        push("1.1.0", "two", DAY, actor="alice"),
        push("prod", "two", DAY + 60, actor="alice"),
        push("prod", "one", DAY + 3 * HOUR, actor="bob"),
        push("prod", "one", DAY + 4 * HOUR, actor="bob"),
        push("1.0.0", "other", DAY + 5 * HOUR, actor=HOSTILE),
        push(None, "amd64", DAY + 6 * HOUR, repository="team/multi"),
        push("2.0.0", "index", DAY + 6 * HOUR + 1, repository="team/multi", media_type=INDEX, references=(platform,)),
        push("latest", "spare", DAY + 7 * HOUR, repository="team/worker"),
        push("staging", "spare", DAY + 7 * HOUR + 5, repository="team/worker"),
        delete_tag("latest", DAY + 8 * HOUR, repository="team/worker"),
        SomeEvent(action="pull", tag="prod", digest=digest_of("one"), at=DAY, method="GET"),
    )
    ledger.receive_body(b'{"events": [{"id": "nothing that can be read \x1b[31m"}]}')


def tell_deletion(ledger: Ledger) -> None:
    """A digest is deleted under all its tags."""
    ledger.clock.pass_seconds(DAY)
    ledger.receive(delete_digest("one", 2 * DAY))


@dataclass(frozen=True, slots=True)
class CommandLine:
    """The command line, asked about one data directory."""

    data: Path

    def run(self, *arguments: str, **environment: str) -> Result:
        """Run a command in this process; its output goes to no terminal."""
        with patched_environment(self._environment() | environment):
            return CliRunner().invoke(main, arguments, catch_exceptions=False, prog_name="tagtrail")

    def ask(self, *arguments: str) -> str:
        """What a command that succeeds prints."""
        result = self.run(*arguments)
        assert result.exit_code == 0, result.stderr
        return result.stdout

    def ask_json(self, *arguments: str) -> list[dict[str, Any]]:
        """The documents that a command prints."""
        return [msgspec.json.decode(line) for line in self.ask(*arguments, "--json").splitlines()]

    def ask_at_terminal(self, *arguments: str, width: int = 80, **environment: str) -> str:
        """What a person sees at a terminal of this width, with the styles; both outputs together. In this process."""
        with terminal(width) as (its, printed), os.fdopen(its, "w", encoding="utf-8", closefd=False) as screen:
            variables = self._environment() | {"COLUMNS": str(width)} | environment
            with patched_environment(variables), redirect_stdout(screen), redirect_stderr(screen):
                code = _exit_code(arguments)
        assert code == 0, printed
        return "".join(printed).replace("\r\n", "\n")

    def ask_as_process(self, *arguments: str, width: int = 80, **environment: str) -> str:
        """The same with a process of its own, which finds out about its terminal by itself."""
        variables = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
        variables |= {name: value for name, value in self._environment().items() if value} | environment
        with terminal(width) as (its, printed):
            command = [sys.executable, "-m", "tagtrail", *arguments]
            subprocess.run(command, stdin=subprocess.DEVNULL, stdout=its, stderr=its, env=variables, check=True)
        return "".join(printed).replace("\r\n", "\n")

    def _environment(self) -> dict[str, str]:
        """An empty value counts as not set."""
        return {
            "TAGTRAIL_DATA": str(self.data), "TAGTRAIL_CONFIG": "", "TAGTRAIL_LISTEN": "", "NO_COLOR": "",
            "TZ": "Europe/Berlin", "TERM": "xterm-256color",
        }  # fmt: skip


def commands_of(group: click.Group) -> dict[str, click.Command]:
    """The commands of a group by name, each imported."""
    context = click.Context(group)
    found = {name: group.get_command(context, name) for name in group.list_commands(context)}
    return {name: command for name, command in found.items() if command is not None}


@contextmanager
def terminal(width: int) -> Iterator[tuple[int, list[str]]]:
    """A terminal of this width: its descriptor to write to, and what was written, once this is over."""
    ours, its = pty.openpty()
    ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    printed: list[str] = []
    reading = threading.Thread(target=lambda: printed.append(_read_all(ours)))
    reading.start()
    try:
        yield its, printed
    finally:
        os.close(its)
        reading.join()
        os.close(ours)


def _read_all(descriptor: int) -> str:
    pieces: list[bytes] = []
    with suppress(OSError):  # Linux reports a closed other end so
        while piece := os.read(descriptor, 65_536):
            pieces.append(piece)
    return b"".join(pieces).decode()


def _exit_code(arguments: Sequence[str]) -> object:
    try:
        main.main(list(arguments), prog_name="tagtrail")
    except SystemExit as exited:
        return exited.code
    return None


@contextmanager
def patched_environment(variables: dict[str, str]) -> Iterator[None]:
    """Put this process into other surroundings, a time zone among them."""
    before = dict(os.environ)
    os.environ.update(variables)
    time.tzset()
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        time.tzset()


def local_time_of(zone: str) -> AbstractContextManager[None]:
    """Put this process into a time zone."""
    return patched_environment({"TZ": zone})
