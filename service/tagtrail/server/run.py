"""`tagtrail serve`: prepares the data directory, says how to wire the registry, and runs until it is told to stop."""

import atexit
import logging
import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from wsgiref.types import WSGIApplication

from tagtrail import logs
from tagtrail.app import begin_intake, create_app
from tagtrail.config.consistency import find_warnings, refuse_open_service
from tagtrail.config.load import with_ingest_token
from tagtrail.config.model import Config
from tagtrail.config.notifications import render_notifications, service_url
from tagtrail.config.secrets import prepare_data_directory
from tagtrail.errors import ConfigurationError, StorageUnavailable
from tagtrail.ledger.record import Recorder, record_start, record_stop
from tagtrail.locks import hold_lock
from tagtrail.notify.leader import has_no_leader
from tagtrail.notify.outbox import make_outbox
from tagtrail.server.companion import Companion
from tagtrail.server.gunicorn import serve
from tagtrail.server.limits import ServerLimits
from tagtrail.server.watch import Watch
from tagtrail.store.database import Store
from tagtrail.store.tokens import has_live_token
from tagtrail.tlog.guard import check_ledger
from tagtrail.tlog.place import log_place, make_log_signer, refuse_other_name
from tagtrail.trail.instant import now

SERVICE_LOCK = "service.lock"
FRONT_LOCK = "front.lock"
_PATIENCE = 10.0  # seconds in which a killed service's workers notice that they are orphans
_log = logging.getLogger(__name__)


def run(config: Config) -> None:
    """Serve until SIGTERM or SIGINT. Raises ConfigurationError, or StorageUnavailable, when it cannot start."""
    logs.configure(config.log.format, config.log.level)
    config = with_ingest_token(config)
    if config.notify.channels:
        from tagtrail.notify.channels import check_channels  # noqa: PLC0415 - who tells nothing need not load it

        check_channels(config.notify.channels)
    prepare_data_directory(config.data)
    with only_service(config.data):
        _prepare(config)
        serve(
            make_app=lambda: _make_app(config),
            make_intake=begin_intake,
            front_lock=config.data / FRONT_LOCK,
            listen=str(config.listen),
            workers=config.limits.workers,
            limits=ServerLimits(request=config.limits.request_timeout),
            stop_timeout=config.limits.stop_timeout,
            when_ready=lambda: _begin(config),
            on_exit=lambda: _end(config),
        )


def _prepare(config: Config) -> None:
    """Bring the database up to date, and refuse one that contradicts its checkpoints."""
    store = Store(config.data)
    store.prepare()
    try:
        refuse_open_service(config, has_stored_token=has_live_token(store.reader(), at=now()))
        refuse_other_name(store, config.ledger)
        check_ledger(store, log_place(config.data, config.ledger).journal)
        make_log_signer(store, config.ledger, public_url=config.public_url).check_key()
    finally:
        store.close()


def _make_app(config: Config) -> WSGIApplication:
    """The application of one worker process, its watch over the ledger, and over the dispatcher where there is one."""
    store = Store(config.data)
    place = ["--data", str(config.data), *(["--config", str(config.source)] if config.source else [])]
    watch = Watch(
        store,
        make_log_signer(store, config.ledger, public_url=config.public_url),
        checkpoint_every=config.ledger.checkpoint_every,
        verify_every=config.ledger.verify_every,
        verifying=[sys.executable, "-m", "tagtrail", "log", "verify", "--background", *place],
    )
    watch.start()
    atexit.register(watch.stop)
    if config.notify.channels:
        Companion(
            [sys.executable, "-m", "tagtrail", "dispatch", "--supervised-by", str(os.getpid()), *place],
            is_missing=lambda: has_no_leader(config.data),
        ).start()
    return create_app(config, store=store)


@contextmanager
def only_service(data: Path, *, patience: float = _PATIENCE) -> Iterator[None]:
    """Hold the data directory's service lock, which worker processes inherit; freed when the last of them is gone.

    Waits `patience` seconds for it. Raises ConfigurationError while another service, or a rebuild, holds it.
    """
    with hold_lock(data / SERVICE_LOCK, patience=patience) as is_ours:
        if not is_ours:
            raise ConfigurationError(
                f"data is {str(data)!r}, which another tagtrail is using;"
                " stop that one first, or name another directory"
            )
        yield


@contextmanager
def _own_store(config: Config) -> Iterator[Store]:
    """For the process that forks the workers: nothing stays open for them to inherit."""
    store = Store(config.data)
    try:
        yield store
    finally:
        store.close()


def _begin(config: Config) -> None:
    """Once the port is ours and before any worker starts: record the start, then announce it.

    It is the workers that sign it: events wait while this goes on, and must wait for no journal and no anchor command.
    """
    with _own_store(config) as store:
        record_start(Recorder(store, outbox=make_outbox(config.notify)), config.rules)
    _announce(config)


def _end(config: Config) -> None:
    """Once the last worker has ended: record the stop, and sign it if the disk under the journal lets us."""
    with _own_store(config) as store:
        record_stop(Recorder(store, outbox=make_outbox(config.notify)))
        try:
            make_log_signer(store, config.ledger, public_url=config.public_url).sign()
        except StorageUnavailable as error:
            logs.error(_log, "the ledger was not signed", reason=str(error))


def _announce(config: Config) -> None:
    """Say that the service is ready, where its pages are, and how to connect a registry.

    Without a configuration file a person tries tagtrail out: the block with its token goes to standard output. With
    one, standard output may be a log, and a log must hold no token.
    """
    for sentence in find_warnings(config):
        logs.warning(_log, sentence)
    logs.info(_log, "ready", listen=str(config.listen), data=str(config.data), pages=f"{service_url(config)}/")
    if config.source is not None:
        logs.info(_log, "to connect a registry, `tagtrail registry-config` prints the block for its config.yml")
        return
    for registry in config.registries:
        sys.stdout.write(f"\n{render_notifications(config, registry)}")
    sys.stdout.write(f"\nPages: {service_url(config)}/\nCommands, in another terminal: {_example_command(config)}\n\n")
    sys.stdout.flush()


def _example_command(config: Config) -> str:
    """A command that reads this service's data, as it can be typed in the directory where the service was started."""
    program = Path(sys.argv[0])
    if program.name != "tagtrail":
        started = [sys.executable, "-m", "tagtrail"]
    elif shutil.which(program.name) == str(program):
        started = [program.name]
    else:
        started = [str(program)]
    here = Path.cwd()
    data = config.data.relative_to(here) if config.data.is_relative_to(here) else config.data
    return shlex.join([*started, "log", "--data", str(data)])
