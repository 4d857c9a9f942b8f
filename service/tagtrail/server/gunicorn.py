"""The service's processes: gunicorn's master and workers, configured here and nowhere else."""

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn
from wsgiref.types import WSGIApplication

from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger

from tagtrail.server.front import Intake
from tagtrail.server.handover import Handovers
from tagtrail.server.limits import ServerLimits
from tagtrail.server.worker import FrontWorker

_MEMORY = Path("/dev/shm")  # noqa: S108  # where a worker's sign of life costs no disk
_GRACE = 30  # seconds for requests in flight after SIGTERM
_TIMEOUT = 30  # seconds without a sign of life, after which the master replaces a worker


def serve(
    *,
    make_app: Callable[[], WSGIApplication],
    make_intake: Callable[[Any], Intake],
    front_lock: Path,
    listen: str,
    workers: int,
    when_ready: Callable[[], None],
    on_exit: Callable[[], None],
    limits: ServerLimits | None = None,
    stop_timeout: float = _GRACE,
) -> NoReturn:
    """Serve `make_app()` on `listen` (HOST:PORT, or [ADDRESS]:PORT) until SIGTERM or SIGINT, then exit.

    `when_ready` runs once, when the socket is open and before any worker starts, and what it raises is raised here;
    `on_exit` runs once, after the last worker ended. Both run in this process, the master; `make_app` runs in each of
    `workers` processes, after the fork. `make_intake` makes an intake of what `make_app` returned, in the process that
    holds the lock on the file `front_lock`. The end is a SystemExit, here and in every worker process: `finally` blocks
    around this call run in all of them. Logs go where `logs.configure` sent them.
    """
    Application(
        make_app,
        make_intake,
        front_lock,
        limits or ServerLimits(),
        {
            "bind": listen,
            "workers": workers,
            "graceful_timeout": max(1, round(stop_timeout)),
            "when_ready": lambda _arbiter: _get_ready_to_fork(when_ready),
            "post_fork": lambda arbiter, worker: setattr(worker, "early", arbiter.SIG_QUEUE),
            "on_exit": lambda _arbiter: on_exit(),
        },
    ).run()
    raise SystemExit(0)


def _get_ready_to_fork(when_ready: Callable[[], None]) -> None:
    """Keep what is imported out of the garbage collector's sight, so that its pages stay shared: a quarter less memory.

    (Each collection writes into every object that it looks at; https://docs.python.org/3.11/library/gc.html#gc.freeze)
    """
    when_ready()
    gc.collect()
    gc.freeze()


class Application(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn with our settings only: no file, no command line and no environment variable adds to them."""

    def __init__(
        self,
        make_app: Callable[[], WSGIApplication],
        make_intake: Callable[[Any], Intake],
        front_lock: Path,
        limits: ServerLimits,
        settings: dict[str, Any],
    ) -> None:
        self.make_intake = make_intake
        self.front_lock = front_lock
        self.limits = limits
        self.handovers = Handovers(limits)  # before the fork: every worker inherits it
        self._make_app = make_app
        self._settings = settings
        super().__init__()

    def load_config(self) -> None:
        """Called by gunicorn, at the start and on SIGHUP."""
        for name, value in (_SETTINGS | self._settings).items():
            self.cfg.set(name, value)

    def load(self) -> WSGIApplication:
        """Called by gunicorn in each worker."""
        return self._make_app()


class OurLogs(Logger):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's own records, sent the way of all others; no access log."""

    def setup(self, cfg: Any) -> None:
        """Add no handler and no level: `logs.configure` has done both."""
        self.cfg = cfg
        self._access_log_enabled = False
        self.error_log.propagate = True


_SETTINGS: dict[str, Any] = {
    "worker_class": FrontWorker,
    "logger_class": OurLogs,
    "proc_name": "tagtrail",
    "worker_tmp_dir": str(_MEMORY) if _MEMORY.is_dir() else None,
    "timeout": _TIMEOUT,
    "control_socket_disable": True,  # gunicorn 27 would open one in the home directory
    "reload": False,
    "sendfile": False,  # it would wait for a reader in its own way, without our deadline
    "limit_request_line": 8190,  # bytes; questions have many parameters
    "limit_request_fields": 100,
    "limit_request_field_size": 8190,  # bytes
    # No header is trusted about the scheme or the script's name: `public_url` states the address in front.
    "forwarded_allow_ips": "",
    "forwarder_headers": "",
    "secure_scheme_headers": {},
}
