"""Which tags get lanes of their own, in which order, and which are folded into the one lane of quiet release tags."""

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
    """The tags with lanes of their own, the most telling first, and those that are folded: release tags at rest."""

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
    """The tags that have anything to show in a range.

    First those that mean an environment, in the configuration's order, then release tags that were violated, then
    what moved, the latest first, and last what merely stood.
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
    """Whether all that a release tag did in the range was to be created, if that."""
    return done is None or (done.moves == 1 and not done.newest.violates and done.newest.kind == "created")


def share(counts: Iterable[int], total: int) -> int:
    """The most that each lane may read, so that all together read no more than the total.

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
    """Where the stretches of a lane of many tags begin: tags that name one digest one after another are one stretch."""
    return tuple(
        place
        for place, change in enumerate(changes)
        if not place or change.manifest_id != changes[place - 1].manifest_id
    )


# The lanes of a range, read from the store and cut into pieces: together they read at most MOST_MOVES.


MOST_MOVES: Final = 10_000


@dataclass(frozen=True, slots=True)
class RangeActivity:
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


def read_activity(db: Connection, tags: Sequence[TimelineTag], frame: Frame) -> RangeActivity:
    """What these tags did; a row or two is read of each."""
    ids = [tag.id for tag in tags]
    activity = find_activity(db, ids, since=frame.since, until=frame.until)
    return RangeActivity(frame, find_standing(db, ids, at=frame.since), activity)


def read_lanes(db: Connection, shown: Folding, activity_in_range: RangeActivity) -> list[Lane]:
    """The lanes of these tags; where there are more moves than may be read, the newest of each."""
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
    """The one lane of release tags at rest, if there are any: at each time, the tag that was created last."""
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
