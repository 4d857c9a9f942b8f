"""The options that commands share: where the ledger lies, what to ask for, how much of it, and in which form."""

import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from tagtrail.cli.asked import ON_A_TERMINAL, Asked
from tagtrail.cli.place import Place, find_place, open_trail
from tagtrail.cli.screen import Screen
from tagtrail.cli.when import parse_when
from tagtrail.config.load import load_notify
from tagtrail.ledger.record import Recorder
from tagtrail.notify.outbox import make_outbox
from tagtrail.store.database import Store
from tagtrail.store.filters import KINDS, read_filter
from tagtrail.tlog.guard import check_ledger
from tagtrail.trail.instant import format_instant, now

Command = TypeVar("Command", bound=Callable[..., None])

_CONFIG = "tagtrail.config"
_DATA = "tagtrail.data"


class When(click.ParamType[int]):
    """A time as people say it, read as an instant."""

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
    """The option counts before the command's name and after it; the one after it wins."""

    def remember(ctx: click.Context, _: click.Parameter, value: Any) -> None:
        if value is not None:
            ctx.meta[key] = value

    return remember


_PLACE: Final = (
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
        help="The data directory (or TAGTRAIL_DATA; else the configuration's, else ./tagtrail-data).",
    ),
)
_FILTERS: Final = {
    "registry": click.option("--registry", metavar="NAME", help="Only this registry, by its configured name."),
    "repository": click.option("--repository", metavar="NAME", help="Only this repository, or a glob: 'team/**'."),
    "tag": click.option("--tag", metavar="TAG", help="Only this tag."),
    "digest": click.option("--digest", metavar="DIGEST", help="Only this digest, or the one that begins so."),
    "actor": click.option("--actor", metavar="NAME", help="Only what this actor did."),
    "kind": click.option("--kind", metavar="KIND", type=click.Choice(KINDS), help="Only entries of this kind."),
    "environment": click.option("--environment", metavar="NAME", help="Only this environment."),
    "since": click.option("--since", type=When(), metavar="TIME", help="From this time on."),
    "until": click.option("--until", type=When(), metavar="TIME", help="Before this time."),
}
_TIMES: Final = ("since", "until")
_LIMIT: Final = click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    help=f"At most so many (else {ON_A_TERMINAL} on a terminal, and all elsewhere).",
)
_JSON: Final = click.option("--json", "as_json", is_flag=True, help="One JSON object per line, as the API shows them.")


def place_options(command: Command) -> Command:
    """Give a command `--config` and `--data`; see `data_directory`."""
    return _decorate(command, _PLACE)


def config_path() -> Path | None:
    """What `--config` said."""
    path: Path | None = click.get_current_context().meta.get(_CONFIG)
    return path


def data_path() -> str | None:
    """What `--data` said."""
    path: str | None = click.get_current_context().meta.get(_DATA)
    return path


def place() -> Place:
    """Where the ledger lies that the command is about. Raises ConfigurationError."""
    return find_place(config_path(), data_path(), os.environ)


def data_directory() -> Path:
    """The data directory that the command is about. Raises ConfigurationError."""
    return place().data


def make_recorder(store: Store) -> Recorder:
    """Whoever writes into the ledger from the command line; only into one that is what was signed of it.

    What it records is told as what the service records. Raises Contradicted, ConfigurationError, and
    StorageUnavailable.
    """
    check_ledger(store, place().log.journal)
    return Recorder(store, outbox=make_outbox(load_notify(config_path(), environ=os.environ)))


def asking(*filters: str, is_list: bool = True) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command `--json`, these filters and, for a list, `--limit`: all as its argument `asked`."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def ask(*, as_json: bool, limit: int | None = None, **given: Any) -> None:
            wanted = {name: given.pop(name) for name in filters}
            command(_ask(wanted, limit=limit, as_json=as_json), **given)

        chosen = [_FILTERS[name] for name in filters]
        return _decorate(ask, [*chosen, *([_LIMIT] if is_list else []), _JSON, *_PLACE])

    return decorate


def _ask(wanted: dict[str, Any], *, limit: int | None, as_json: bool) -> Asked:
    """The question, put to the ledger that the options name. Raises BadParameter and ConfigurationError."""
    asked_for = read_filter(read_texts(wanted), accepted=wanted)
    trail = open_trail(data_directory())
    click.get_current_context().call_on_close(trail.store.close)
    return Asked(trail, asked_for, limit, as_json, Screen())


def filter_options(*filters: str) -> Callable[[Command], Command]:
    """Give a command these filters, each as an argument of its own."""
    return lambda command: _decorate(command, [_FILTERS[name] for name in filters])


def read_texts(given: dict[str, Any]) -> dict[str, str]:
    """What was given, as the texts of a query: times are instants, and flags count where they are set."""
    return {
        name: format_instant(value) if name in _TIMES else str(value).lower() if value is True else str(value)
        for name, value in given.items()
        if value not in (None, False)
    }


def _decorate(command: Command, options: Any) -> Command:
    for option in reversed(options):  # decorators apply from the last to the first
        command = option(command)
    return command
