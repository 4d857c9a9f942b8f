"""The commands that run the service: `serve`, `check`, `registry-config`, and `dispatch` for a separate dispatcher."""

import math
import os
import signal
from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import Final

import click

from tagtrail import logs
from tagtrail.cli.open_trail import find_ledger
from tagtrail.cli.options import config_path, data_path, location_options
from tagtrail.config.consistency import refuse_open_service
from tagtrail.config.describe import encode, examine, refused, render
from tagtrail.config.load import load, with_ingest_token
from tagtrail.config.model import Config
from tagtrail.config.notifications import BLOCK_FORMS, BlockForm, choose_registry, render_notifications
from tagtrail.config.secrets import INGEST_TOKEN_FILE, prepare_data_directory
from tagtrail.errors import ConfigurationError
from tagtrail.notify.leader import leader_lock
from tagtrail.store.database import DATABASE_NAME, Store
from tagtrail.store.tokens import has_live_token
from tagtrail.trail.instant import now
from tagtrail.wording.text import visible

_LISTEN = click.option(
    "--listen", metavar="HOST:PORT", help="The address to listen on (or TAGTRAIL_LISTEN; 127.0.0.1:8080)."
)
_PATIENCE: Final = 1.0  # seconds: a worker that looks whether there is a dispatcher holds the lock for a moment


@click.command()
@_LISTEN
@location_options
def serve(listen: str | None) -> None:
    """Start the service. SIGTERM stops it.

    Without a configuration it listens on 127.0.0.1:8080, keeps everything in ./tagtrail-data, and prints the block to
    paste into the registry's configuration.
    """
    from tagtrail.server.run import run  # noqa: PLC0415 - only this command needs the web server

    run(_load(listen))


@click.command()
@click.option("--registry", metavar="NAME", help="The registry; needed where several are configured.")
@click.option(
    "--form", type=click.Choice(BLOCK_FORMS), default="file", help="For config.yml (file), a compose file or a shell."
)
@_LISTEN
@location_options
def registry_config(registry: str | None, form: BlockForm, listen: str | None) -> None:
    """Print the settings that make a registry send its events here.

    The same settings work for registry 2.x and 3.x. They hold the registry's token; the command makes one if there is
    none yet. Standard output gets the settings and nothing else.
    """
    config = with_ingest_token(_load(listen))
    click.echo(render_notifications(config, choose_registry(config, registry), form=form), nl=False)


@click.command()
@_LISTEN
@click.option("--all", "shows_all", is_flag=True, help="Show the regular expressions of the default tag rules, too.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@location_options
def check(listen: str | None, *, shows_all: bool, as_json: bool) -> None:
    """Check the configuration and print what is in force.

    The command fails where `serve` would fail. It prints no secrets, writes nothing, and does not start the service.
    """
    try:
        config = _load(listen)
        _refuse_what_serve_refuses(config)
    except ConfigurationError as error:
        if as_json:
            click.echo(encode(refused(str(error))))
        raise ConfigurationError(f"the configuration cannot be used: {error}") from None
    report = examine(config, shows_all=shows_all)
    if as_json:
        click.echo(encode(report))
        return
    for line in render(report).splitlines():
        click.echo(visible(line))
    for warning in report.warnings:
        click.echo(f"Warning: {visible(warning)}", err=True)
    click.echo("\nThe configuration can be used.")


def _refuse_what_serve_refuses(config: Config) -> None:
    """Check what the channels, the data directory and the ledger say. Raises ConfigurationError."""
    from tagtrail.tlog.place import refuse_other_name  # noqa: PLC0415 - it needs cryptography

    if config.notify.channels:
        from tagtrail.notify.channels import check_channels  # noqa: PLC0415 - only channels need their libraries

        check_channels(config.notify.channels)
    if (config.data / INGEST_TOKEN_FILE).exists():
        with_ingest_token(config)
    has_token = False
    if (config.data / DATABASE_NAME).is_file():
        with closing(find_ledger(config.data, accept_older_schema=True)) as store:
            has_token = has_live_token(store.reader(), at=now())
            refuse_other_name(store, config.ledger)
    refuse_open_service(config, has_stored_token=has_token)


def _load(listen: str | None) -> Config:
    return load(config_path(), listen=listen, data=data_path(), environ=os.environ)


@click.command()
@click.option("--supervised-by", type=int, hidden=True, help="As the service runs it: it ends with that process.")
@location_options
def dispatch(supervised_by: int | None) -> None:
    """Send the notifications to the channels, until SIGTERM.

    `tagtrail serve` runs a dispatcher by itself; this command is for a setup with separate processes. Of several
    dispatchers on one data directory one works, and the others wait until it ends.
    """
    is_by_hand = supervised_by is None
    read = partial(load, config_path(), data=data_path(), environ=os.environ, is_patient=not is_by_hand)
    config = read()
    if not config.notify.channels:
        raise ConfigurationError("notify.channels is empty, so there is nothing to dispatch; name a channel there")
    if is_by_hand:  # a person can read what is wrong with a channel
        from tagtrail.notify.channels import check_channels  # noqa: PLC0415 - as below

        check_channels(config.notify.channels)
    prepare_data_directory(config.data)
    must_stop = _find_end(supervised_by)
    with leader_lock(config.data, patience=_PATIENCE, must_stop=must_stop) as is_ours:
        if is_ours:
            _dispatch(config, must_stop, reread=None if is_by_hand else read)
            return
    if is_by_hand and not must_stop():
        click.echo("Another dispatcher works on this data directory; waiting until it ends.", err=True)
        with leader_lock(config.data, patience=math.inf, must_stop=must_stop) as is_ours:
            if is_ours:
                _dispatch(config, must_stop)


def _find_end(parent: int | None) -> Callable[[], bool]:
    """A function that says whether to stop: after a signal, or when the process `parent` has ended."""
    signals: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: signals.append(number))
    return lambda: bool(signals) or parent not in (None, os.getppid())


def _dispatch(config: Config, must_stop: Callable[[], bool], *, reread: Callable[[], Config] | None = None) -> None:
    """Send notifications until `must_stop`. With `reread`, a channel that is unavailable is configured again by it."""
    from tagtrail.ledger.record import Recorder  # noqa: PLC0415 - the help does not need it
    from tagtrail.notify.dispatcher import make_dispatcher  # noqa: PLC0415 - requests takes long to import
    from tagtrail.notify.outbox import make_outbox  # noqa: PLC0415

    logs.configure(config.log.format, config.log.level)
    store = Store(config.data)
    store.prepare()
    store.catch_up = Recorder(store, outbox=make_outbox(config.notify)).catch_up
    make_dispatcher(config, store, reread=reread).run(must_stop)
