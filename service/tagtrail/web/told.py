"""Lines of the ledger as sentences on a page, each in the tone that it deserves."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from tagtrail.audit.clauses import Clause
from tagtrail.audit.sentences import occurred
from tagtrail.ledger.line import read_line
from tagtrail.store.answers import LoggedEntry
from tagtrail.trail.instant import SECOND
from tagtrail.web.visit import Visit

_LATE: Final = 300 * SECOND  # between an event and its line, from which on it is worth a word

Tone = Literal["violation", "move", "quiet"]


@dataclass(frozen=True, slots=True)
class Told:
    """A line as a sentence; `occurred_at` is by its registry's clock, if it has one, `recorded_at` by ours."""

    seq: int
    kind: str
    occurred_at: int
    recorded_at: int
    tone: Tone
    clauses: tuple[Clause, ...]

    @property
    def was_late(self) -> bool:
        """Whether its registry's word came long after the event."""
        return self.recorded_at - self.occurred_at > _LATE


def tell(visit: Visit, entries: Iterable[LoggedEntry]) -> Iterator[Told]:
    """Each line as a sentence, as far as the visitor may know it."""
    narrator = visit.narrator
    for logged in visit.see(tuple(entries)):
        entry = read_line(logged.line)
        clauses = tuple(narrator.tell(logged))
        yield Told(logged.seq, logged.kind, occurred(entry, logged), logged.received_at, _tone_of(logged), clauses)


def _tone_of(logged: LoggedEntry) -> Tone:
    """How loudly a line is shown: what moved or published something, above all a violation, before all else."""
    if any(change.violates for change in logged.changes):
        return "violation"
    if logged.changes or logged.environments or logged.kind in ("quarantined", "gap_opened", "erased", "pruned"):
        return "move"
    return "quiet"
