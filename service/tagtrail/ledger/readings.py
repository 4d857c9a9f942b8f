"""Who has read what about people: each such reading is a line of the ledger, written before the answer is sent."""

import hashlib
import threading
from collections import OrderedDict
from dataclasses import astuple, dataclass
from typing import Final

import msgspec

from tagtrail.ledger.exported import Asker, record_export
from tagtrail.ledger.project import Who
from tagtrail.ledger.record import Recorder
from tagtrail.trail.instant import SECOND

HOUR: Final = 3_600 * SECOND
REMEMBERED: Final = 10_000  # readings of one process; beyond it, the oldest is forgotten, and recorded again


@dataclass(frozen=True, slots=True)
class Reading:
    """What was asked, in which format, by whom: a token's name, or the user whom a proxy named."""

    format: str
    path: str
    query: str
    token: str | None
    user: str = ""


class Readings:
    """Records readings, each question of each reader at most once an hour.

    Otherwise a page that asks again every few seconds would make the ledger grow by its own reading.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._recorded: OrderedDict[bytes, int] = OrderedDict()
        self._lock = threading.Lock()

    def record(self, reading: Reading, *, address: str, user_agent: str) -> None:
        """Record the reading; when this returns, it is durable. Raises StorageUnavailable."""
        at = self._recorder.now()
        key = hashlib.sha256(repr(astuple(reading)).encode()).digest()
        with self._lock:
            if at - self._recorded.get(key, -HOUR) < HOUR:
                return
        asker = Asker(reading.token, Who(actor=reading.user, address=address, user_agent=user_agent))
        question = msgspec.json.encode({"path": reading.path, "query": reading.query})
        record_export(self._recorder, asker, format=reading.format, question=question)
        with self._lock:
            self._recorded[key] = at
            self._recorded.move_to_end(key)
            if len(self._recorded) > REMEMBERED:
                self._recorded.popitem(last=False)
