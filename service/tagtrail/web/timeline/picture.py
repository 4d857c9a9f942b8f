"""The timeline of a repository: the range, the lanes in it, and what the page says of what it left out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from markupsafe import Markup

from tagtrail.store.database import Connection
from tagtrail.store.questions.names import Repository
from tagtrail.store.questions.timeline import (
    Change,
    KnownTag,
    count_changes,
    find_activity,
    find_changes,
    find_first_time,
    find_newest_times,
    find_standing,
)
from tagtrail.web.parts import Parts
from tagtrail.web.timeline.axis import Tick, make_ticks
from tagtrail.web.timeline.drawing import Drawn, draw
from tagtrail.web.timeline.folding import Frame
from tagtrail.web.timeline.lanes import Folding, fold_tags, join, share
from tagtrail.web.timeline.pieces import Strand, make_pieces
from tagtrail.web.timeline.ranges import (
    WELL,
    Asked,
    RangeLink,
    choose_frame,
    link_moves,
    link_ranges,
)
from tagtrail.web.timeline.svg import render_lane
from tagtrail.web.timeline.telling import Strung, Telling
from tagtrail.web.visit import Visit

LANES: Final = 16  # on one page
MOST_MOVES: Final = 10_000  # that are read for one picture

LaneKind = Literal["moving", "release", "folded"]


@dataclass(frozen=True, slots=True)
class Lane:
    """A lane with its tag, or (`tag` None) with `folded` release tags; `is_whole` unless moves in it were not read."""

    tag: str | None
    kind: LaneKind
    environments: tuple[str, ...]
    folded: int
    is_whole: bool
    pieces: tuple[Drawn, ...]

    def picture(self, ticks: Sequence[Tick]) -> Markup:
        """The lane as it is drawn."""
        return render_lane(self.tag or "release tags that never moved", self.pieces, ticks)


@dataclass(frozen=True, slots=True)
class Timeline:
    """The picture. `parts` says which of the lanes are shown; that of release tags at rest comes with the first."""

    since: int
    until: int
    ticks: tuple[Tick, ...]
    lanes: tuple[Lane, ...]
    parts: Parts
    ranges: tuple[RangeLink, ...]
    ways: tuple[RangeLink, ...]


def make_timeline(visit: Visit, repository: Repository, tags: Sequence[KnownTag]) -> Timeline:
    """The timeline of these tags in the range, and with the part of the lanes, that the query asks for."""
    wanted = visit.filter("since", "until", "lanes", "tags")
    ids = [tag.id for tag in tags]
    newest = find_newest_times(visit.db, ids, most=WELL)
    asked = Asked(wanted.since, wanted.until, visit.now, find_first_time(visit.db, ids), newest)
    frame = choose_frame(asked)
    lanes, parts = _make_lanes(visit, repository, tags, frame)
    return Timeline(
        since=frame.since,
        until=frame.until,
        ticks=make_ticks(frame),
        lanes=lanes,
        parts=parts,
        ranges=link_ranges(frame, asked),
        ways=link_moves(frame, asked),
    )


def _make_lanes(
    visit: Visit, repository: Repository, tags: Sequence[KnownTag], frame: Frame
) -> tuple[tuple[Lane, ...], Parts]:
    ids = [tag.id for tag in tags]
    standing = find_standing(visit.db, ids, at=frame.since)
    environments = visit.rules.environments_in(repository.registry, repository.name)
    folding = fold_tags(
        tags,
        activity=find_activity(visit.db, ids, since=frame.since, until=frame.until),
        standing=standing,
        is_release=lambda tag: visit.rules.is_release(repository.name, tag),
        environment_tags=[rule.tag for rule in environments.values()],
    )
    parts = Parts.of(visit.parameters, "lanes", len(folding.own), size=LANES)
    shown = Folding(tuple(parts.cut(folding.own)), folding.folded if parts.before is None else ())
    meanings: dict[str, list[str]] = {}
    for name, rule in environments.items():
        meanings.setdefault(rule.tag, []).append(name)
    strung = _string(visit.db, shown, standing, frame)
    telling = Telling(visit.db, repository, strung, now=visit.now)
    lanes = (
        Lane(
            tag=lane.tag,
            kind=_kind(visit, repository, lane.tag),
            environments=tuple(meanings.get(lane.tag or "", ())),
            folded=len(lane.names),
            is_whole=lane.strand.is_whole,
            pieces=tuple(draw(piece, frame, telling.tell(lane, piece)) for piece in lane.pieces),
        )
        for lane in strung
    )
    return tuple(lanes), parts


def _kind(visit: Visit, repository: Repository, tag: str | None) -> LaneKind:
    if tag is None:
        return "folded"
    return "release" if visit.rules.is_release(repository.name, tag) else "moving"


def _string(db: Connection, shown: Folding, standing: Mapping[int, Change], frame: Frame) -> list[Strung]:
    """The lanes before they are drawn; for all of them together at most MOST_MOVES are read."""
    folded = _string_folded(db, shown.folded, standing, frame)
    left = MOST_MOVES - sum(len(lane.strand.changes) for lane in folded)
    ids = [tag.id for tag in shown.own]
    counts = count_changes(db, ids, since=frame.since, until=frame.until, most=MOST_MOVES)
    most = share(counts.values(), max(left, LANES))
    strung = []
    for tag in shown.own:
        changes = find_changes(db, tag.id, since=frame.since, until=frame.until, most=most) if counts[tag.id] else ()
        strand = Strand(changes, standing.get(tag.id), is_whole=counts[tag.id] <= most)
        strung.append(Strung(tag.name, strand, make_pieces(strand, frame), {}))
    return strung + folded


def _string_folded(
    db: Connection, folded: Sequence[KnownTag], standing: Mapping[int, Change], frame: Frame
) -> list[Strung]:
    """The one lane of release tags at rest: at each time, the tag that was created last."""
    if not folded:
        return []
    created = find_activity(db, [tag.id for tag in folded], since=frame.since, until=frame.until)
    changes = sorted((done.newest for done in created.values()), key=lambda change: change.occurred_at)
    stood = (standing[tag.id] for tag in folded if tag.id in standing and tag.id not in created)
    newest = max(stood, key=lambda change: change.occurred_at, default=None)
    strand = Strand(changes, newest, starts=join(changes))
    return [Strung(None, strand, make_pieces(strand, frame), {tag.id: tag.name for tag in folded})]
