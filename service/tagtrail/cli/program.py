"""The program `tagtrail`: its commands, its exit codes, and every failure reported in one sentence."""

import os
import sys
from io import TextIOWrapper
from typing import Any, Final

import click

from tagtrail import __version__
from tagtrail.cli.groups import LazyCommand, LazyGroup
from tagtrail.cli.options import location_options
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
from tagtrail.wording.text import visible

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


COMMANDS: Final[dict[str, dict[str, LazyCommand]]] = {
    "Questions to the trail": {
        "log": LazyCommand("questions:log", "The audit log. Subcommands verify and repair the signed log."),
        "tags": LazyCommand("questions:tags", "The digests that tags point at, now or at a time."),
        "history": LazyCommand("questions:history", "Every move of one tag."),
        "at": LazyCommand("questions:at", "Tags or environments as they were at a time."),
        "digest": LazyCommand("details:digest", "The tags and environments of a digest."),
        "deployments": LazyCommand("questions:deployments", "Deployments to environments, newest first."),
        "environments": LazyCommand("questions:environments", "The image that is published for each environment."),
        "rollback": LazyCommand("details:rollback", "The commands to roll an environment back."),
        "violations": LazyCommand("questions:violations", "Release tags that moved or were deleted."),
        "quarantine": LazyCommand("questions:quarantine", "Received data that could not be recorded, and why."),
        "registries": LazyCommand("questions:registries", "The registries, and when each sent its last event."),
        "traffic": LazyCommand("questions:traffic", "Pulls and uploads, counted by day."),
    },
    "Additions to the trail": {
        "deploy": LazyCommand("deploy:deploy", "Declare a deployment, as a pipeline does."),
        "annotate": LazyCommand("deploy:annotate", "Tie a ticket, a commit or an approval to a line."),
    },
    "The service": {
        "serve": LazyCommand("service:serve", "Start the service."),
        "registry-config": LazyCommand("service:registry_config", "Print the settings for the registry."),
        "check": LazyCommand("service:check", "Check the configuration and print what is in force."),
        "dispatch": LazyCommand("service:dispatch", "Send notifications, in a process apart from the service."),
        "notify": LazyCommand("notify:notify", "Test channels, see failed deliveries, and retry them."),
        "token": LazyCommand("token:token", "Make, list and revoke API tokens."),
    },
    "The ledger": {
        "export": LazyCommand("export:export", "Make a zip that an auditor can check."),
        "backup": LazyCommand("maintenance:backup", "Copy the database while the service runs."),
        "rebuild": LazyCommand("maintenance:rebuild", "Derive the trail again from the ledger's lines."),
        "erase": LazyCommand("maintenance:erase", "Erase a person's name, address and events."),
        "prune": LazyCommand("maintenance:prune", "Delete old lines that nothing depends on."),
    },
}

_EPILOG = """\
\b
Times: RFC 3339, or local as '2026-04-20 14:03', 'yesterday 14:03',
'last tuesday 14:03', '3 days ago', 2h. Output is local time with its offset (TZ).
\b
Exit codes:
  0  success, also for an empty list
  1  nothing is recorded under the name in the command
  2  the command or one of its parameters is not valid
  3  the configuration is not valid, or there is no ledger
  4  the ledger cannot be read or written
  5  refused: the request contradicts the trail
  6  the ledger differs from its signed checkpoints
  7  a channel did not accept the message
\b
--json prints one JSON object per line, with the fields of the HTTP API.
In a pipe or a file, every row is one line and nothing is shortened.
"""


class Program(LazyGroup):
    """The group of all commands, which reports each failure once."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Parse the options before the command's name."""
        try:
            return super().make_context(*args, **kwargs)
        except click.UsageError as error:
            raise _translate(error) from None

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")  # for characters that the locale cannot show
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except TagtrailError as error:
            raise _fail(str(error), EXIT_CODES[type(error)]) from error
        except click.UsageError as error:
            raise _translate(error) from None
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python reports it again at exit
            ctx.exit(PIPE_CLOSED)
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)
        except Exception as error:
            from tagtrail.store.database import is_trouble_of_the_disk  # noqa: PLC0415 - not needed without a failure

            if not is_trouble_of_the_disk(error):
                raise
            what = "the operating system refused" if isinstance(error, OSError) else "the ledger cannot be read"
            raise _fail(f"{what}: {error}", EXIT_CODES[StorageUnavailable]) from error
        return result


def _fail(message: str, exit_code: int) -> click.exceptions.Exit:
    """Write one sentence to standard error; return the exception to raise."""
    click.echo(f"tagtrail: {visible(' '.join(message.split()))}", err=True)
    return click.exceptions.Exit(exit_code)


def _translate(error: click.UsageError) -> Exception:
    """A usage error as one sentence. A command without arguments still prints its help."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return error
    hint = f" (see '{error.ctx.command_path} --help')" if error.ctx is not None else ""
    return _fail(f"{error.format_message().rstrip('.')}{hint}", USAGE)


@click.group(
    cls=Program,
    sections=COMMANDS,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="tagtrail")
@location_options
def main() -> None:
    """The audit trail of a container registry: what every tag pointed at, who moved it, what was deployed."""
