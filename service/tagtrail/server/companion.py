"""A process beside the workers: whichever worker finds it missing starts it, and it ends with that worker.

The process itself holds a lock while it works, so that only one runs, regardless of the number of workers.
"""

import logging
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from tagtrail import logs

_LOOK: Final = 2.0  # seconds between two looks
_SHORT: Final = 10.0  # seconds: one that lived no longer than this has a trouble that starting it again does not cure
_LONGEST: Final = 60.0  # seconds until such a one is started again

_log = logging.getLogger(__name__)


class Companion:
    """Keeps `command` running. `is_missing` says whether its lock is free; `clock` counts seconds."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        is_missing: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._command = command
        self._is_missing = is_missing
        self._clock = clock
        self._running: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._not_before = 0.0
        self._pause = _LOOK

    def start(self) -> None:
        """Begin; after the fork. The thread ends with its process."""
        threading.Thread(target=self._run, name="companion", daemon=True).start()

    def look(self) -> None:
        """Start the process where it is missing, and not at once again where it did not last."""
        if self._running is not None:
            code = self._running.poll()
            if code is None:
                return
            self._running = None
            self._note_end(code)
        if self._clock() >= self._not_before and self._is_missing():
            self._started_at = self._clock()
            self._running = subprocess.Popen(self._command, stdin=subprocess.DEVNULL)

    def _note_end(self, code: int) -> None:
        """Another worker's may have been faster (0); one that failed at once is given more and more time."""
        is_hopeless = code != 0 and self._clock() - self._started_at < _SHORT
        self._pause = min(_LONGEST, self._pause * 2) if is_hopeless else _LOOK
        self._not_before = self._clock() + self._pause
        if code != 0:
            logs.error(_log, "the dispatcher ended and is started again", code=code, seconds=round(self._pause))

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            try:
                self.look()
            except Exception as error:  # this thread has to go on
                logs.error(_log, "the dispatcher was not started", cause=error)
            pause.wait(_LOOK)
