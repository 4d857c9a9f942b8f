"""Deriving the whole trail anew from the lines: `tagtrail rebuild`, and the proof that nothing else is needed."""

from collections.abc import Callable

from tagtrail.ledger.project import Line, Projector
from tagtrail.ledger.rulebook import RuleBook
from tagtrail.line import read_line
from tagtrail.store.database import Store
from tagtrail.store.events import begin_generation
from tagtrail.store.lines import StoredLine, iterate_lines
from tagtrail.store.rebuilding import drop_projection
from tagtrail.trail.instant import parse_instant


def rebuild(store: Store, *, progress: Callable[[int], None] = lambda seq: None) -> int:
    """Drop what is derived and derive it from the first line to the last, in one transaction; the number of lines.

    Nothing can be recorded meanwhile, so the service has to be stopped. Raises StorageUnavailable, and then all is
    as before. `progress` is told the seq reached, now and then.
    """
    projector, lines = Projector(RuleBook()), 0
    with store.writing() as tx:
        drop_projection(tx)
        begin_generation(tx)
        for stored in iterate_lines(tx):
            projector.project(tx, _as_line(stored))
            lines += 1
            if lines % 10_000 == 0:
                progress(stored.seq)
    return lines


def _as_line(stored: StoredLine) -> Line:
    entry = read_line(stored.line)
    return Line(stored.seq, entry, parse_instant(entry.at), stored.who, stored.raw)
