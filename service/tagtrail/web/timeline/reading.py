"""The lanes of a range, read from the store and cut into pieces: together they read at most MOST_MOVES."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tagtrail.store.database import Connection
from tagtrail.store.questions.timeline import (
    Activity,
    Change,
    KnownTag,
    count_changes,
    find_activity,
    find_changes,
    find_standing,
)
from tagtrail.web.timeline.folding import Frame
from tagtrail.web.timeline.lanes import Folding, join, share
from tagtrail.web.timeline.pieces import Piece, Strand, make_pieces

MOST_MOVES: Final = 10_000


@dataclass(frozen=True, slots=True)
class Past:
    """What tags did within the frame, and what each was just before it, by their ids."""

    frame: Frame
    standing: Mapping[int, Change]
    activity: Mapping[int, Activity]


@dataclass(frozen=True, slots=True)
class Lane:
    """A lane as it is cut: of one tag, or (`tag` None) of several whose names are in `names`."""

    tag: str | None
    strand: Strand
    pieces: tuple[Piece, ...]
    names: Mapping[int, str]


def read_past(db: Connection, tags: Sequence[KnownTag], frame: Frame) -> Past:
    """What these tags did; a row or two is read of each."""
    ids = [tag.id for tag in tags]
    activity = find_activity(db, ids, since=frame.since, until=frame.until)
    return Past(frame, find_standing(db, ids, at=frame.since), activity)


def read_lanes(db: Connection, shown: Folding, past: Past) -> list[Lane]:
    """The lanes of these tags; where there are more moves than may be read, the newest of each."""
    frame = past.frame
    folded = _read_folded(shown.folded, past)
    left = MOST_MOVES - sum(len(lane.strand.changes) for lane in folded)
    moved = [tag.id for tag in shown.own if tag.id in past.activity]
    counts = count_changes(db, moved, since=frame.since, until=frame.until, most=MOST_MOVES)
    most = max(1, share(counts.values(), left))
    own = []
    for tag in shown.own:
        count = counts.get(tag.id, 0)
        changes = find_changes(db, tag.id, since=frame.since, until=frame.until, most=most) if count else ()
        strand = Strand(changes, past.standing.get(tag.id), is_whole=count <= most)
        own.append(Lane(tag.name, strand, make_pieces(strand, frame), {}))
    return own + folded


def _read_folded(folded: Sequence[KnownTag], past: Past) -> list[Lane]:
    """The one lane of release tags at rest, if there are any: at each time, the tag that was created last."""
    if not folded:
        return []
    created = [past.activity[tag.id].newest for tag in folded if tag.id in past.activity]
    changes = sorted(created, key=lambda change: change.occurred_at)
    stood = [past.standing[tag.id] for tag in folded if tag.id in past.standing and tag.id not in past.activity]
    newest = max(stood, key=lambda change: change.occurred_at, default=None)
    strand = Strand(changes, newest, starts=join(changes))
    return [Lane(None, strand, make_pieces(strand, past.frame), {tag.id: tag.name for tag in folded})]
