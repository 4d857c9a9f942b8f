"""Routes: what they want, where it goes, and when quiet hours let it through."""

from datetime import datetime, time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagtrail.config.model import NotificationKind, NotifyConfig, QuietHours, RouteConfig
from tagtrail.config.values import TimeOfDay
from tagtrail.notify.routes import Notification, Routes, end_of_quiet
from tagtrail.trail.instant import DAY, SECOND, parse_instant

HOUR = 3_600 * SECOND
NIGHT = QuietHours(TimeOfDay(22), TimeOfDay(7), "Europe/Berlin")


def happening(*kinds: NotificationKind, tag: str | None = "prod", environments: tuple[str, ...] = ()) -> Notification:
    return Notification(frozenset(kinds or ("moved",)), "main", "team/app", tag, environments)


def wants(route: RouteConfig, told: Notification) -> bool:
    return Routes(NotifyConfig(routes=(route,))).find_matching(told) == (0,)


@pytest.mark.parametrize(
    ("route", "is_wanted"),
    [
        (RouteConfig(("a",)), True),
        (RouteConfig(("a",), repository="team/**"), True),
        (RouteConfig(("a",), repository="team"), False),
        (RouteConfig(("a",), repository="*/app"), True),
        (RouteConfig(("a",), tag="pro?"), True),
        (RouteConfig(("a",), tag="v*"), False),
        (RouteConfig(("a",), registry="main"), True),
        (RouteConfig(("a",), registry="edge"), False),
        (RouteConfig(("a",), kinds=frozenset({"moved"})), True),
        (RouteConfig(("a",), kinds=frozenset({"deployed"})), True),
        (RouteConfig(("a",), kinds=frozenset({"violation", "deleted"})), False),
        (RouteConfig(("a",), environment="production"), True),
        (RouteConfig(("a",), environment="*uction"), True),
        (RouteConfig(("a",), environment="staging"), False),
    ],
)
def test_a_route_wants_what_fits_all_that_it_says(route: RouteConfig, is_wanted: bool) -> None:
    assert wants(route, happening("moved", "deployed", environments=("production", "live"))) == is_wanted


def test_a_route_with_an_environment_wants_only_what_was_published() -> None:
    assert not wants(RouteConfig(("a",), environment="*"), happening("moved"))


def test_a_violation_is_routed_though_the_route_lists_only_violations() -> None:
    assert wants(RouteConfig(("a",), kinds=frozenset({"violation"})), happening("moved", "violation"))


def test_what_was_declared_by_digest_alone_goes_where_any_tag_goes() -> None:
    told = happening("declared", tag=None, environments=("production",))
    assert wants(RouteConfig(("a",)), told)
    assert not wants(RouteConfig(("a",), tag="pro*"), told)


def test_an_alert_goes_to_routes_without_repository_tag_and_environment() -> None:
    alert = Notification(frozenset({"alert"}), registry="main")
    assert wants(RouteConfig(("a",)), alert)
    assert wants(RouteConfig(("a",), registry="main"), alert)
    for route in (
        RouteConfig(("a",), repository="team/**"),
        RouteConfig(("a",), tag="prod"),
        RouteConfig(("a",), environment="*"),
        RouteConfig(("a",), registry="edge"),
        RouteConfig(("a",), kinds=frozenset({"moved"})),
    ):
        assert not wants(route, alert)


def test_all_routes_count_or_only_the_first() -> None:
    routes = (RouteConfig(("a",), tag="v*"), RouteConfig(("b",)), RouteConfig(("c", "b"), tag="prod"))
    assert Routes(NotifyConfig(routes=routes)).find_matching(happening()) == (1, 2)
    assert Routes(NotifyConfig(routes=routes, match="first")).find_matching(happening()) == (1,)
    assert Routes(NotifyConfig(routes=routes[:1], match="first")).find_matching(happening()) == ()


def test_a_channel_of_several_routes_gets_one_message_at_the_earliest_time() -> None:
    routes = Routes(
        NotifyConfig(
            routes=(
                RouteConfig(("a", "b"), quiet=NIGHT),
                RouteConfig(("b",), kinds=frozenset({"violation"})),
                RouteConfig(("c",), repository="other"),
            )
        )
    )
    midnight, morning = parse_instant("2026-01-10T23:00:00Z"), parse_instant("2026-01-11T06:00:00Z")
    assert routes.find_channels([happening("moved")], at=midnight) == {"a": morning, "b": morning}
    assert routes.find_channels([happening("moved", "violation")], at=midnight) == {"a": morning, "b": midnight}
    assert routes.find_channels([happening(tag=f"v{n}") for n in range(40)], at=morning) == {"a": morning, "b": morning}
    assert routes.find_channels([], at=morning) == {}


