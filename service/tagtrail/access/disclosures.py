"""The disclosure log: each answer that shows identities is a line of the ledger, written before it is sent."""

import hashlib
import threading
from collections import OrderedDict
from dataclasses import astuple, dataclass, field
from typing import Final

import msgspec

from tagtrail.ledger.record import Recorder
from tagtrail.ledger.submission import Draft, Recorded, Submission
from tagtrail.line import Entry, Who, commitment, disclosure
from tagtrail.trail.instant import SECOND

# The lines about exports, recorded before the export is sent.


@dataclass(frozen=True, slots=True)
class Asker:
    """The caller of an export: `token` is the name of an API token, or None; `who` may be erased."""

    token: str | None = None
    who: Who = field(default_factory=Who)


def record_export(
    recorder: Recorder,
    asker: Asker,
    *,
    format: str,  # noqa: A002 - the line's word
    question: bytes,
    action: str | None = None,
    sha256: str | None = None,
    reason: str | None = None,
) -> int:
    """Record that an export was made, with an `action` that it begins, or with a `reason` that it was interrupted;
    returns the line's seq.

    `question` is JSON and goes into a disclosure, because a query may name a person. `sha256` is the hash of a bundle's
    SHA256SUMS, in hexadecimal. Raises StorageUnavailable.
    """
    who, raw = disclosure("who", msgspec.json.encode(asker.who)), disclosure("raw", question)
    entry = Entry(
        kind="exported",
        token=asker.token,
        action=action,
        format=format,
        sha256=sha256,
        reason=reason,
        who=commitment(who),
        raw=commitment(raw),
    )
    [outcome] = recorder.record(Submission((Draft(entry, who=who, raw=raw),)))
    if not isinstance(outcome, Recorded):
        raise TypeError(f"an export is always a line of its own, not {outcome}")
    return outcome.seq


HOUR: Final = 3_600 * SECOND
REMEMBERED: Final = 10_000  # readings per process; beyond it, the oldest is forgotten and recorded again


@dataclass(frozen=True, slots=True)
class Reading:
    """A query, its format and its caller: a token's name, or the user from a proxy."""

    format: str
    path: str
    query: str
    token: str | None
    user: str = ""


class Readings:
    """Records readings, each query of each reader at most once an hour.

    Otherwise a page that refreshes every few seconds would make the ledger grow.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._recorded: OrderedDict[bytes, int] = OrderedDict()
        self._lock = threading.Lock()

    def record(self, reading: Reading, *, address: str, user_agent: str) -> None:
        """Record the reading; durable when this returns. Raises StorageUnavailable."""
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
