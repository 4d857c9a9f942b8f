"""Deriving the whole trail anew from the lines: `tagtrail rebuild`, and the proof that nothing else is needed."""

from collections.abc import Callable
from itertools import islice
from typing import Final

from tagtrail.ledger.batch import Projector
from tagtrail.ledger.project import as_line
from tagtrail.ledger.rulebook import RuleBook
from tagtrail.store.database import Store
from tagtrail.store.lines import begin_generation, get_end, iterate_lines
from tagtrail.store.rebuilding import drop_projection

_BATCH: Final = 1_000  # lines projected together


def rebuild(store: Store, *, progress: Callable[[int], None] = lambda seq: None) -> int:
    """Drop what is derived and derive it from the first line to the last, in one transaction; the number of lines.

    Nothing can be recorded meanwhile, so the service has to be stopped. No message is written: those of lines that were
    not projected before are lost. Raises StorageUnavailable, and then all is as before. `progress` is told the seq
    reached, now and then.
    """
    count = 0
    with store.writing() as tx:
        drop_projection(tx)
        begin_generation(tx)
        projector = Projector(RuleBook(), end=get_end(tx))
        lines = map(as_line, iterate_lines(tx))
        while batch := list(islice(lines, _BATCH)):
            projector.project(tx, batch)
            count += len(batch)
            if count % 10_000 == 0:
                progress(batch[-1].seq)
    return count
