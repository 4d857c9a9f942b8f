"""Recording what a POST brought, so that nothing a body holds can make the registry send it again for ever."""

import logging
from collections.abc import Sequence

from tagtrail.errors import StorageUnavailable
from tagtrail.intake.envelope import quarantine
from tagtrail.intake.tokens import Sender
from tagtrail.ledger.line import disclosed_value
from tagtrail.ledger.record import Recorder
from tagtrail.ledger.submission import Conflict, Counted, Draft, Item, Outcome, Submission

_log = logging.getLogger(__name__)
_GROUP = 256  # items in one transaction, which nobody else can use meanwhile


def accept(recorder: Recorder, sender: Sender, items: Sequence[Item]) -> list[Outcome]:
    """Record the items, durably; an outcome for each draft among them.

    An event whose id is recorded with another content is quarantined. So is one that fails on a defect of ours: the
    registry must not be held up by it, and what it sent is kept. Raises StorageUnavailable when some were not stored:
    then the registry sends all of them again, and those that were are known.
    """
    outcomes: list[Outcome] = []
    for at in range(0, len(items), _GROUP):
        group = items[at : at + _GROUP]
        try:
            outcomes += _record(recorder, sender, group)
        except StorageUnavailable:
            raise
        except Exception:
            _log.exception("an envelope could not be recorded as a whole")
            outcomes += [outcome for item in group for outcome in _record_alone(recorder, sender, item)]
    return outcomes


def _record(recorder: Recorder, sender: Sender, items: Sequence[Item]) -> list[Outcome]:
    outcomes = recorder.record(Submission(tuple(items)))
    drafts = [item for item in items if isinstance(item, Draft)]
    conflicts = [
        _held_back(draft, sender, f"line {outcome.seq} recorded another event under the id of this one")
        for draft, outcome in zip(drafts, outcomes, strict=True)
        if isinstance(outcome, Conflict)
    ]
    return outcomes + recorder.record(Submission(tuple(conflicts))) if conflicts else outcomes


def _record_alone(recorder: Recorder, sender: Sender, item: Item) -> list[Outcome]:
    """Record an item without its neighbours; if it still fails, what can be kept of it is kept."""
    try:
        return _record(recorder, sender, [item])
    except StorageUnavailable:
        raise
    except Exception as error:
        _log.exception("an event could not be recorded and is quarantined")
        if isinstance(item, Counted):
            return []
        reason = f"tagtrail failed on this event ({type(error).__name__})"
        return recorder.record(Submission((_held_back(item, sender, reason),)))


def _held_back(draft: Draft, sender: Sender, reason: str) -> Draft:
    if draft.raw is None or draft.entry.kind == "quarantined":
        return draft
    return quarantine(disclosed_value(draft.raw), sender, reason=reason, instance=draft.entry.instance)
