"""The timeline of a repository: the range, the lanes in it, and what the page says of what it left out."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from tagtrail.errors import BadParameter
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
    query_of,
)
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


@dataclass(frozen=True, slots=True)
class Timeline:
    """The picture. `lanes` are those from number `first` on, of `count` in all; `before` and `after` lead to others."""

    since: int
    until: int
    ticks: tuple[Tick, ...]
    lanes: tuple[Lane, ...]
    first: int
    count: int
    before: str | None
    after: str | None
    ranges: tuple[RangeLink, ...]
    ways: tuple[RangeLink, ...]


def make_timeline(visit: Visit, repository: Repository, tags: Sequence[KnownTag]) -> Timeline:
    """The timeline of these tags in the range, and with the part of the lanes, that the query asks for."""
    wanted, part = visit.filter("since", "until", "lanes"), _read_part(visit.parameters.get("lanes", "1"))
    ids = [tag.id for tag in tags]
    newest = find_newest_times(visit.db, ids, most=WELL)
    asked = Asked(wanted.since, wanted.until, visit.now, find_first_time(visit.db, ids), newest)
    frame = choose_frame(asked)
    lanes, first, count = _make_lanes(visit, repository, tags, frame, part)
    query = query_of(frame.since, frame.until if frame.until < visit.now else None)
    return Timeline(
        since=frame.since,
        until=frame.until,
        ticks=make_ticks(frame),
        lanes=lanes,
        first=first,
        count=count,
        before=f"{query}&lanes={part - 1}" if part > 1 else None,
        after=f"{query}&lanes={part + 1}" if first + LANES < count else None,
        ranges=link_ranges(frame, asked),
        ways=link_moves(frame, asked),
    )


def _read_part(text: str) -> int:
    if not re.fullmatch(r"[1-9]\d{0,2}", text, re.ASCII):
        raise BadParameter("lanes", f"lanes is {text[:20]!r}; write the number of a part, such as 2")
    return int(text)


def _make_lanes(
    visit: Visit, repository: Repository, tags: Sequence[KnownTag], frame: Frame, part: int
) -> tuple[tuple[Lane, ...], int, int]:
    """The lanes of the part, the number of its first, and how many there are; release tags at rest come last."""
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
    first = (part - 1) * LANES
    shown = Folding(folding.own[first : first + LANES], folding.folded if part == 1 else ())
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
    return tuple(lanes), first, len(folding.own)


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
