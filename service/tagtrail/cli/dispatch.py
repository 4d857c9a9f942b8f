"""`tagtrail dispatch`: sends what is to be told, for those who run processes apart; `serve` runs one by itself."""

import math
import os
import signal
from collections.abc import Callable
from functools import partial
from typing import Final

import click

from tagtrail import logs
from tagtrail.cli.options import config_path, data_path, place_options
from tagtrail.config.load import load
from tagtrail.config.model import Config
from tagtrail.config.secrets import prepare_data_directory
from tagtrail.errors import ConfigurationError
from tagtrail.notify.leader import leader_lock
from tagtrail.store.database import Store

_PATIENCE: Final = 1.0  # seconds: a worker that looks whether there is a dispatcher holds the lock for a moment


@click.command()
@click.option("--supervised-by", type=int, hidden=True, help="As the service runs it: it ends with that process.")
@place_options
def dispatch(supervised_by: int | None) -> None:
    """Send what is to be told to the channels, until SIGTERM.

    `tagtrail serve` runs one by itself. Of several on one data directory one works, and the others wait for its end.
    """
    is_by_hand = supervised_by is None
    read = partial(load, config_path(), data=data_path(), environ=os.environ, is_patient=not is_by_hand)
    config = read()
    if not config.notify.channels:
        raise ConfigurationError("notify.channels is empty, so there is nothing to dispatch; name a channel there")
    if is_by_hand:  # somebody is there to see what is wrong with a channel
        from tagtrail.notify.channels import check_channels  # noqa: PLC0415 - as below

        check_channels(config.notify.channels)
    prepare_data_directory(config.data)
    must_stop = _find_end(supervised_by)
    with leader_lock(config.data, patience=_PATIENCE, must_stop=must_stop) as is_ours:
        if is_ours:
            _run(config, must_stop, reread=None if is_by_hand else read)
            return
    if is_by_hand and not must_stop():
        click.echo("Another dispatcher is at work on this data directory; waiting for its end.", err=True)
        with leader_lock(config.data, patience=math.inf, must_stop=must_stop) as is_ours:
            if is_ours:
                _run(config, must_stop)


def _find_end(parent: int | None) -> Callable[[], bool]:
    """Whether it is time to end: after a signal, from now on, or when the process is gone that it was begun by."""
    signals: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: signals.append(number))
    return lambda: bool(signals) or parent not in (None, os.getppid())


def _run(config: Config, must_stop: Callable[[], bool], *, reread: Callable[[], Config] | None = None) -> None:
    """With `reread` a channel that cannot be made is tried again by what that gives, while the others go on."""
    from tagtrail.notify.dispatcher import make_dispatcher  # noqa: PLC0415 - requests takes long to import

    logs.configure(config.log.format, config.log.level)
    store = Store(config.data)
    store.prepare()
    make_dispatcher(config, store, reread=reread).run(must_stop)
