"""The range of time that is drawn: the range in the query, or the shortest that holds the newest moves."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from tagtrail.errors import BadParameter
from tagtrail.trail.instant import DAY, SECOND, format_instant
from tagtrail.web.timeline.pieces import Frame

NAMED: Final = (("Day", DAY), ("Week", 7 * DAY), ("30 days", 30 * DAY), ("90 days", 90 * DAY), ("Year", 365 * DAY))
WELL: Final = 12  # moves that a range must hold to be chosen instead of a longer one
SHORTEST: Final = 10 * SECOND

_STEPS: Final = 400  # a range until now ends at one of these steps, so that the page stays the same for a while


@dataclass(frozen=True, slots=True)
class RangeLink:
    """A link to another range; `is_current` for the shown one."""

    label: str
    query: str
    is_current: bool = False


@dataclass(frozen=True, slots=True)
class RangeRequest:
    """The range in the query, our time, and the times of the first and of the newest moves."""

    since: int | None
    until: int | None
    now: int
    first: int | None
    newest: Sequence[int]


def choose_frame(request: RangeRequest) -> Frame:
    """The range to draw, which ends now at the latest. Raises BadParameter for an empty range."""
    since, until, now = request.since, request.until, request.now
    if since is None:
        length = _choose_length(request)
        end = _end(now, length) if until is None else min(until, _end(now, length))
        if end == 0:
            raise BadParameter("until", "until is the beginning of 1970; there is nothing before it")
        return Frame(max(0, end - length), end)
    end = _end(now, max(1, now - since)) if until is None else until
    end = min(end, _end(now, max(1, end - since)))
    if since >= end:
        raise BadParameter("since", "since lies in the future")
    return Frame(since, end)


def _choose_length(request: RangeRequest) -> int:
    """The shortest of the named ranges that holds the newest moves, else everything."""
    held = request.newest[:WELL]
    for _, length in NAMED:
        if not held or held[-1] >= request.now - length:
            return length
    return _everything(request)


def _everything(request: RangeRequest) -> int:
    """The length of the range that holds all moves, with a small margin before them."""
    end = _end(request.now, DAY if request.first is None else max(DAY, request.now - request.first))
    length = DAY if request.first is None else max(DAY, end - request.first)
    return length + length // 50


def _end(now: int, length: int) -> int:
    """The end of a range until now. Its step is a power of two, so that it stays the same while the length grows."""
    step = 1 << max(0, (length // _STEPS).bit_length() - 1)
    return -(-now // step) * step


def link_ranges(frame: Frame, request: RangeRequest) -> tuple[RangeLink, ...]:
    """Links to the named ranges until now, and to everything."""
    links: list[RangeLink] = []
    for label, length in (*NAMED, ("Everything", _everything(request))):
        since = max(0, _end(request.now, length) - length)
        is_shown = frame.until >= request.now and abs(frame.span - length) <= length // 40
        is_first = not any(link.is_current for link in links)
        links.append(RangeLink(label, _query_of(since, None), is_shown and is_first))
    return tuple(links)


def link_moves(frame: Frame, request: RangeRequest) -> tuple[RangeLink, ...]:
    """Links that zoom in and out, and that go earlier and later."""
    quarter, half = frame.span // 4, frame.span // 2
    ways = [
        ("Earlier", frame.since - half, frame.until - half, request.first is not None and request.first < frame.since),
        ("Later", frame.since + half, frame.until + half, frame.until < request.now),
        ("Zoom in", frame.since + quarter, frame.until - quarter, frame.span > 2 * SHORTEST),
        (
            "Zoom out",
            frame.since - half,
            frame.until + half,
            frame.until < request.now or frame.span < _everything(request),
        ),
    ]
    return tuple(RangeLink(label, _query(request, since, until)) for label, since, until, leads in ways if leads)


def query_around(since: int, until: int, now: int) -> str | None:
    """The query of a range around these instants; None if they are too close for any range."""
    if until - since < SECOND // 10:
        return None
    margin = max((until - since) // 20, (SHORTEST - (until - since)) // 2)
    return _query_of(max(0, since - margin), until + margin if until + margin < now else None)


def _query(request: RangeRequest, since: int, until: int) -> str:
    return _query_of(max(0, since), until if until < request.now else None)


def _query_of(since: int, until: int | None) -> str:
    """The query for a range, to the second; without `until` it ends now."""
    times = {"since": format_instant(since // SECOND * SECOND, 0)}
    if until is not None:
        times["until"] = format_instant(-(-until // SECOND) * SECOND, 0)
    return f"?{urlencode(times, safe=':')}"
