"""Pieces as they are drawn: in percent of the width, with the labels that fit and the details of each piece."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from flask import url_for

from tagtrail.store.database import Connection
from tagtrail.store.names import Repository
from tagtrail.store.releases import Releases
from tagtrail.store.timeline import Change, find_actors, find_digests
from tagtrail.trail.moves import MoveKind
from tagtrail.trail.names import short_digest
from tagtrail.web.timeline.lanes import Lane
from tagtrail.web.timeline.pieces import Frame, Piece, PieceKind
from tagtrail.web.timeline.ranges import query_around
from tagtrail.web.values import in_utc
from tagtrail.wording.clauses import MOVE_WORDS
from tagtrail.wording.text import counted, visible


@dataclass(frozen=True, slots=True)
class Details:
    """The details of one piece; `leads_to` is the address of its link, `evidence` that of its line."""

    digest: str | None
    tags: tuple[str, ...]
    actor: str | None
    leads_to: str
    evidence: str | None


class Describer:
    """Finds the details of all pieces of one picture; looks up shared data once."""

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
        address = self._addresses[digest] if digest is not None else evidence or self._zoom_link(lane, piece)
        return Details(digest, self._tags(lane, piece), actor, address, evidence)

    def _tags(self, lane: Lane, piece: Piece) -> tuple[str, ...]:
        """The other release tags of the digest in that time; in a lane of several tags, the created ones."""
        if lane.tag is None:
            begun = lane.strand.changes[piece.first : piece.first + piece.count]
            stood = () if begun or piece.cause is None else (piece.cause,)
            return tuple(lane.names[change.tag_id] for change in (*begun, *stood))
        if piece.manifest_id is None:
            return ()
        named = self._releases.during(piece.manifest_id, piece.since, piece.until)
        return tuple(each.tag for each in named if each.tag != lane.tag)

    def _zoom_link(self, lane: Lane, piece: Piece) -> str:
        """The link of a folded piece: to a range that shows its moves, or else to the tag's moves."""
        last = piece.ended if piece.kind == "unread" else self._last(lane, piece)
        query = query_around(piece.since, last, self._now)
        if query is not None or lane.tag is None:
            return self._here + (query or "")
        return url_for("web.tag", **self._place, tag=lane.tag)

    def _last(self, lane: Lane, piece: Piece) -> int:
        """The time of the last move of a block."""
        return lane.strand.changes[piece.first + piece.count - 1].occurred_at


WIDTHS: Final = (
    16,
    26,
    40,
    56,
    80,
    120,
)  # of a lane, in rem; the style sheet has a rule for each
NEVER: Final = len(WIDTHS)

_LETTER, _PADDING, _MARK = 0.42, 0.9, 1.2  # rem
_LONGEST: Final = 24  # letters of a name


@dataclass(frozen=True, slots=True)
class Label:
    """A text on a piece, and the index of the first of WIDTHS in which it fits; NEVER if it fits in none."""

    text: str
    fits: int


@dataclass(frozen=True, slots=True)
class DrawnPiece:
    """A piece on the page, `x` and `width` in percent. `labels` are the long one and, if it differs, a short one.

    `tags` are the release tags of the digest in that time, or for a lane of many tags the created ones. `side` is where
    its details have room. `move` is None if the piece shows a digest from before the range; `leads_to` is the address
    of its link, `evidence` that of its line.
    """

    kind: PieceKind
    x: float
    width: float
    side: Literal["left", "middle", "right"]
    colour: int
    pattern: int
    labels: tuple[Label, ...]
    since: int
    until: int | None
    count: int
    violations: int
    deletions: int
    digest: str | None
    tags: tuple[str, ...]
    move: MoveKind | None
    seq: int | None
    actor: str | None
    leads_to: str
    evidence: str | None

    @property
    def what(self) -> str:
        """The content of the piece in a few words."""
        match self.kind:
            case "many":
                also = [(self.violations, "violation", "violations"), (self.deletions, "deletion", "deletions")]
                return ", ".join([counted(self.count, "move", "moves"), *(counted(*each) for each in also if each[0])])
            case "unread":
                return "older moves, which were not read"
            case "gone":
                return "deleted: a violation" if self.violations else "deleted"
        names = " ".join(visible(tag[:_LONGEST]) for tag in self.tags[:2])
        more = f" and {len(self.tags) - 2} more" if len(self.tags) > 2 else ""
        return f"{names}{more} {visible(short_digest(self.digest or ''))}".lstrip()

    @property
    def moved(self) -> str:
        """The move that began it, in words."""
        if self.move is not None:
            return MOVE_WORDS[self.move]
        return "stood before" if self.kind == "digest" else ""

    @property
    def since_text(self) -> str:
        """The beginning, in UTC."""
        return in_utc(self.since)

    @property
    def until_text(self) -> str:
        """The end, in UTC, or `now`."""
        return "now" if self.until is None else in_utc(self.until)


def draw(piece: Piece, frame: Frame, details: Details) -> DrawnPiece:
    """The piece as it is drawn."""
    x, end = frame.percent(piece.began), frame.percent(piece.ended)
    return DrawnPiece(
        kind=piece.kind,
        x=round(x, 3),
        width=round(end - x, 3),
        side="left" if x + end < 70 else "right" if x + end > 130 else "middle",
        colour=piece.colour,
        pattern=piece.pattern,
        labels=_label(piece, end - x, details),
        since=piece.since,
        until=piece.until,
        count=piece.count,
        violations=piece.violations,
        deletions=piece.deletions,
        digest=details.digest,
        tags=details.tags,
        move=piece.cause.kind if piece.cause and piece.count else None,
        seq=piece.cause.seq if piece.cause else None,
        actor=details.actor,
        leads_to=details.leads_to,
        evidence=details.evidence,
    )


def _label(piece: Piece, width: float, details: Details) -> tuple[Label, ...]:
    texts = _texts(piece, details.digest, details.tags)
    room = _MARK if piece.violations else 0.0
    labels = [Label(text, _fits(len(text) * _LETTER + _PADDING + room, width)) for text in texts]
    return tuple(label for label in labels if label.fits < NEVER)


def _texts(piece: Piece, digest: str | None, tags: tuple[str, ...]) -> list[str]:
    """The possible labels of a piece, the most informative first."""
    match piece.kind:
        case "many":
            return [counted(piece.count, "move", "moves"), str(piece.count)]
        case "unread":
            return ["not read", "..."]
        case "gone":
            return []
    back = "\N{LEFTWARDS ARROW WITH HOOK} " if _went_back(piece.cause) and piece.count else ""
    rest = f" +{len(tags) - 1}" if len(tags) > 1 else ""
    if tags:
        return [f"{back}{visible(tags[0][:_LONGEST])}{rest}", f"{back}{visible(tags[0][:_LONGEST])}"][: 1 + bool(rest)]
    short = short_digest(digest or "").partition(":")[2]
    return [f"{back}{visible(short)}", f"{back}{visible(short[:7])}"]


def _went_back(cause: Change | None) -> bool:
    return cause is not None and cause.kind == "moved_back"


def _fits(needed: float, width: float) -> int:
    """The index of the first of WIDTHS of which `width` percent are enough."""
    return next((number for number, whole in enumerate(WIDTHS) if whole * width / 100 >= needed), NEVER)
