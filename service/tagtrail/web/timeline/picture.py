"""The timeline of a repository: its range, its lanes, and the links to other ranges."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from markupsafe import Markup

from tagtrail.store.names import Repository
from tagtrail.store.timeline import TimelineTag, find_first_time, find_newest_times
from tagtrail.web.context import PageContext
from tagtrail.web.paging import Portion
from tagtrail.web.timeline.axis import Tick, make_ticks
from tagtrail.web.timeline.drawing import Describer, DrawnPiece, draw
from tagtrail.web.timeline.lanes import Folding, Lane, fold_tags, read_activity, read_lanes
from tagtrail.web.timeline.pieces import Frame
from tagtrail.web.timeline.ranges import (
    WELL,
    RangeLink,
    RangeRequest,
    choose_frame,
    link_moves,
    link_ranges,
)
from tagtrail.web.timeline.svg import render_lane

LANES: Final = 16  # on one page

LaneKind = Literal["moving", "release", "folded"]


@dataclass(frozen=True, slots=True)
class DrawnLane:
    """A lane of one tag, or (`tag` None) of `folded` release tags; `is_whole` is false if some moves were not read."""

    tag: str | None
    kind: LaneKind
    environments: tuple[str, ...]
    folded: int
    is_whole: bool
    pieces: tuple[DrawnPiece, ...]

    def picture(self, ticks: Sequence[Tick]) -> Markup:
        """The lane as SVG."""
        return render_lane(self.tag or "release tags that did not move", self.pieces, ticks)


@dataclass(frozen=True, slots=True)
class Timeline:
    """The picture. `portion` says which lanes are shown; the lane of unmoved release tags is on the first portion."""

    since: int
    until: int
    ticks: tuple[Tick, ...]
    lanes: tuple[DrawnLane, ...]
    portion: Portion
    ranges: tuple[RangeLink, ...]
    ways: tuple[RangeLink, ...]


def make_timeline(context: PageContext, repository: Repository, tags: Sequence[TimelineTag]) -> Timeline:
    """The timeline of these tags, in the range and with the portion of lanes of the query."""
    wanted = context.filter("since", "until", "lanes", "tags")
    ids = [tag.id for tag in tags]
    newest = find_newest_times(context.db, ids, most=WELL)
    request = RangeRequest(wanted.since, wanted.until, context.now, find_first_time(context.db, ids), newest)
    frame = choose_frame(request)
    lanes, portion = _make_lanes(context, repository, tags, frame)
    return Timeline(
        since=frame.since,
        until=frame.until,
        ticks=make_ticks(frame),
        lanes=lanes,
        portion=portion,
        ranges=link_ranges(frame, request),
        ways=link_moves(frame, request),
    )


def _make_lanes(
    context: PageContext, repository: Repository, tags: Sequence[TimelineTag], frame: Frame
) -> tuple[tuple[DrawnLane, ...], Portion]:
    activity = read_activity(context.db, tags, frame)
    environments = context.rules.environments_in(repository.registry, repository.name)
    folding = fold_tags(
        tags,
        activity=activity.activity,
        standing=activity.standing,
        is_release=lambda tag: context.rules.is_release(repository.name, tag),
        environment_tags=[rule.tag for rule in environments.values()],
    )
    portion = Portion.of(context.parameters, "lanes", len(folding.own), size=LANES)
    shown = Folding(tuple(portion.cut(folding.own)), () if portion.before else folding.folded)
    lanes = read_lanes(context.db, shown, activity)
    describer = Describer(context.db, repository, lanes, now=context.now)
    return tuple(_draw_lane(context, repository, lane, describer, frame) for lane in lanes), portion


def _draw_lane(
    context: PageContext, repository: Repository, lane: Lane, describer: Describer, frame: Frame
) -> DrawnLane:
    means = context.rules.environments_of(repository.registry, repository.name, lane.tag or "")
    return DrawnLane(
        tag=lane.tag,
        kind=_kind(context, repository, lane.tag),
        environments=tuple(rule.name for rule in means),
        folded=len(lane.names),
        is_whole=lane.strand.is_whole,
        pieces=tuple(draw(piece, frame, describer.describe(lane, piece)) for piece in lane.pieces),
    )


def _kind(context: PageContext, repository: Repository, tag: str | None) -> LaneKind:
    if tag is None:
        return "folded"
    return "release" if context.rules.is_release(repository.name, tag) else "moving"
