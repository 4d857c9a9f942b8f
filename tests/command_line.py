"""A small story in a ledger, and the command line asked about it: in this process, or as a process at a terminal."""

import os
import pty
import struct
import subprocess
import sys
import termios
from dataclasses import dataclass
from fcntl import ioctl
from pathlib import Path
from typing import Any

import msgspec
from click.testing import CliRunner, Result

from tagtrail.cli import main
from tagtrail.trail.rules import RegistryIdentity, Rules, TagRule
from tests.conftest import Ledger
from tests.events import INDEX, SomeEvent, delete_digest, delete_tag, digest_of, push

HOUR, DAY = 3_600.0, 86_400.0
HOST = "registry.example:5000"
RULES = Rules(
    tag_rules=(TagRule("**", "*-rc*", "glob", "moving", "fits tag_rules[0] of the configuration"),),
    registries=(RegistryIdentity("main", HOST, ("registry.local",), "none"),),
)
HOSTILE = "eve\x1b]0;owned\x07\x1b[31m[bold]\u202egnp.exe"
HOSTILE_AS_SHOWN = "eve\\x1b]0;owned\\x07\\x1b[31m[bold]\\u202egnp.exe"


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
    ledger.receive(delete_digest("one", 2 * DAY))


@dataclass(frozen=True, slots=True)
class CommandLine:
    """The command line, asked about one data directory."""

    data: Path

    def run(self, *arguments: str, **environment: str) -> Result:
        """Run a command in this process; its output goes to no terminal."""
        runner = CliRunner(env={"TAGTRAIL_DATA": str(self.data), "TAGTRAIL_CONFIG": "", "TZ": "Europe/Berlin"})
        return runner.invoke(main, arguments, env=environment, catch_exceptions=False, prog_name="tagtrail")

    def ask(self, *arguments: str) -> str:
        """What a command that succeeds prints."""
        result = self.run(*arguments)
        assert result.exit_code == 0, result.stderr
        return result.stdout

    def ask_json(self, *arguments: str) -> list[dict[str, Any]]:
        """The documents that a command prints."""
        return [msgspec.json.decode(line) for line in self.ask(*arguments, "--json").splitlines()]

    def ask_at_terminal(self, *arguments: str, width: int = 80, **environment: str) -> str:
        """What a person sees at a terminal of this width, with the styles; both outputs together."""
        ours, its = pty.openpty()
        ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
        variables = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
        variables |= {"TAGTRAIL_DATA": str(self.data), "TZ": "Europe/Berlin", "TERM": "xterm-256color"} | environment
        running = subprocess.Popen(
            [sys.executable, "-m", "tagtrail", *arguments],
            stdin=subprocess.DEVNULL, stdout=its, stderr=its, env=variables,
        )  # fmt: skip
        os.close(its)
        printed = b""
        with os.fdopen(ours, "rb", buffering=0) as terminal:
            while piece := _read(terminal.fileno()):
                printed += piece
        assert running.wait(60) == 0, printed.decode()
        return printed.decode().replace("\r\n", "\n")


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65_536)
    except OSError:
        return b""  # Linux says so when nobody has the other end any more
