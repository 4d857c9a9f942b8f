"""Times as people write them, read at a known instant in a zone with daylight saving."""

from collections.abc import Iterator

import pytest

from tagtrail.cli.when import end_of_second, parse_when
from tagtrail.trail.instant import format_instant, parse_instant
from tests.command_line import local_time_of

NOW = parse_instant("2026-04-22T10:30:15.5Z")  # Wednesday, 12:30 in Berlin


@pytest.fixture(autouse=True)
def _berlin() -> Iterator[None]:
    with local_time_of("Europe/Berlin"):
        yield


@pytest.mark.parametrize(
    ("words", "instant"),
    [
        ("2026-04-20T14:03:12.123456789Z", "2026-04-20T12:03:12.123456789-02:00"),
        ("2026-04-20T14:03:12+02:00", "2026-04-20T12:03:12Z"),
        ("2026-04-20 14:03", "2026-04-20T12:03:00Z"),
        ("2026-04-20T14:03", "2026-04-20T12:03:00Z"),
        ("2026-01-20 14:03:12", "2026-01-20T13:03:12Z"),
        ("2026-04-20 14:03:12.25", "2026-04-20T12:03:12.25Z"),
        ("2026-04-20 14:03:12 +02:00", "2026-04-20T12:03:12Z"),
        ("2026-04-20 14:03 -0530", "2026-04-20T19:33:00Z"),
        ("2026-04-20 14:03 UTC", "2026-04-20T14:03:00Z"),
        ("2026-04-20", "2026-04-19T22:00:00Z"),
        ("2026-04-20 2:03 pm", "2026-04-20T12:03:00Z"),
        ("now", "2026-04-22T10:30:15.5Z"),
        ("today", "2026-04-21T22:00:00Z"),
        ("today 8:00", "2026-04-22T06:00:00Z"),
        ("Yesterday 14:03", "2026-04-21T12:03:00Z"),
        ("yesterday at 14:03:30", "2026-04-21T12:03:30Z"),
        ("14:03 yesterday", "2026-04-21T12:03:00Z"),
        ("yesterday noon", "2026-04-21T10:00:00Z"),
        ("yesterday 12am", "2026-04-20T22:00:00Z"),
        ("yesterday 14:03 UTC", "2026-04-21T14:03:00Z"),
        ("  last   Tuesday   at 14:03 ", "2026-04-21T12:03:00Z"),
        ("last wednesday 14:03", "2026-04-15T12:03:00Z"),
        ("on sunday", "2026-04-18T22:00:00Z"),
        ("wednesday 12:00", "2026-04-22T10:00:00Z"),
        ("wednesday 14:03", "2026-04-15T12:03:00Z"),
        ("12:00", "2026-04-22T10:00:00Z"),
        ("14:03", "2026-04-21T12:03:00Z"),
        ("9pm", "2026-04-21T19:00:00Z"),
        ("2h", "2026-04-22T08:30:15.5Z"),
        ("2h ago", "2026-04-22T08:30:15.5Z"),
        ("1h30m", "2026-04-22T09:00:15.5Z"),
        ("an hour ago", "2026-04-22T09:30:15.5Z"),
        ("90 seconds ago", "2026-04-22T10:28:45.5Z"),
        ("3 days ago", "2026-04-19T10:30:15.5Z"),
        ("a week ago", "2026-04-15T10:30:15.5Z"),
        ("2 weeks 1 day ago", "2026-04-07T10:30:15.5Z"),
        ("1 year 2 months ago", "2025-02-22T11:30:15.5Z"),
    ],
)
def test_a_time_in_words_is_a_local_time(words: str, instant: str) -> None:
    assert format_instant(parse_when(words, now=NOW)) == format_instant(parse_instant(instant))


def test_days_ago_keep_the_time_of_day_over_a_change_of_the_clocks() -> None:
    monday = parse_instant("2026-03-30T10:00:00Z")  # 12:00 summer time; the clocks changed the day before
    assert parse_when("2 days ago", now=monday) == parse_instant("2026-03-28T11:00:00Z")
    assert parse_when("48h ago", now=monday) == parse_instant("2026-03-28T10:00:00Z")


def test_months_ago_end_on_the_last_day_of_a_shorter_month() -> None:
    last_of_march = parse_instant("2026-03-31T10:00:00Z")
    assert parse_when("1 month ago", now=last_of_march) == parse_instant("2026-02-28T11:00:00Z")


def test_the_earlier_of_two_equal_local_times_is_meant() -> None:
    assert parse_when("2025-10-26 02:30", now=NOW) == parse_instant("2025-10-26T00:30:00Z")


@pytest.mark.parametrize(
    "words",
    [
        "", "soon", "at", "2026-02-30", "2026-13-01", "2026-04-20 25:00", "2026-04-20 14:60", "13pm", "0am",
        "last month", "tomorrow 14:03", "next tuesday", "yesterday tuesday", "14:03 15:03", "3 fortnights ago",
        "3 days ago 14:03", "1969-12-31 23:00 UTC", "2300-01-01", "999999 years ago", "3000 months ago", "14",
        "2026-04-20T14:03+99:99", "\x1b[31m", "2026-W17-1", "99999999999999 h",
    ],
)  # fmt: skip
def test_a_text_that_is_no_time_is_refused_with_examples(words: str) -> None:
    with pytest.raises(ValueError, match="is no time that tagtrail understands; write 2026-04-20T14:03:00Z"):
        parse_when(words, now=NOW)


def test_a_whole_second_means_its_end_and_a_part_of_one_itself() -> None:
    assert end_of_second(NOW) == NOW
    assert end_of_second(parse_instant("2026-04-22T10:30:15Z")) == parse_instant("2026-04-22T10:30:15.999999999Z")
