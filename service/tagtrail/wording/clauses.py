"""The parts of a sentence, each with its role, and the style of references and digests."""

from dataclasses import dataclass
from typing import Final, Literal

from tagtrail.trail.moves import MoveKind
from tagtrail.trail.names import Reference, short_digest
from tagtrail.trail.rules import Hosts
from tagtrail.wording.text import visible

Role = Literal[
    "text", "image", "tag", "digest", "line", "created", "moved", "moved_back", "deleted", "published", "violation",
    "quarantined", "tied", "actor", "assurance",
]  # fmt: skip
MOVE_WORDS: Final[dict[MoveKind, str]] = {
    "created": "created",
    "moved": "moved",
    "moved_back": "moved back",
    "deleted": "deleted",
}


@dataclass(frozen=True, slots=True)
class LinkTarget:
    """The image or digest that a part names, as far as the line tells; a page links to it."""

    registry: str
    repository: str
    tag: str | None = None
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A printable part of a sentence; `role` is its kind, `seq` the line that it refers to."""

    text: str
    role: Role = "text"
    named: LinkTarget | None = None
    seq: int | None = None


Clause = tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Style:
    """How references and digests are written: whole with their host for a pipe, shortened for a person's eyes."""

    hosts: Hosts
    has_several_registries: bool
    is_whole: bool = False

    def name(self, registry: str, host: str | None, repository: str, tag: str | None, digest: str | None) -> str:
        """An image: pinned and with its host when whole, else as short as it is clear."""
        if self.is_whole:
            return visible(self.hosts.reference(registry, host, repository, tag, digest))
        if tag is None and digest is not None:
            digest = short_digest(digest)
        shown = str(Reference(repository, tag, digest if tag is None else None))
        return visible(f"{registry}/{shown}" if self.has_several_registries else shown)

    def digest(self, digest: str) -> str:
        """A digest."""
        return visible(digest if self.is_whole else short_digest(digest))
