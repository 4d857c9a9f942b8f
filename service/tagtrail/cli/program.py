"""The program: its commands, its exit codes, and every failure told in one sentence."""

import os
import sys
from io import TextIOWrapper
from typing import Any, Final

import click

from tagtrail import __version__
from tagtrail.cli.annotate import annotate_command as annotate
from tagtrail.cli.at import at
from tagtrail.cli.backup import backup
from tagtrail.cli.deploy import deploy
from tagtrail.cli.deployments import deployments
from tagtrail.cli.digest import digest
from tagtrail.cli.dispatch import dispatch
from tagtrail.cli.environments import environments
from tagtrail.cli.erase import erase_command as erase
from tagtrail.cli.explained import explain_told
from tagtrail.cli.export import export
from tagtrail.cli.history import history
from tagtrail.cli.log import log
from tagtrail.cli.notify import notify
from tagtrail.cli.options import place_options
from tagtrail.cli.prune import prune
from tagtrail.cli.registries import quarantine, registries, traffic
from tagtrail.cli.rollback import rollback
from tagtrail.cli.service import check, rebuild, registry_config, serve
from tagtrail.cli.tags import tags
from tagtrail.cli.token import token
from tagtrail.cli.violations import violations
from tagtrail.cli.words import visible
from tagtrail.errors import (
    BadParameter,
    ConfigurationError,
    Contradicted,
    NotDelivered,
    NotRecorded,
    Refused,
    StorageUnavailable,
    TagtrailError,
)
from tagtrail.store.database import is_trouble_of_the_disk

EXIT_CODES: Final[dict[type[TagtrailError], int]] = {
    NotRecorded: 1,
    BadParameter: 2,
    ConfigurationError: 3,
    StorageUnavailable: 4,
    Refused: 5,
    Contradicted: 6,
    NotDelivered: 7,
}
USAGE: Final = 2
INTERRUPTED: Final = 130  # 128 + SIGINT, as shells count
PIPE_CLOSED: Final = 141  # 128 + SIGPIPE

_EPILOG = """\
\b
Times: RFC 3339, or local as '2026-04-20 14:03', 'yesterday 14:03',
'last tuesday 14:03', '3 days ago', 2h. Shown is local time with its offset (TZ).
\b
Exit codes:
  0  answered; an empty list is an answer
  1  the trail knows nothing of what was named
  2  the command or one of its parameters cannot be understood
  3  the configuration cannot be used, or there is no ledger
  4  the ledger cannot be read or written
  5  refused: it contradicts what the trail knows
  6  the ledger is not what was signed of it
  7  a channel did not take the message
\b
--json prints one JSON object per line, with the fields of the HTTP API.
Elsewhere than on a terminal nothing is shortened, and every row is one line.
"""


class Program(click.Group):
    """The group of all commands; translates each failure once."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which they are of use."""
        return list(self.commands)

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Read the options before the command's name."""
        try:
            return super().make_context(*args, **kwargs)
        except click.UsageError as error:
            raise _translate(error) from None

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")  # for what the locale cannot show
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except TagtrailError as error:
            raise _fail(str(error), EXIT_CODES[type(error)]) from error
        except click.UsageError as error:
            raise _translate(error) from None
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains at its exit
            ctx.exit(PIPE_CLOSED)
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)
        except Exception as error:
            if not is_trouble_of_the_disk(error):
                raise
            what = "the operating system refused" if isinstance(error, OSError) else "the ledger cannot be read"
            raise _fail(f"{what}: {error}", EXIT_CODES[StorageUnavailable]) from error
        return result


def _fail(message: str, exit_code: int) -> click.exceptions.Exit:
    """Write one sentence to standard error; the exception to raise."""
    click.echo(f"tagtrail: {visible(' '.join(message.split()))}", err=True)
    return click.exceptions.Exit(exit_code)


def _translate(error: click.UsageError) -> Exception:
    """A usage error as one sentence; the help that answers a bare command stays what it is."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return error
    hint = f" (see '{error.ctx.command_path} --help')" if error.ctx is not None else ""
    return _fail(f"{error.format_message().rstrip('.')}{hint}", USAGE)


@click.group(
    cls=Program, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="tagtrail")
@place_options
def main() -> None:
    """The audit trail of a container registry: what every tag pointed at, who moved it, what was deployed."""


for _command in (
    serve, dispatch, registry_config, check, notify,
    log, tags, history, at, digest, deployments, environments, rollback, deploy, annotate,
    violations, quarantine, registries, traffic, export, token, rebuild, erase, prune, backup,
):  # fmt: skip
    main.add_command(_command)
notify.add_command(explain_told)
