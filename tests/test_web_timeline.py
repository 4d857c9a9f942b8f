"""The timeline's pure parts: what is folded, where it is drawn, which lanes there are, and which ranges."""

import random
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tagtrail.errors import BadParameter
from tagtrail.store.timeline import Activity, Change, TimelineTag
from tagtrail.trail.instant import DAY, SECOND, parse_instant
from tagtrail.web.timeline.axis import make_ticks
from tagtrail.web.timeline.lanes import fold_tags, join, share
from tagtrail.web.timeline.pieces import LEAST, Frame, Piece, Strand, make_pieces
from tagtrail.web.timeline.ranges import NAMED, RangeRequest, choose_frame, link_moves, link_ranges, query_around

NOW = parse_instant("2026-05-01T00:00:00Z")
FRAME = Frame(1_000, 2_000)


def change(
    at: int, manifest: int | None = 1, tag: int = 1, *, violates: bool = False, until: int | None = None
) -> Change:
    return Change(tag, at, until, "moved" if manifest else "deleted", manifest, at, violates)


some_changes = st.lists(
    st.builds(change, st.integers(1_000, 1_999), st.sampled_from([None, 1, 2, 3, 30]), violates=st.booleans()),
    max_size=60,
).map(lambda changes: sorted(changes, key=lambda each: each.occurred_at))
some_strands = st.builds(
    Strand, some_changes, st.sampled_from([None, change(5, 9), change(5, None)]), st.booleans()
).filter(lambda strand: bool(strand.changes) or strand.is_whole)


@settings(max_examples=400)
@given(some_strands, st.booleans())
def test_every_move_is_in_exactly_one_piece_and_no_piece_overlaps_another(strand: Strand, joins: bool) -> None:
    if joins:
        strand = replace(strand, starts=join(strand.changes))
    pieces = make_pieces(strand, FRAME)
    assert [at for each in pieces for at in range(each.first, each.first + each.count)] == list(
        range(len(strand.changes))
    )
    for before, after in pairwise(pieces):
        assert before.ended == after.began
    for piece in pieces:
        assert FRAME.since <= piece.began <= piece.ended - FRAME.least
        assert piece.ended <= FRAME.until
    assert sum(each.violations for each in pieces) == sum(each.violates for each in strand.changes)
    assert sum(each.deletions for each in pieces) == sum(each.manifest_id is None for each in strand.changes)


deleted_at_the_end = Strand([change(at, None) for at in (1_927, 1_940, 1_976, 1_977)], is_whole=False)


@settings(max_examples=200)
@given(some_strands)
@example(deleted_at_the_end)
def test_a_piece_is_drawn_where_its_moves_are(strand: Strand) -> None:
    """A piece may begin after its moves, or end before them, by the width of the narrowest piece and no more."""
    for piece in make_pieces(strand, FRAME):
        for begun in strand.changes[piece.first : piece.first + piece.count]:
            assert piece.began - FRAME.least <= begun.occurred_at <= piece.ended + FRAME.least


@given(some_strands)
def test_a_digest_has_one_colour_and_one_pattern_wherever_it_is_seen(strand: Strand) -> None:
    looks: dict[int, set[tuple[int, int]]] = {}
    for frame in (FRAME, Frame(1_200, 1_500)):
        within = [each for each in strand.changes if frame.since <= each.occurred_at < frame.until]
        for piece in make_pieces(Strand(within, strand.standing), frame):
            if piece.manifest_id is not None:
                looks.setdefault(piece.manifest_id, set()).add((piece.colour, piece.pattern))
    assert all(len(seen) == 1 for seen in looks.values())


def kinds(pieces: tuple[Piece, ...]) -> list[tuple[str, int]]:
    return [(piece.kind, piece.count) for piece in pieces]


def test_digests_that_follow_one_another_look_different() -> None:
    looks = [
        (piece.colour, piece.pattern)
        for piece in make_pieces(Strand([change(1_000 + n * 60, n) for n in range(1, 15)]), FRAME)
    ]
    assert len(set(looks)) == len(looks)


def test_what_is_wide_enough_is_a_segment_of_its_own_with_its_true_times() -> None:
    strand = Strand([change(1_200, 2, until=1_500), change(1_500, 3, until=2_500)], change(7, 1, until=1_200))
    assert [(each.kind, each.began, each.ended, each.since, each.until) for each in make_pieces(strand, FRAME)] == [
        ("digest", 1_000, 1_200, 7, 1_200),
        ("digest", 1_200, 1_500, 1_200, 1_500),
        ("digest", 1_500, 2_000, 1_500, 2_500),
    ]


