"""Record who saw identities or took an export, as lines of the ledger."""

import hashlib
import threading
from collections import OrderedDict
from dataclasses import astuple, dataclass, field
from typing import Final

import msgspec

from tagtrail.ledger.record import Recorder
from tagtrail.ledger.submission import Draft, Recorded, Submission
from tagtrail.line import Entry, Who, commit_to
from tagtrail.trail.instant import SECOND

HOUR: Final = 3_600 * SECOND
REMEMBERED: Final = 10_000  # disclosures of one process; beyond it, the oldest is forgotten and may be recorded again


@dataclass(frozen=True, slots=True)
class Requester:
    """The requester of an export: the name of its API token, None without one, and its erasable identity."""

    token: str | None = None
    who: Who = field(default_factory=Who)


def record_export(
    recorder: Recorder,
    requester: Requester,
    *,
    format: str,  # noqa: A002 - the line's word
    query: bytes,
    action: str | None = None,
    sha256: str | None = None,
    reason: str | None = None,
) -> int:
    """Record an export in a line of its own; return the line's seq.

    `action` says that the export begins, `reason` says why it was interrupted; a finished export has neither. `query`
    is JSON and goes into a disclosure, since a query may name a person. `sha256` is the hash of the bundle's
    SHA256SUMS, in hexadecimal. Raises StorageUnavailable.
    """
    entry = Entry(
        kind="exported",
        token=requester.token,
        action=action,
        format=format,
        sha256=sha256,
        reason=reason,
    )
    entry, who, raw = commit_to(entry, who=requester.who, raw=query)
    [outcome] = recorder.record(Submission((Draft(entry, who=who, raw=raw),)))
    if not isinstance(outcome, Recorded):
        raise TypeError(f"an export is always a line of its own, not {outcome}")
    return outcome.seq


@dataclass(frozen=True, slots=True)
class Disclosure:
    """A query whose answer shows identities: its format and path, and the caller's token or user."""

    format: str
    path: str
    query: str
    token: str | None
    user: str = ""


class DisclosureLog:
    """Records disclosures, the same query of the same caller at most once an hour.

    Without that limit, a page that refreshes every few seconds would grow the ledger.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._recorded: OrderedDict[bytes, int] = OrderedDict()
        self._lock = threading.Lock()

    def record(self, shown: Disclosure, *, address: str, user_agent: str) -> None:
        """Record the disclosure durably. Raises StorageUnavailable."""
        at = self._recorder.now()
        key = hashlib.sha256(repr(astuple(shown)).encode()).digest()
        with self._lock:
            if at - self._recorded.get(key, -HOUR) < HOUR:
                return
        requester = Requester(shown.token, Who(actor=shown.user, address=address, user_agent=user_agent))
        query = msgspec.json.encode({"path": shown.path, "query": shown.query})
        record_export(self._recorder, requester, format=shown.format, query=query)
        with self._lock:
            self._recorded[key] = at
            self._recorded.move_to_end(key)
            if len(self._recorded) > REMEMBERED:
                self._recorded.popitem(last=False)
