"""`tagtrail serve`: prepares the data directory, says how to wire the registry, and runs until it is told to stop."""

import fcntl
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tagtrail import logs
from tagtrail.app import create_app
from tagtrail.config.describe import find_warnings
from tagtrail.config.load import with_ingest_token
from tagtrail.config.model import Config
from tagtrail.config.notifications import render_notifications
from tagtrail.config.secrets import prepare_data_directory
from tagtrail.errors import ConfigurationError
from tagtrail.ledger.lifecycle import record_start, record_stop
from tagtrail.ledger.record import Recorder
from tagtrail.server.gunicorn import serve
from tagtrail.server.terms import Terms
from tagtrail.store.database import Store

SERVICE_LOCK = "service.lock"
_PATIENCE = 10.0  # seconds in which a killed service's workers notice that they are orphans
_log = logging.getLogger(__name__)


def run(config: Config) -> None:
    """Serve until SIGTERM or SIGINT. Raises ConfigurationError, or StorageUnavailable, when it cannot start."""
    logs.configure(config.log.format, config.log.level)
    config = with_ingest_token(config)
    prepare_data_directory(config.data)
    with only_service(config.data):
        Store(config.data).prepare()
        serve(
            make_app=lambda: create_app(config, store=Store(config.data)),
            listen=str(config.listen),
            workers=config.limits.workers,
            threads=config.limits.threads,
            terms=Terms(request=config.limits.request_timeout),
            stop_timeout=config.limits.stop_timeout,
            when_ready=lambda: _begin(config),
            on_exit=lambda: _with_recorder(config, record_stop),
        )


@contextmanager
def only_service(data: Path, *, patience: float = _PATIENCE) -> Iterator[None]:
    """Hold the data directory's service lock, which worker processes inherit; freed when the last of them is gone.

    Waits `patience` seconds for it. Raises ConfigurationError while another service, or a rebuild, holds it.
    """
    descriptor = os.open(data / SERVICE_LOCK, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        _lock(descriptor, data, until=time.monotonic() + patience)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, data: Path, *, until: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                raise ConfigurationError(
                    f"data is {str(data)!r}, which another tagtrail is using;"
                    " stop that one first, or name another directory"
                ) from None
            time.sleep(0.1)
        else:
            return


def _with_recorder(config: Config, use: Callable[[Recorder], None]) -> None:
    """Record something in the process that forks the workers, and leave nothing open for them to inherit."""
    store = Store(config.data)
    try:
        use(Recorder(store))
    finally:
        store.close()


def _begin(config: Config) -> None:
    """Once the port is ours and before any worker starts: record the start, then announce it."""
    _with_recorder(config, lambda recorder: record_start(recorder, config.rules))
    _announce(config)


def _announce(config: Config) -> None:
    """Say that the service is ready, and how to wire a registry to it.

    Without a configuration file a person is trying tagtrail out: the block, with its token, goes to standard output.
    With one, standard output may well be a log, which is no place for a token.
    """
    for sentence in find_warnings(config):
        logs.warning(_log, sentence)
    logs.info(_log, "ready", listen=str(config.listen), data=str(config.data))
    if config.source is not None:
        logs.info(_log, "to wire a registry, `tagtrail registry-config` prints the block for its config.yml")
        return
    for registry in config.registries:
        sys.stdout.write(f"\n{render_notifications(config, registry)}\n")
    sys.stdout.flush()
