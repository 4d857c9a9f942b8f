"""Recording what a POST brought, so that nothing a body holds can make the registry send it again for ever."""

import logging
from collections.abc import Sequence

from tagtrail.errors import StorageUnavailable
from tagtrail.intake.envelope import quarantine
from tagtrail.intake.tokens import Sender
from tagtrail.ledger.line import disclosed_value
from tagtrail.ledger.record import Recorder
from tagtrail.ledger.submission import Conflict, Draft, Item, Outcome, Submission

_log = logging.getLogger(__name__)


def accept(recorder: Recorder, sender: Sender, items: Sequence[Item]) -> list[Outcome]:
    """Record the items, durably; an outcome for each draft among them.

    An event whose id is recorded with another content is quarantined. So are all drafts of a submission that fails
    on a defect of ours: the registry must not be held up by it, and what it sent is kept. Raises StorageUnavailable
    when nothing was stored.
    """
    drafts = [item for item in items if isinstance(item, Draft)]
    try:
        outcomes = recorder.record(Submission(tuple(items)))
    except StorageUnavailable:
        raise
    except Exception as error:
        _log.exception("an envelope could not be recorded and is quarantined")
        reason = f"tagtrail failed on this event ({type(error).__name__})"
        return recorder.record(Submission(tuple(_held_back(draft, sender, reason) for draft in drafts)))
    conflicts = [
        _held_back(draft, sender, f"line {outcome.seq} recorded another event under the id of this one")
        for draft, outcome in zip(drafts, outcomes, strict=True)
        if isinstance(outcome, Conflict)
    ]
    return outcomes + recorder.record(Submission(tuple(conflicts))) if conflicts else outcomes


def _held_back(draft: Draft, sender: Sender, reason: str) -> Draft:
    if draft.raw is None or draft.entry.kind == "quarantined":
        return draft
    return quarantine(disclosed_value(draft.raw), sender, reason=reason, instance=draft.entry.instance)