@pytest.mark.parametrize(
    ("quiet", "at", "end"),
    [
        (NIGHT, "2026-01-10T20:59:59Z", None),
        (NIGHT, "2026-01-10T21:00:00Z", "2026-01-11T06:00:00Z"),
        (NIGHT, "2026-01-11T05:59:59Z", "2026-01-11T06:00:00Z"),
        (NIGHT, "2026-01-11T06:00:00Z", None),
        # The night before summer time (2026-03-29, 02:00 becomes 03:00) is an hour shorter, the other one longer.
        (NIGHT, "2026-03-28T21:00:00Z", "2026-03-29T05:00:00Z"),
        (NIGHT, "2026-03-29T04:59:59Z", "2026-03-29T05:00:00Z"),
        (NIGHT, "2026-03-29T05:00:00Z", None),
        (NIGHT, "2026-10-24T20:00:00Z", "2026-10-25T06:00:00Z"),
        (NIGHT, "2026-10-25T05:59:59Z", "2026-10-25T06:00:00Z"),
        # Within a day.
        (QuietHours(TimeOfDay(12), TimeOfDay(13, 30), "UTC"), "2026-01-10T12:00:00Z", "2026-01-10T13:30:00Z"),
        (QuietHours(TimeOfDay(12), TimeOfDay(13, 30), "UTC"), "2026-01-10T11:59:59Z", None),
        (QuietHours(TimeOfDay(12), TimeOfDay(13, 30), "UTC"), "2026-01-10T13:30:00Z", None),
        # A time that is left out (02:30) is counted as if the clocks had not been changed yet: 03:30.
        (QuietHours(TimeOfDay(22), TimeOfDay(2, 30), "Europe/Berlin"), "2026-03-29T00:59:59Z", "2026-03-29T01:30:00Z"),
        (QuietHours(TimeOfDay(22), TimeOfDay(2, 30), "Europe/Berlin"), "2026-03-29T01:29:59Z", "2026-03-29T01:30:00Z"),
        (QuietHours(TimeOfDay(2, 30), TimeOfDay(4), "Europe/Berlin"), "2026-03-29T01:29:59Z", None),
        (QuietHours(TimeOfDay(2, 30), TimeOfDay(4), "Europe/Berlin"), "2026-03-29T01:30:00Z", "2026-03-29T02:00:00Z"),
        # Of a time that comes twice (02:30) the first is meant, and the night does not begin once more.
        (QuietHours(TimeOfDay(22), TimeOfDay(2, 30), "Europe/Berlin"), "2026-10-25T00:29:59Z", "2026-10-25T00:30:00Z"),
        (QuietHours(TimeOfDay(22), TimeOfDay(2, 30), "Europe/Berlin"), "2026-10-25T01:15:00Z", None),
        # Far from Greenwich, where the local day is another one.
        (QuietHours(TimeOfDay(22), TimeOfDay(7), "Pacific/Auckland"), "2026-07-01T12:00:00Z", "2026-07-01T19:00:00Z"),
        (QuietHours(TimeOfDay(22), TimeOfDay(7), "Pacific/Honolulu"), "2026-07-01T09:00:00Z", "2026-07-01T17:00:00Z"),
    ],
)
def test_quiet_hours_end_at_the_right_instant(quiet: QuietHours, at: str, end: str | None) -> None:
    assert end_of_quiet(quiet, parse_instant(at)) == parse_instant(end or at)


TIMES = st.times(max_value=time(23, 59)).map(lambda value: TimeOfDay(value.hour, value.minute))


@given(
    begins=TIMES,
    ends=TIMES,
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]),
    at=st.integers(min_value=parse_instant("2025-01-01T00:00:00Z"), max_value=parse_instant("2027-01-01T00:00:00Z")),
)
def test_what_waits_for_the_end_of_quiet_hours_waits_no_longer_than_that(
    begins: time, ends: time, zone: str, at: int
) -> None:
    """The end is never more than a day and a change of the clocks away, and the zone's clock shows it."""
    if begins == ends:
        return
    quiet = QuietHours(TimeOfDay(begins.hour, begins.minute), TimeOfDay(ends.hour, ends.minute), zone)
    end = end_of_quiet(quiet, at)
    assert at <= end < at + DAY + 2 * HOUR
    if end > at:
        shown = datetime.fromtimestamp(end // SECOND, ZoneInfo(zone))
        meant = shown.replace(hour=ends.hour, minute=ends.minute, second=0, microsecond=0, fold=0)
        assert abs(shown.timestamp() - meant.timestamp()) <= 3_600
