"""Lanes: which tags get a lane, their order, and the one lane of release tags that did not move."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tagtrail.store.database import Connection
from tagtrail.store.timeline import (
    Activity,
    Change,
    TimelineTag,
    count_changes,
    find_activity,
    find_changes,
    find_standing,
)
from tagtrail.web.timeline.pieces import Frame, Piece, Strand, make_pieces


@dataclass(frozen=True, slots=True)
class Folding:
    """The tags with lanes of their own, in order, and the folded ones: release tags that did not move."""

    own: tuple[TimelineTag, ...]
    folded: tuple[TimelineTag, ...]


def fold_tags(
    tags: Sequence[TimelineTag],
    *,
    activity: Mapping[int, Activity],
    standing: Mapping[int, Change],
    is_release: Callable[[str], bool],
    environment_tags: Sequence[str],
) -> Folding:
    """The tags with content in a range.

    Tags of environments come first, in the order of the configuration, then violated release tags, then other tags that
    moved, the latest first, and last tags that did not move.
    """
    own: list[TimelineTag] = []
    folded: list[TimelineTag] = []
    for tag in tags:
        done, stood = activity.get(tag.id), standing.get(tag.id)
        if done is None and (stood is None or stood.manifest_id is None):
            continue
        (folded if is_release(tag.name) and _is_quiet(done) else own).append(tag)
    places = {name: place for place, name in enumerate(environment_tags)}

    def key(tag: TimelineTag) -> tuple[int, int, int, str]:
        done = activity.get(tag.id)
        moved = done.newest.occurred_at if done else 0
        return places.get(tag.name, len(places)), 0 if is_release(tag.name) else 1, -moved, tag.name

    return Folding(tuple(sorted(own, key=key)), tuple(folded))


def _is_quiet(done: Activity | None) -> bool:
    """Whether a release tag did nothing in the range, or was only created."""
    return done is None or (done.moves == 1 and not done.newest.violates and done.newest.kind == "created")


def share(counts: Iterable[int], total: int) -> int:
    """The largest number of moves that each lane may read, so that all lanes read at most `total`.

    A lane that needs less leaves the rest to the others.
    """
    waiting = sorted(counts)
    left = total
    for place, count in enumerate(waiting):
        level = left // (len(waiting) - place)
        if count > level:
            return level
        left -= count
    return total


def join(changes: Sequence[Change]) -> tuple[int, ...]:
    """The starts of stretches in a lane of many tags: consecutive moves to one digest form one stretch."""
    return tuple(
        place
        for place, change in enumerate(changes)
        if not place or change.manifest_id != changes[place - 1].manifest_id
    )


MOST_MOVES: Final = 10_000  # that all lanes of a picture read together


@dataclass(frozen=True, slots=True)
class RangeActivity:
    """The moves of tags within the frame, and the digest of each just before it, by tag id."""

    frame: Frame
    standing: Mapping[int, Change]
    activity: Mapping[int, Activity]


@dataclass(frozen=True, slots=True)
class Lane:
    """A lane cut into pieces: of one tag, or (`tag` None) of several tags, named in `names`."""

    tag: str | None
    strand: Strand
    pieces: tuple[Piece, ...]
    names: Mapping[int, str]


def read_activity(db: Connection, tags: Sequence[TimelineTag], frame: Frame) -> RangeActivity:
    """The activity of these tags; reads one or two rows per tag."""
    ids = [tag.id for tag in tags]
    activity = find_activity(db, ids, since=frame.since, until=frame.until)
    return RangeActivity(frame, find_standing(db, ids, at=frame.since), activity)


def read_lanes(db: Connection, shown: Folding, activity_in_range: RangeActivity) -> list[Lane]:
    """The lanes of these tags; if there are too many moves, the newest moves of each."""
    frame = activity_in_range.frame
    folded = _read_folded(shown.folded, activity_in_range)
    left = MOST_MOVES - sum(len(lane.strand.changes) for lane in folded)
    moved = [tag.id for tag in shown.own if tag.id in activity_in_range.activity]
    counts = count_changes(db, moved, since=frame.since, until=frame.until, most=MOST_MOVES)
    most = max(1, share(counts.values(), left))
    own = []
    for tag in shown.own:
        count = counts.get(tag.id, 0)
        changes = find_changes(db, tag.id, since=frame.since, until=frame.until, most=most) if count else ()
        strand = Strand(changes, activity_in_range.standing.get(tag.id), is_whole=count <= most)
        own.append(Lane(tag.name, strand, make_pieces(strand, frame), {}))
    return own + folded


def _read_folded(folded: Sequence[TimelineTag], activity_in_range: RangeActivity) -> list[Lane]:
    """The lane of release tags that did not move, if any: at each time, the tag that was created last."""
    if not folded:
        return []
    created = [activity_in_range.activity[tag.id].newest for tag in folded if tag.id in activity_in_range.activity]
    changes = sorted(created, key=lambda change: change.occurred_at)
    stood = [
        activity_in_range.standing[tag.id]
        for tag in folded
        if tag.id in activity_in_range.standing and tag.id not in activity_in_range.activity
    ]
    newest = max(stood, key=lambda change: change.occurred_at, default=None)
    strand = Strand(changes, newest, starts=join(changes))
    return [Lane(None, strand, make_pieces(strand, activity_in_range.frame), {tag.id: tag.name for tag in folded})]
