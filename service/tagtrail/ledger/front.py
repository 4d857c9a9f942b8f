"""Append first, project later: how the front records the ordinary events of registries.

When `append` returns, the evidence is durable and the sender can be answered. What the lines mean is written a moment
later, in their order, for many of them in one transaction: by `project` here, or by any process that reads or records
before that (`Recorder.catch_up`). The projection is a function of the lines, so a crash in between loses nothing.
"""

import logging
from collections.abc import Sequence
from typing import Final

from tagtrail import logs
from tagtrail.errors import StorageUnavailable
from tagtrail.ledger.append import Identity, Tail
from tagtrail.ledger.record import Recorder
from tagtrail.ledger.submission import Line, Outcome, Recorded, Submission
from tagtrail.store.database import Connection, StoreBusy
from tagtrail.store.lines import LedgerEnd, get_end, get_newest_time

MOST_BEHIND: Final = 16  # unprojected lines, from which on they are projected though requests are waiting
_log = logging.getLogger(__name__)


class FrontRecorder:
    """Appends for one thread, and remembers the lines that it has not projected yet."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._end: LedgerEnd | None = None  # the ledger's end after the last append of this thread
        self._received_at = 0
        self._lines: list[Line] = []
        self._identities: dict[Identity, int] = {}

    @property
    def lag(self) -> int:
        """The number of lines that are appended and not projected, as far as this thread knows."""
        return len(self._lines)

    def append(self, group: Sequence[Submission]) -> list[list[Outcome] | Exception]:
        """Append the submissions in one transaction: durable when this returns; the outcomes of each.

        If one of them cannot be appended, each has a transaction of its own and fails alone, with its exception in the
        place of its outcomes. Raises StoreBusy at once while another writer has its turn, and StorageUnavailable.
        """
        try:
            return list(self._append(group))
        except StorageUnavailable:
            raise
        except Exception as error:
            if len(group) == 1:
                return [error]
            logs.warning(_log, "a group of submissions is appended one by one", size=len(group))
            return [self._append_alone(submission) for submission in group]

    def project(self) -> None:
        """Project the lines that no other process was faster with. Raises as `append`.

        Where it fails, the next append projects them first, or fails too.
        """
        try:
            self._recorder.catch_up(self._lines, wait=False)
        except StoreBusy:
            raise
        except BaseException:
            self._forget()
            raise
        self._lines, self._identities = [], {}

    def _append_alone(self, submission: Submission) -> list[Outcome] | Exception:
        try:
            return self._append([submission])[0]
        except Exception as error:
            return error

    def _append(self, group: Sequence[Submission]) -> list[list[Outcome]]:
        recorder, caught_up = self._recorder, list[Recorded]()
        try:
            with recorder.guarding(), recorder.store.writing(wait=False) as tx:
                end = get_end(tx)
                if self._end is None or (end.seq, end.generation) != (self._end.seq, self._end.generation):
                    caught_up = self._meet(tx)
                    end = get_end(tx)
                tail = Tail(
                    tx,
                    seq=end.seq,
                    received_at=self._received_at,
                    clock=recorder.clock(),
                    unprojected=self._identities,
                )
                outcomes = [tail.record(submission) for submission in group]
        except StoreBusy:
            raise
        except BaseException:
            self._forget()
            raise
        self._end = LedgerEnd(tail.seq, end.projected, end.generation)
        self._received_at = tail.received_at
        self._lines += tail.lines
        self._identities |= tail.identities
        recorder.report(caught_up)
        return outcomes

    def _meet(self, tx: Connection) -> list[Recorded]:
        """Others have appended, or this is the beginning: project what they left, and go on after it."""
        self._forget()
        self._received_at = get_newest_time(tx)
        return self._recorder.catch_up_in(tx)

    def _forget(self) -> None:
        self._end = None
        self._lines, self._identities = [], {}
