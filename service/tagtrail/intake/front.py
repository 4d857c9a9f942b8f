"""The front's intake: the bodies of several requests are recorded in one transaction, and projected later."""

import hashlib
import logging
from collections.abc import Sequence
from typing import Final

from tagtrail import logs
from tagtrail.access.tokens import IngestTokens, Sender
from tagtrail.errors import StorageUnavailable
from tagtrail.intake.endpoint import hold_conflicts, hold_failed
from tagtrail.intake.envelope import quarantine_unkept, read_body
from tagtrail.ledger.front import MOST_BEHIND, FrontRecorder
from tagtrail.ledger.record import Recorder
from tagtrail.ledger.submission import Counted, Item, Outcome, Submission
from tagtrail.store.database import StoreBusy, WriteBack

_WRITE_BACK_EVERY: Final = 500  # lines; their rows fill 10 to 20 MiB of the write-ahead log
_log = logging.getLogger(__name__)


class FrontIntake:
    """Belongs to one thread. `body_limit` in bytes, beyond which only a body's hash is kept."""

    def __init__(self, recorder: Recorder, *, tokens: IngestTokens, body_limit: int) -> None:
        self._recorder = recorder
        self._front = FrontRecorder(recorder)
        self._tokens = tokens
        self._body_limit = body_limit
        self._write_back = WriteBack(recorder.store, every=_WRITE_BACK_EVERY)

    def start(self) -> None:
        """Begin; after the fork, in the front's process."""
        self._write_back.start()

    def find_sender(self, authorization: str) -> Sender | None:
        """The registry whose token the Authorization header carries."""
        return self._tokens.find_sender(authorization)

    def record(self, requests: Sequence[tuple[Sender, bytes]]) -> list[bool] | None:
        """Record bodies, each with its sender; whether each is durable. None while another writer has its turn."""
        try:
            at = self._recorder.now()
            items = [self._read(sender, body, at) for sender, body in requests]
            results = self._front.append([Submission(tuple(each)) for each in items])
        except StoreBusy:
            return None
        except StorageUnavailable as error:
            logs.error(_log, "events were not stored", requests=len(requests), reason=str(error))
            return [False] * len(requests)
        self._write_back.note(len(requests))
        return [
            self._finish(sender, each, result)
            for (sender, _), each, result in zip(requests, items, results, strict=True)
        ]

    @property
    def is_behind(self) -> bool:
        """Whether recorded lines wait to be projected."""
        return self._front.lag > 0

    @property
    def is_far_behind(self) -> bool:
        """Whether they must not wait any longer."""
        return self._front.lag >= MOST_BEHIND

    def project(self) -> None:
        """Project recorded lines, unless another writer has its turn. What fails is tried again with the next event."""
        try:
            self._front.project()
        except StoreBusy:
            return
        except StorageUnavailable as error:
            logs.error(_log, "lines were not projected", reason=str(error))

    def _read(self, sender: Sender, body: bytes, at: int) -> list[Item]:
        if len(body) > self._body_limit:
            digest = hashlib.sha256(body).digest()
            return [quarantine_unkept(sender, digest=digest, size=len(body), reason="the body is too large")]
        return read_body(body, sender, received_at=at)

    def _finish(self, sender: Sender, items: Sequence[Item], result: list[Outcome] | Exception) -> bool:
        """Quarantine what is in conflict with a line, and record one by one what could not be recorded together.

        Nothing here waits for another writer: the registry sends again what was not stored, and what was is known.
        """
        try:
            if isinstance(result, Exception):
                for item in items:
                    self._record_alone(sender, item)
            elif conflicts := hold_conflicts(items, result, sender):
                self._append(conflicts)
        except StorageUnavailable as error:
            logs.error(_log, "events were not stored", registry=sender.registry, reason=str(error))
            return False
        except Exception as error:  # a defect that even the quarantine meets: the registry tries again
            logs.error(_log, "events were not stored", registry=sender.registry, cause=error)
            return False
        return True

    def _record_alone(self, sender: Sender, item: Item) -> None:
        """Record an item without its neighbours; if it still fails, its content is quarantined."""
        try:
            outcomes = self._append((item,))
        except StorageUnavailable:
            raise
        except Exception as error:
            logs.error(_log, "an event could not be recorded and is quarantined", cause=error)
            if not isinstance(item, Counted):
                self._append((hold_failed(item, sender, error),))
            return
        if conflicts := hold_conflicts((item,), outcomes, sender):
            self._append(conflicts)

    def _append(self, items: Sequence[Item]) -> list[Outcome]:
        [result] = self._front.append([Submission(tuple(items))])
        if isinstance(result, Exception):
            raise result
        return result
