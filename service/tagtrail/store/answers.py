"""What is asked of the trail and what it answers: a filter and a place in a list, and a frozen row for each list.

Instants are nanoseconds since 1970 UTC. `seq` is the ledger line that an answer rests on, `host` the registry's
name as the client called it in that line, `actor` whoever that line discloses (None: nobody was named, or erased).
"""

from dataclasses import dataclass

from tagtrail.trail.deployments import Basis, Direction


@dataclass(frozen=True, slots=True)
class Naming:
    """A tag was the digest in question from `since` until `until` (None: still)."""

    registry: str
    repository: str
    tag: str
    is_release: bool
    since: int
    until: int | None
    seq: int
    host: str | None
    actor: str | None


@dataclass(frozen=True, slots=True)
class Publishing:
    """The digest in question was published for an environment from `since` until `until` (None: still)."""

    environment: str
    registry: str
    repository: str
    tag: str | None
    since: int
    until: int | None
    seq: int
    basis: Basis
    direction: Direction


@dataclass(frozen=True, slots=True)
class Held:
    """A repository that holds the digest; `pushed_seq` is the line of its first push, None if none was seen."""

    registry: str
    repository: str
    media_type: str | None
    size: int | None
    pushed_seq: int | None
    host: str | None


@dataclass(frozen=True, slots=True)
class Member:
    """A manifest of an index, with its platform where the registry told it."""

    digest: str
    platform: str | None


@dataclass(frozen=True, slots=True)
class Usage:
    """Every tag that named a digest and every environment it was published for; release tags first, newest first.

    `is_whole` is false where there are more than were asked for.
    """

    digest: str
    tags: tuple[Naming, ...]
    environments: tuple[Publishing, ...]
    is_whole: bool


@dataclass(frozen=True, slots=True)
class IndexUsage:
    """An index that lists the digest in question, as `platform`, and where the index itself was used."""

    platform: str | None
    usage: Usage


@dataclass(frozen=True, slots=True)
class DigestAnswer:
    """All that the trail knows of a digest; `platforms` if it is an index, `indexes` if it is part of some."""

    held: tuple[Held, ...]
    usage: Usage
    indexes: tuple[IndexUsage, ...]
    platforms: tuple[Member, ...]

    @property
    def digest(self) -> str:
        """The digest, whole."""
        return self.usage.digest


@dataclass(frozen=True, slots=True)
class Quarantined:
    """Something that could not be recorded as what it claims to be; `size` in bytes."""

    seq: int
    received_at: int
    registry: str
    reason: str
    size: int
    sha256: bytes | None


@dataclass(frozen=True, slots=True)
class Traffic:
    """Events of a registry's UTC day that are no evidence of change: `pull_manifest`, `head_blob`, `push_blob` ..."""

    registry: str
    day: str
    action: str
    events: int


@dataclass(frozen=True, slots=True)
class HeardRegistry:
    """A registry that was heard of: its last event by our clock, the running instance, and the starts we saw."""

    registry: str
    host: str
    instance: str
    first_seen_at: int
    last_seen_at: int
    starts: int
