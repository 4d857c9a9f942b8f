"""The options that commands share: where the ledger lies, the filters, and times. Imports little, for a fast start."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from tagtrail.cli.when import parse_when
from tagtrail.trail.instant import format_instant, now

if TYPE_CHECKING:
    from tagtrail.cli.open_trail import LedgerLocation
    from tagtrail.config.model import NotifyConfig
    from tagtrail.ledger.record import Recorder
    from tagtrail.store.database import Store

Command = TypeVar("Command", bound=Callable[..., None])

_CONFIG = "tagtrail.config"
_DATA = "tagtrail.data"


class When(click.ParamType[int]):
    """A time as people write it, read as an instant."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The instant. A time that cannot be read is a usage error."""
        if isinstance(value, int):
            return value
        try:
            return parse_when(value, now=now())
        except ValueError as error:
            self.fail(str(error), param, ctx)


def _remember(key: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    """Accept the option before the command's name and after it; the one after it wins."""

    def remember(ctx: click.Context, _: click.Parameter, value: Any) -> None:
        if value is not None:
            ctx.meta[key] = value

    return remember


_LOCATION: Final = (
    click.option(
        "--config",
        metavar="FILE",
        type=click.Path(path_type=Path),
        expose_value=False,
        callback=_remember(_CONFIG),
        help="The configuration file (or TAGTRAIL_CONFIG).",
    ),
    click.option(
        "--data",
        metavar="DIR",
        expose_value=False,
        callback=_remember(_DATA),
        help="The data directory (or TAGTRAIL_DATA, or `data` in the configuration, or ./tagtrail-data).",
    ),
)
_FILTERS: Final = {
    "registry": click.option(
        "--registry", metavar="NAME", help="Only this registry, by its name in the configuration."
    ),
    "repository": click.option("--repository", metavar="NAME", help="Only this repository, or a glob: 'team/**'."),
    "tag": click.option("--tag", metavar="TAG", help="Only this tag."),
    "digest": click.option("--digest", metavar="DIGEST", help="Only this digest, whole or its first characters."),
    "actor": click.option("--actor", metavar="NAME", help="Only what this actor did."),
    "kind": click.option("--kind", metavar="KIND", help="Only lines of this kind: push, delete, deployment ..."),
    "environment": click.option("--environment", metavar="NAME", help="Only this environment."),
    "since": click.option("--since", type=When(), metavar="TIME", help="From this time on."),
    "until": click.option("--until", type=When(), metavar="TIME", help="Before this time."),
}
_TIMES: Final = ("since", "until")
json_option: Final = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object per line, with the fields of the HTTP API."
)


def location_options(command: Command) -> Command:
    """Give a command `--config` and `--data`; see `data_directory`."""
    return decorate(command, _LOCATION)


def filter_options(*filters: str) -> Callable[[Command], Command]:
    """Give a command these filters, each as an argument of its own."""
    return lambda command: decorate(command, [_FILTERS[name] for name in filters])


def decorate(command: Command, options: Iterable[Callable[[Command], Command]]) -> Command:
    """Give a command these options, in this order."""
    for option in reversed(tuple(options)):  # decorators apply from the last to the first
        command = option(command)
    return command


def read_texts(given: dict[str, Any]) -> dict[str, str]:
    """The given options as the texts of a filter; a flag that is not set is left out."""
    return {
        name: format_instant(value) if name in _TIMES else str(value).lower() if value is True else str(value)
        for name, value in given.items()
        if value not in (None, False)
    }


def config_path() -> Path | None:
    """The value of `--config`."""
    path: Path | None = click.get_current_context().meta.get(_CONFIG)
    return path


def data_path() -> str | None:
    """The value of `--data`."""
    path: str | None = click.get_current_context().meta.get(_DATA)
    return path


def data_directory() -> Path:
    """The data directory of the command. Raises ConfigurationError."""
    from tagtrail.cli.open_trail import find_data_directory  # noqa: PLC0415 - the help does not need it

    return find_data_directory(config_path(), data_path(), os.environ)


def location() -> "LedgerLocation":
    """The location of the command's ledger, and how it is signed. Raises ConfigurationError."""
    from tagtrail.cli.open_trail import find_location  # noqa: PLC0415 - as above

    return find_location(config_path(), data_path(), os.environ)


def notify_config() -> "NotifyConfig":
    """The channels and routes of the command's configuration, without secrets. Raises ConfigurationError."""
    from tagtrail.config.load import load_notify  # noqa: PLC0415 - only some commands need it

    return load_notify(config_path(), environ=os.environ)


def make_recorder(store: "Store") -> "Recorder":
    """A recorder that notifies as the service does; it refuses a ledger that differs from its signed checkpoints.

    Raises Contradicted, ConfigurationError and StorageUnavailable.
    """
    return location().make_recorder(store, notify_config())


def open_recorder(store: "Store") -> "Recorder":
    """A recorder that notifies as the service does: it may have to project the events of a registry.

    Raises ConfigurationError.
    """
    from tagtrail.ledger.record import Recorder  # noqa: PLC0415 - a question records nothing
    from tagtrail.notify.outbox import make_outbox  # noqa: PLC0415

    return Recorder(store, outbox=make_outbox(notify_config()))
