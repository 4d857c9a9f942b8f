"""`/healthz`: the process answers. `/readyz`: a test write to the ledger succeeds, and the disk has room.

A ledger that does not verify or is not signed can still record events, which must not be lost. So `/readyz` still
answers 200 then, and reports the problem below its first line.
"""

import shutil
import threading
import time
from collections.abc import Callable, Iterator

from flask import Blueprint, Response

from tagtrail.errors import StorageUnavailable
from tagtrail.store.database import Store
from tagtrail.store.registries import note_readiness
from tagtrail.store.status import find_verification
from tagtrail.tlog.unsigned import describe_unsigned_lag, find_unsigned_lag
from tagtrail.trail.instant import now

_LEAST_SPACE = 8 * 1024 * 1024  # bytes: with less, the test write may succeed and the next event fail
_FRESH = 1.0  # seconds for which an answer is repeated, so that probes cannot cause constant writing


class Readiness:
    """Whether the ledger can be written, by the last test; each process tests at most once a second.

    A checkpoint is due every `checkpoint_every` seconds. `clock` returns our time in nanoseconds.
    """

    def __init__(
        self,
        store: Store,
        *,
        checkpoint_every: float = 60.0,
        clock: Callable[[], int] = now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._checkpoint_every = checkpoint_every
        self._clock = clock
        self._monotonic = monotonic
        self._trying = threading.Lock()
        self._tried_at: float | None = None
        self._trouble: str | None = None

    def find_trouble(self) -> str | None:
        """Why the ledger cannot be written; None while it can."""
        with self._trying:
            if self._tried_at is None or self._monotonic() - self._tried_at >= _FRESH:
                self._trouble = self._try()
                self._tried_at = self._monotonic()
            return self._trouble

    def find_doubts(self) -> Iterator[str]:
        """Sentences about problems that lose no event: the ledger does not verify, or it is no longer signed."""
        with self._store.snapshot() as db:
            found, lag = find_verification(db), find_unsigned_lag(db)
        if found is not None and found.trouble is not None:
            yield f"the ledger does not verify: {found.trouble}"
        trouble = describe_unsigned_lag(lag, at=self._clock(), checkpoint_every=self._checkpoint_every)
        if trouble is not None:
            yield trouble

    def _try(self) -> str | None:
        try:
            with self._store.writing() as tx:
                note_readiness(tx, now())
        except StorageUnavailable as error:
            return str(error)
        free = shutil.disk_usage(self._store.directory).free
        return None if free >= _LEAST_SPACE else f"the disk under the ledger is full: {free} bytes are left"


def make_health_blueprint(readiness: Readiness) -> Blueprint:
    """The two probes; neither needs a token, and each problem is one sentence."""
    blueprint = Blueprint("health", __name__)

    @blueprint.get("/healthz")
    def healthz() -> Response:
        return Response("alive\n", content_type="text/plain; charset=utf-8")

    @blueprint.get("/readyz")
    def readyz() -> Response:
        trouble = readiness.find_trouble()
        if trouble is None:
            lines = "".join(f"{line}\n" for line in ("ready", *readiness.find_doubts()))
            return Response(lines, content_type="text/plain; charset=utf-8")
        return Response(f"{trouble}\n", 503, content_type="text/plain; charset=utf-8")

    return blueprint
