"""The background work of a worker process: sign the ledger as it grows, and verify it at intervals.

Every worker has this thread, and it does not matter which of them comes first: signing is once for all processes, and
verifying is done by one process of its own, at the lowest priority.
"""

import logging
import subprocess
import threading
from collections.abc import Callable, Sequence

from tagtrail import logs
from tagtrail.errors import TagtrailError
from tagtrail.store.database import Store
from tagtrail.store.status import find_verification
from tagtrail.tlog.signer import LogSigner
from tagtrail.trail.instant import SECOND, now

_RETRY = 3_600.0  # seconds, at most, until a verification that left no outcome (a full disk) is begun again
_log = logging.getLogger(__name__)


class Watch:
    """Looks after the ledger of a store; durations in seconds."""

    def __init__(
        self,
        store: Store,
        log_signer: LogSigner,
        *,
        checkpoint_every: float,
        verify_every: float,
        verifying: Sequence[str],
        clock: Callable[[], int] = now,
    ) -> None:
        self._store = store
        self._log_signer = log_signer
        self._age = checkpoint_every / 2  # looked at twice as often, no checkpoint comes later than promised
        self._verify_every = verify_every
        self._retry_after = min(verify_every, _RETRY)
        self._verifying = verifying
        self._clock = clock
        self._running: subprocess.Popen[bytes] | None = None
        self._begun_at: int | None = None  # when this process last had it verified

    def start(self) -> None:
        """Begin; after the fork. The thread ends with its process."""
        threading.Thread(target=self._run, name="watch", daemon=True).start()

    def stop(self) -> None:
        """End a verification that is under way: nothing that runs is left behind, and the next start begins it anew."""
        running = self._running
        if running is not None and running.poll() is None:
            running.terminate()
            running.wait()

    def look(self, *, age: float) -> None:
        """Do what is due: a new checkpoint, if the last one is so many seconds old. What fails is tried again."""
        try:
            self._log_signer.sign_if_due(age=int(age * SECOND))
        except TagtrailError as error:
            logs.error(_log, "the ledger was not signed", reason=str(error))
        self._verify_if_due()

    def _run(self) -> None:
        """The start is signed at once, whatever was signed just before it."""
        pause, age = threading.Event(), 0.0
        while True:
            try:
                self.look(age=age)
            except Exception as error:  # this thread has to go on
                logs.error(_log, "the watch caught an unhandled error", cause=error)
            age = self._age
            pause.wait(age)

    def _verify_if_due(self) -> None:
        """The command takes a lock of its own, so that of several processes' commands one goes on."""
        if self._running is not None and self._running.poll() is None:
            return
        self._running = None
        last = find_verification(self._store.reader())
        ended_at = last.verified_at if last is not None else None
        if self._is_over(ended_at, self._verify_every) and self._is_over(self._begun_at, self._retry_after):
            self._begun_at = self._clock()
            self._running = subprocess.Popen(self._verifying, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def _is_over(self, since: int | None, seconds: float) -> bool:
        """Whether so many seconds have passed; a clock that was set back does not delay it."""
        return since is None or not 0 <= self._clock() - since < seconds * SECOND
