"""The evidence of one line: its bytes, its leaf hash, and the beginning of the event as it was received."""

from dataclasses import dataclass
from typing import Final

import msgspec

from tagtrail.ledger.line import disclosed_value
from tagtrail.store.database import Connection

MOST_RAW: Final = 20_000  # bytes shown of an event as received; what was quarantined may be as large as a request


@dataclass(frozen=True, slots=True)
class Received:
    """An event as received, as JSON: its first `raw` bytes of `size`."""

    raw: bytes
    size: int

    @property
    def is_cut(self) -> bool:
        """Whether there is more of it."""
        return len(self.raw) < self.size

    @property
    def text(self) -> str:
        """It, laid out for reading; what was quarantined as the text that it was, if it was text."""
        if self.is_cut:
            return self.raw.decode("utf-8", "replace")
        if self.raw.startswith(b'"'):
            return msgspec.json.decode(self.raw, type=str)
        try:
            return msgspec.json.format(self.raw, indent=2).decode()  # not decoded: it may have numbers beyond all types
        except RecursionError:  # nested as deeply as was just possible when it arrived
            return self.raw.decode()


@dataclass(frozen=True, slots=True)
class Evidence:
    """A line's leaf hash and bytes; `line` is None where it was pruned, `received` where nothing is disclosed."""

    seq: int
    leaf: bytes
    line: bytes | None
    received: Received | None


def get_evidence(db: Connection, seq: int, *, with_received: bool) -> Evidence | None:
    """The evidence of the line; None where there is none of that number. `seq` lies within the ledger."""
    row = db.execute("SELECT leaf, line FROM lines WHERE seq = ?", (seq,)).fetchone()
    if row is None:
        pruned = db.execute("SELECT leaf FROM pruned_leaves WHERE seq = ?", (seq,)).fetchone()
        return Evidence(seq, pruned[0], None, None) if pruned else None
    return Evidence(seq, row[0], row[1], _read_received(db, seq) if with_received else None)


def _read_received(db: Connection, seq: int) -> Received | None:
    row = db.execute(
        "SELECT substr(raw, 1, ?), length(raw) FROM disclosures WHERE seq = ? AND raw IS NOT NULL", (MOST_RAW, seq)
    ).fetchone()
    if row is None:
        return None
    beginning, size = row
    closed = beginning if size <= MOST_RAW else beginning + b"]"  # as if the document ended here
    value = disclosed_value(closed)
    return Received(value, size - (len(closed) - len(value)))
