"""The threads that serve what the front hands over: each kind of request has its own, so that one kind of slow client
cannot hold up another.
"""

import logging
import threading
from collections.abc import Callable

from tagtrail import logs
from tagtrail.server.answers import Answers
from tagtrail.server.connections import ClientConnection
from tagtrail.server.handover import Handover, Handovers
from tagtrail.server.limits import ServerLimits

_log = logging.getLogger(__name__)


class Readers:
    """The reading threads of one process."""

    def __init__(self, answers: Answers, handovers: Handovers, *, limits: ServerLimits) -> None:
        self._held = limits.held
        self._is_resting = False
        self._ending = threading.Event()
        kinds: list[tuple[str, Handover, Callable[[ClientConnection], None], int]] = [
            ("prompt", handovers.prompt, answers.at_once, limits.prompt_threads),
            ("answers", handovers.answers, answers.at_length, limits.answer_threads),
            ("uploads", handovers.uploads, answers.while_reading, limits.upload_threads),
        ]
        self.threads = [
            threading.Thread(target=self._run, args=(handover, serve), name=f"{name}-{number}", daemon=True)
            for name, handover, serve, count in kinds
            for number in range(count)
        ]

    def start(self) -> None:
        """Start the threads; after the fork."""
        for thread in self.threads:
            thread.start()

    def rest(self) -> None:
        """Take nothing more until the end: this process has become the front, and another one reads."""
        self._is_resting = True

    def end(self) -> None:
        """Let the threads end once nothing is left to take. The front hands nothing over any more."""
        self._ending.set()

    def _run(self, handover: Handover, serve: Callable[[ClientConnection], None]) -> None:
        while True:
            if self._is_resting:
                self._ending.wait()
            is_last = self._ending.is_set()
            try:
                connection = handover.take(wait=not is_last, held=self._held)
                if connection is not None:
                    serve(connection)
                elif is_last:
                    return
            except Exception as error:  # whatever it is, this thread has to go on
                logs.error(_log, "a reading thread caught what nothing handled", cause=error)
