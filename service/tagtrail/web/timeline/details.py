"""The details of pieces: digests, the release tags that named them, who moved what, and where each piece leads."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import url_for

from tagtrail.store.database import Connection
from tagtrail.store.questions.names import Repository
from tagtrail.store.questions.releases import Releases
from tagtrail.store.questions.timeline import find_actors, find_digests
from tagtrail.web.timeline.pieces import Piece
from tagtrail.web.timeline.ranges import query_around
from tagtrail.web.timeline.reading import Lane


@dataclass(frozen=True, slots=True)
class Details:
    """What is told of one piece; `leads_to` is where it leads, `evidence` the page of its line."""

    digest: str | None
    tags: tuple[str, ...]
    actor: str | None
    leads_to: str
    evidence: str | None


class Describer:
    """Knows the details of all pieces of one picture; what they have in common is looked up once."""

    def __init__(self, db: Connection, repository: Repository, lanes: Sequence[Lane], *, now: int) -> None:
        causes = [piece.cause for lane in lanes for piece in lane.pieces if piece.cause is not None]
        manifests = {cause.manifest_id for cause in causes if cause.manifest_id is not None}
        self._now = now
        self._place: dict[str, Any] = {"registry": repository.registry, "repository": repository.name}
        self._digests = find_digests(db, manifests)
        self._actors = find_actors(db, (cause.seq for cause in causes))
        self._releases = Releases(db)
        self._releases.load(manifests)
        self._here = url_for("web.repository", **self._place)
        self._entries = url_for("web.entry", seq=0).removesuffix("0")
        self._addresses = {digest: url_for("web.digest", digest=digest) for digest in self._digests.values()}

    def describe(self, lane: Lane, piece: Piece) -> Details:
        """The details of a piece of the lane."""
        digest = self._digests.get(piece.manifest_id) if piece.manifest_id is not None else None
        actor = self._actors.get(piece.cause.seq) if piece.cause is not None else None
        evidence = f"{self._entries}{piece.cause.seq}" if piece.cause is not None else None
        address = self._addresses[digest] if digest is not None else evidence or self._way_in(lane, piece)
        return Details(digest, self._tags(lane, piece), actor, address, evidence)

    def _tags(self, lane: Lane, piece: Piece) -> tuple[str, ...]:
        """The other release tags that named the digest meanwhile; in a lane of several tags those that were created."""
        if lane.tag is None:
            begun = lane.strand.changes[piece.first : piece.first + piece.count]
            stood = () if begun or piece.cause is None else (piece.cause,)
            return tuple(lane.names[change.tag_id] for change in (*begun, *stood))
        if piece.manifest_id is None:
            return ()
        named = self._releases.during(piece.manifest_id, piece.since, piece.until)
        return tuple(each.tag for each in named if each.tag != lane.tag)

    def _way_in(self, lane: Lane, piece: Piece) -> str:
        """Of what is folded: to a range in which it can be seen, or else to the tag's moves."""
        last = piece.ended if piece.kind == "unread" else self._last(lane, piece)
        query = query_around(piece.since, last, self._now)
        if query is not None or lane.tag is None:
            return self._here + (query or "")
        return url_for("web.tag", **self._place, tag=lane.tag)

    def _last(self, lane: Lane, piece: Piece) -> int:
        """When the last move of a block was."""
        return lane.strand.changes[piece.first + piece.count - 1].occurred_at
