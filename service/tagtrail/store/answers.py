"""The rows that lists return.

Instants are nanoseconds since 1970 UTC. `seq` is the ledger line that an answer is derived from, `host` the registry's
host as the client called it in that line, `actor` the person in that line's disclosure (None: no name, or erased).
"""

from dataclasses import dataclass

from tagtrail.trail.deployments import Basis, Direction


@dataclass(frozen=True, slots=True)
class Naming:
    """A tag pointed to the digest from `since` to `until` (None: still)."""

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
    """The digest was published for an environment from `since` to `until` (None: still)."""

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
    """Every tag that pointed to a digest and every environment it was published for; release tags first, newest first.

    `is_whole` is false if there are more than requested.
    """

    digest: str
    tags: tuple[Naming, ...]
    environments: tuple[Publishing, ...]
    is_whole: bool


@dataclass(frozen=True, slots=True)
class IndexUsage:
    """An index that lists the digest as `platform`, and the uses of the index."""

    platform: str | None
    usage: Usage


@dataclass(frozen=True, slots=True)
class DigestAnswer:
    """Everything that the trail knows about a digest; `platforms` if it is an index, `indexes` if indexes list it."""

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
    """A body or an event that could not be understood; `size` in bytes."""

    seq: int
    received_at: int
    registry: str
    reason: str
    size: int
    sha256: bytes | None


@dataclass(frozen=True, slots=True)
class Traffic:
    """A registry's counted events of one UTC day: `pull_manifest`, `head_blob`, `push_blob` ..."""

    registry: str
    day: str
    action: str
    events: int


@dataclass(frozen=True, slots=True)
class HeardRegistry:
    """A registry that sent events: its last event by our clock, the running instance, and the observed starts."""

    registry: str
    host: str
    instance: str
    first_seen_at: int
    last_seen_at: int
    starts: int
