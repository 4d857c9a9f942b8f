"""What is answered, as JSON shows it: one class for each kind of thing. The OpenAPI description is made of these.

Times are RFC 3339 in UTC, durations are in seconds. `seq` is the line of the ledger that a thing rests on.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from tagtrail.store.outbox import AttemptOutcome, DeliveryState
from tagtrail.trail.deployments import Basis, Direction
from tagtrail.trail.rules import Authentication

Time = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
Seconds = Annotated[float, Meta(ge=0)]
Seq = Annotated[int, Meta(ge=0)]
Count = Annotated[int, Meta(ge=0)]
Reference = Annotated[
    str, Meta(description="`host/repository:tag@digest`, as far as these are known. For display and for copying.")
]
ReleaseTags = Annotated[list[str], Meta(description="Release tags, by name.")]
Actor = Annotated[
    str | None,
    Meta(description="Whoever did it, by the name that the registry reported; null if nobody was named, or erased."),
]


class HeldDocument(msgspec.Struct, frozen=True):
    """A repository that holds a digest."""

    registry: str
    repository: str
    reference: Reference
    media_type: str | None
    size: int | None
    seq: Annotated[int | None, Meta(description="The line of its first push; null if none was seen.")]


class NamingDocument(msgspec.Struct, frozen=True):
    """A tag named the digest from then to then."""

    registry: str
    repository: str
    tag: str
    release: bool
    reference: Reference
    since: Time
    until: Time | None
    seconds: Seconds | None
    actor: Actor
    seq: Seq


class PublishingDocument(msgspec.Struct, frozen=True):
    """The digest was published for an environment from then to then."""

    environment: str
    registry: str
    repository: str
    tag: str | None
    basis: Basis
    direction: Direction
    since: Time
    until: Time | None
    seconds: Seconds | None
    seq: Seq


class IndexDocument(msgspec.Struct, frozen=True):
    """An index that lists the digest, and where the index was used."""

    digest: str
    platform: str | None
    tags: list[NamingDocument]
    environments: list[PublishingDocument]
    whole: bool


class MemberDocument(msgspec.Struct, frozen=True):
    """A manifest of an index."""

    digest: str
    platform: str | None


class DigestDocument(msgspec.Struct, frozen=True):
    """All that the trail knows of a digest."""

    digest: str
    held: list[HeldDocument]
    tags: Annotated[list[NamingDocument], Meta(description="Release tags first, the newest first.")]
    environments: Annotated[list[PublishingDocument], Meta(description="The newest first.")]
    indexes: Annotated[list[IndexDocument], Meta(description="Indexes that the digest is a platform of.")]
    platforms: Annotated[list[MemberDocument], Meta(description="The manifests of the digest, if it is an index.")]
    whole: Annotated[bool, Meta(description="False where there are more tags or environments than `limit`.")]


class QuarantinedDocument(msgspec.Struct, frozen=True):
    """Something received that could not be recorded as what it claims to be."""

    seq: Seq
    at: Time
    registry: str
    reason: str
    size: Annotated[Count, Meta(description="In bytes.")]
    sha256: Annotated[
        str | None,
        Meta(description="Of what was received; by it a guess at a name in it could be tried, so it takes `identity`."),
    ]


class TrafficDocument(msgspec.Struct, frozen=True):
    """Events of one UTC day that are no evidence of change."""

    registry: str
    day: Annotated[str, Meta(extra_json_schema={"format": "date"})]
    action: str
    events: Count


class RegistryDocument(msgspec.Struct, frozen=True):
    """A registry that is configured or was heard of."""

    registry: str
    configured: bool
    host: str | None
    aliases: list[str]
    authentication: Authentication | None
    instance: Annotated[str | None, Meta(description="The running registry, by the id it gave itself at its start.")]
    first_seen: Time | None
    last_seen: Annotated[Time | None, Meta(description="When its last event arrived, by this service's clock.")]
    starts: Annotated[Count, Meta(description="How many starts of it were seen.")]


class DeliveryDocument(msgspec.Struct, frozen=True):
    """A message to a channel."""

    id: Annotated[str, Meta(description="The same on every try; whoever receives it can tell a repeated one by it.")]
    channel: str
    subject: Annotated[
        str,
        Meta(
            description="Deliveries of one subject are sent in order: a repository, `service` for alerts, `*` for a summary."
        ),
    ]
    state: DeliveryState
    made_at: Time
    due_at: Annotated[Time, Meta(description="When it was first due; giving up is counted from then on.")]
    not_before: Annotated[Time | None, Meta(description="When it is tried next, at the earliest; null once finished.")]
    attempts: Annotated[Count, Meta(description="Tries so far, one that is under way among them.")]
    finished_at: Time | None
    merged_into: Annotated[str | None, Meta(description="The summary that tells of it instead.")]
    lines: Annotated[list[int], Meta(description="The ledger's lines that it tells of; at most 100 are shown.")]


class AttemptDocument(msgspec.Struct, frozen=True):
    """A try to send a message, and what came of it."""

    number: Annotated[int, Meta(ge=1)]
    at: Time
    outcome: AttemptOutcome
    status: Annotated[int | None, Meta(description="Of the answer, where there was one over HTTP.")]
    detail: Annotated[
        str | None, Meta(description="Why it was not sent, or what is wrong with a template; takes `identity`.")
    ]


class AttemptedDocument(msgspec.Struct, frozen=True):
    """A message to a channel, with every try to send it, the first first."""

    delivery: DeliveryDocument
    attempts: list[AttemptDocument]


class ProblemDocument(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why there is no answer (RFC 9457)."""

    title: str
    status: int
    detail: str
    type: Literal["about:blank"] = "about:blank"
    parameter: str | None = None