def test_a_short_rollback_is_seen_and_what_follows_begins_a_little_later() -> None:
    pieces = make_pieces(Strand([change(1_100, 1), change(1_500, 2), change(1_501, 1)]), FRAME)
    assert [(each.kind, each.began, each.ended) for each in pieces] == [
        ("digest", 1_100, 1_500),
        ("digest", 1_500, 1_500 + 1_000 // LEAST),
        ("digest", 1_500 + 1_000 // LEAST, 2_000),
    ]


def test_a_burst_is_a_block_and_a_busy_lane_is_many_blocks() -> None:
    burst = make_pieces(Strand([change(1_100, 1), *(change(1_500 + n, n) for n in range(9))]), FRAME)
    assert kinds(burst) == [("digest", 1), ("many", 8), ("digest", 1)]
    busy = make_pieces(Strand([change(1_000 + n // 10, n) for n in range(10_000)]), FRAME)
    assert 15 <= len(busy) <= LEAST
    assert {piece.kind for piece in busy} == {"many"}


def test_a_move_at_the_very_end_is_drawn_within_the_picture() -> None:
    assert kinds(make_pieces(Strand([change(1_100, 1), change(1_999, 2)]), FRAME)) == [("digest", 1), ("digest", 1)]
    assert kinds(make_pieces(Strand([change(1_999, 2)]), FRAME)) == [("digest", 1)]


def test_between_a_deletion_and_what_follows_there_is_nothing() -> None:
    pieces = make_pieces(Strand([change(1_100, 1), change(1_300, None), change(1_600, 1)]), FRAME)
    assert [piece.kind for piece in pieces] == ["digest", "gone", "digest"]
    assert make_pieces(Strand([], change(5, None)), FRAME) == ()


def test_what_was_not_read_is_not_passed_off_as_what_stood_before() -> None:
    pieces = make_pieces(Strand([change(1_500, 1)], change(5, 9), is_whole=False), FRAME)
    assert [piece.kind for piece in pieces] == ["unread", "digest"]


def test_release_tags_of_one_digest_are_one_stretch_of_the_folded_lane() -> None:
    changes = [change(1_100, 1, 1), change(1_101, 1, 2), change(1_102, 1, 3), change(1_600, 2, 4)]
    pieces = make_pieces(Strand(changes, starts=join(changes)), FRAME)
    assert kinds(pieces) == [("digest", 3), ("digest", 1)]


def tag(number: int, name: str) -> TimelineTag:
    return TimelineTag(number, name, number, None, 1, number)


def did(number: int, at: int, moves: int = 2, *, kind: str = "moved", violates: bool = False) -> Activity:
    return Activity(Change(number, at, None, kind, number, number, violates), moves)  # type: ignore[arg-type]


def test_moving_tags_and_violated_releases_have_lanes_and_quiet_releases_share_one() -> None:
    names = ["1.0", "1.1", "1.2", "edge", "idle", "later", "prod", "unseen"]
    tags = [tag(number, name) for number, name in enumerate(names)]
    folding = fold_tags(
        tags,
        activity={
            0: did(0, 20, 1, kind="created"),
            1: did(1, 30, 1, violates=True),
            3: did(3, 40),
            5: did(5, 50),
            6: did(6, 10),
        },
        standing={2: change(1), 4: change(1), 7: change(1, None)},
        is_release=lambda name: name[0].isdigit(),
        environment_tags=["prod"],
    )
    assert [each.name for each in folding.own] == ["prod", "1.1", "later", "edge", "idle"]
    assert [each.name for each in folding.folded] == ["1.0", "1.2"]


@given(st.lists(st.integers(0, 500), max_size=30), st.integers(1, 2_000))
def test_what_is_read_is_shared_and_never_more_than_the_bound(counts: list[int], total: int) -> None:
    level = share(counts, total)
    assert sum(min(count, level) for count in counts) <= total
    if any(count > level for count in counts):
        assert sum(min(count, level + 1) for count in counts) > total


def asked(*ages: float, since: int | None = None, until: int | None = None) -> RangeRequest:
    times = [int(NOW - age * DAY) for age in ages]
    return RangeRequest(since, until, NOW, min(times, default=None), times)


@pytest.mark.parametrize(
    ("ages", "days"),
    [((), 1), ((0.1,) * 12, 1), ((0.1, 3), 7), ((0.1, 20), 30), ((0.1,) * 12 + (60,), 1), ((1, 80), 90), ((200,), 365)],
)
def test_without_a_range_the_shortest_is_shown_that_holds_the_newest_moves(ages: tuple[float, ...], days: int) -> None:
    frame = choose_frame(asked(*ages))
    assert frame.span == days * DAY
    assert NOW <= frame.until <= NOW + frame.span // 100


def test_without_a_range_everything_is_shown_where_the_newest_moves_are_older_than_a_year() -> None:
    assert choose_frame(asked(500, 700)).since < NOW - 700 * DAY


def test_the_picture_stays_the_same_for_a_while() -> None:
    for since in (None, NOW - 3 * DAY):
        nows = [replace(asked(0.5, since=since), now=NOW + seconds * SECOND) for seconds in range(1, 30, 7)]
        frames = {choose_frame(now) for now in nows}
        assert len(frames) == 1
        assert len({link_ranges(frames.copy().pop(), now) for now in nows}) == 1


def test_a_range_is_taken_as_asked_but_nothing_is_drawn_after_now() -> None:
    assert choose_frame(asked(since=NOW - DAY, until=NOW - 5)) == Frame(NOW - DAY, NOW - 5)
    assert choose_frame(asked(since=NOW - DAY, until=NOW + DAY)).until <= NOW + DAY // 100
    with pytest.raises(BadParameter, match="future"):
        choose_frame(asked(since=NOW + DAY))


def test_the_range_that_is_shown_is_marked_and_ways_that_lead_nowhere_are_left_out() -> None:
    everything = asked(0.1, 400)
    frame = choose_frame(replace(everything, since=NOW - 7 * DAY))
    assert [link.label for link in link_ranges(frame, everything) if link.is_current] == ["Week"]
    assert [link.label for link in link_ranges(frame, everything)] == [*(name for name, _ in NAMED), "Everything"]
    assert [way.label for way in link_moves(frame, everything)] == ["Earlier", "Zoom in", "Zoom out"]
    assert "Later" in [way.label for way in link_moves(Frame(NOW - 9 * DAY, NOW - 7 * DAY), everything)]
    assert "Earlier" not in [way.label for way in link_moves(frame, asked(0.1))]


def test_a_block_leads_to_a_range_around_it_unless_its_moves_are_too_near() -> None:
    assert query_around(NOW - 200 * SECOND, NOW - 100 * SECOND, NOW) == (
        "?since=2026-04-30T23:56:35Z&until=2026-04-30T23:58:25Z"
    )
    assert query_around(NOW - 5, NOW - 1, NOW) is None


@pytest.mark.parametrize(
    ("since", "until", "labels"),
    [
        ("2026-04-30T22:00:00Z", "2026-05-01T02:00:00Z", ["22:00", "23:00", "1 May", "01:00"]),
        ("2026-04-01T00:00:00Z", "2026-05-01T00:00:00Z", ["6 Apr", "13 Apr", "20 Apr", "27 Apr"]),
        ("2026-01-10T00:00:00Z", "2026-06-10T00:00:00Z", ["Feb 2026", "Mar 2026", "Apr 2026", "May 2026", "Jun 2026"]),
        ("2020-03-01T00:00:00Z", "2026-03-01T00:00:00Z", ["2021", "2022", "2023", "2024", "2025", "2026"]),
        ("2026-05-01T00:00:00Z", "2026-05-01T00:00:03Z", ["00:00:00", "00:00:01", "00:00:02"]),
    ],
)
def test_the_axis_has_round_times(since: str, until: str, labels: list[str]) -> None:
    assert [tick.label for tick in make_ticks(Frame(parse_instant(since), parse_instant(until)))] == labels


def test_the_axis_never_has_more_labels_than_a_narrow_screen_has_room_for() -> None:
    chance = random.Random(3)  # noqa: S311 - no secret
    for _ in range(300):
        since = chance.randrange(0, NOW)
        frame = Frame(since, since + int(10 ** chance.uniform(0, 18)) + 1)
        ticks = make_ticks(frame)
        assert len(ticks) <= 7
        assert all(0 <= tick.x <= 100 for tick in ticks)
