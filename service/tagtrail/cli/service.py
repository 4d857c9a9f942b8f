"""The commands around the service itself: start it, wire a registry, check the configuration, derive the trail anew."""

import os
import sys
from contextlib import closing
from time import monotonic

import click

from tagtrail.cli.options import config_path, data_directory, data_path, place_options
from tagtrail.cli.place import find_ledger
from tagtrail.cli.words import counted, span, visible
from tagtrail.config.consistency import refuse_open_service
from tagtrail.config.describe import encode, examine, refused, render
from tagtrail.config.load import load, with_ingest_token
from tagtrail.config.model import Config
from tagtrail.config.notifications import BLOCK_FORMS, BlockForm, choose_registry, render_notifications
from tagtrail.config.secrets import INGEST_TOKEN_FILE
from tagtrail.errors import ConfigurationError
from tagtrail.ledger.rebuild import rebuild as derive_anew
from tagtrail.store.database import DATABASE_NAME
from tagtrail.store.tokens import has_live_token
from tagtrail.tlog.place import refuse_other_name
from tagtrail.trail.instant import now

_LISTEN = click.option("--listen", metavar="HOST:PORT", help="Where to listen (or TAGTRAIL_LISTEN; 127.0.0.1:8080).")


@click.command()
@_LISTEN
@place_options
def serve(listen: str | None) -> None:
    """Start the service; SIGTERM stops it.

    Without any configuration it listens on 127.0.0.1:8080, keeps everything in ./tagtrail-data, and tells what to
    paste into the registry's configuration.
    """
    from tagtrail.server.run import run  # noqa: PLC0415 - a question need not load the web server

    run(_load(listen))


@click.command("registry-config")
@click.option("--registry", metavar="NAME", help="For this registry; needed where several are configured.")
@click.option(
    "--form", type=click.Choice(BLOCK_FORMS), default="file", help="For config.yml (file), a compose file or a shell."
)
@_LISTEN
@place_options
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
@place_options
def check(listen: str | None, *, shows_all: bool, as_json: bool) -> None:
    """Check the configuration and print what is in force.

    It fails where `serve` would fail. Secrets are not printed, nothing is written, and the service is not started.
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
    click.echo("The configuration can be used.")


def _refuse_what_serve_refuses(config: Config) -> None:
    """Raises ConfigurationError for what only the channels, the data directory and the ledger can tell."""
    if config.notify.channels:
        from tagtrail.notify.channels import check_channels  # noqa: PLC0415 - as above

        check_channels(config.notify.channels)
    if (config.data / INGEST_TOKEN_FILE).exists():
        with_ingest_token(config)
    has_token = False
    if (config.data / DATABASE_NAME).is_file():
        with closing(find_ledger(config.data)) as store:
            has_token = has_live_token(store.reader(), at=now())
            refuse_other_name(store, config.ledger)
    refuse_open_service(config, has_stored_token=has_token)


@click.command()
@place_options
def rebuild() -> None:
    """Derive the whole trail anew from the ledger's lines.

    The lines themselves are not touched. The service has to be stopped.
    """
    from tagtrail.server.run import only_service  # noqa: PLC0415 - as above

    directory = data_directory()
    started = monotonic()
    with closing(find_ledger(directory)) as store, only_service(directory, patience=0):
        store.prepare()
        lines = derive_anew(store, progress=_progress)
    click.echo(f"The trail was derived anew from {counted(lines, 'line', 'lines')} in {span(monotonic() - started)}.")


def _progress(seq: int) -> None:
    if sys.stderr.isatty():
        click.echo(f"line {seq} ...", err=True)


def _load(listen: str | None) -> Config:
    return load(config_path(), listen=listen, data=data_path(), environ=os.environ)
