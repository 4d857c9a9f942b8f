"""`/api/v1/status`: the state of the ledger, in numbers for a monitor."""

from typing import Annotated

import msgspec
from msgspec import Meta

from tagtrail.store.status import Status
from tagtrail.tlog.unsigned import UnsignedLag, describe_unsigned_lag
from tagtrail.trail.instant import SECOND

Age = Annotated[float | None, Meta(description="In seconds; null before the first.")]


class StatusDocument(msgspec.Struct, frozen=True):
    """The state of the ledger."""

    lines: Annotated[int, Meta(description="Lines of the ledger, including pruned ones.", ge=0)]
    quarantined: Annotated[int, Meta(description="Lines that could not be understood.", ge=0)]
    failed_authentications: Annotated[
        int, Meta(description="All failed authentications, at the API and at `/events`.", ge=0)
    ]
    checkpoint_lines: Annotated[int | None, Meta(description="Lines under the newest checkpoint; null before it.")]
    checkpoint_age_seconds: Age
    unsigned_lines: Annotated[int, Meta(description="Lines that no checkpoint covers yet.", ge=0)]
    unsigned_age_seconds: Annotated[
        float | None, Meta(description="Age of the first unsigned line; null if there is none.")
    ]
    signing_ok: Annotated[bool, Meta(description="False once a line has waited for several times `checkpoint_every`.")]
    signing_problem: Annotated[str | None, Meta(description="What is wrong, in a sentence.")]
    verified_lines: Annotated[int | None, Meta(description="Lines that were verified last; null before that.")]
    verified_age_seconds: Age
    verification_ok: Annotated[bool | None, Meta(description="Whether nothing was wrong; null before the first time.")]
    verification_problem: Annotated[str | None, Meta(description="What was wrong, in a sentence.")]


def describe_status(status: Status, lag: UnsignedLag, *, at: int, checkpoint_every: float) -> StatusDocument:
    """The status as it is shown `at` an instant; a checkpoint is due every so many seconds."""
    checkpoint, found = status.checkpoint, status.verification
    trouble = describe_unsigned_lag(lag, at=at, checkpoint_every=checkpoint_every)
    return StatusDocument(
        lines=status.lines,
        quarantined=status.quarantined,
        failed_authentications=status.failed_authentications,
        checkpoint_lines=checkpoint.size if checkpoint else None,
        checkpoint_age_seconds=_age(checkpoint.signed_at, at) if checkpoint else None,
        unsigned_lines=lag.lines,
        unsigned_age_seconds=_age(lag.since, at) if lag.since is not None else None,
        signing_ok=trouble is None,
        signing_problem=trouble,
        verified_lines=found.size if found else None,
        verified_age_seconds=_age(found.verified_at, at) if found else None,
        verification_ok=found.trouble is None if found else None,
        verification_problem=found.trouble if found else None,
    )


def _age(since: int, at: int) -> float:
    return max(0, at - since) / SECOND
