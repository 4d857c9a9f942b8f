"""The lines that tell of exports: who took what out of the ledger, recorded before it is handed over."""

from dataclasses import dataclass, field

import msgspec

from tagtrail.ledger.line import Entry, commitment, disclosure
from tagtrail.ledger.project import Who
from tagtrail.ledger.record import Recorder
from tagtrail.ledger.submission import Draft, Recorded, Submission


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks for an export: `token` is the name of an API token, None where none was used; `who` may be erased."""

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
    """Record that an export was made, or with an `action` that it begins, or with a `reason` that it was broken off;
    the line's seq.

    `question` is JSON and goes into a disclosure: what is looked for may name a person. `sha256` is the hash of a
    bundle's SHA256SUMS, in hexadecimal. Raises StorageUnavailable.
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
