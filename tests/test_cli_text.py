"""How single values are written for people."""

import pytest

from tagtrail.cli.text import local_time, plain, text_width, weekday
from tagtrail.trail.instant import parse_instant
from tagtrail.wording.text import listed, size, span, visible
from tests.command_line import HOSTILE, HOSTILE_AS_SHOWN, local_time_of


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Zoë 雪 [not markup]", "Zoë 雪 [not markup]"),
        ("a\x1b[31mred\x1b[0m", "a\\x1b[31mred\\x1b[0m"),
        ("\x1b]8;;https://evil.example\x07link\x1b\\", "\\x1b]8;;https://evil.example\\x07link\\x1b\\"),
        ("one\r\ntwo\tthree\x00\x7f", "one\\x0d\\x0atwo\\x09three\\x00\\x7f"),
        ("\x9b31m", "\\x9b31m"),
        ("\u202egnp.exe\u2066\u200b\ufeff", "\\u202egnp.exe\\u2066\\u200b\\ufeff"),
        ("\u2028\u2029\u00a0", "\\u2028\\u2029\\xa0"),
        ("\U000e0041\ud800", "\\U000e0041\\ud800"),
        (HOSTILE, HOSTILE_AS_SHOWN),
    ],
)
def test_what_a_terminal_could_obey_is_shown_as_an_escape(text: str, shown: str) -> None:
    assert visible(text) == shown
    assert visible(text).isprintable()


def test_a_time_is_local_with_its_offset_at_that_time() -> None:
    with local_time_of("Europe/Berlin"):
        assert local_time(parse_instant("2026-04-20T12:03:12.999Z")) == "2026-04-20 14:03:12 +02:00"
        assert local_time(parse_instant("2026-01-20T12:03:12Z")) == "2026-01-20 13:03:12 +01:00"
        assert weekday(parse_instant("2026-04-20T22:30:00Z")) == "Tuesday"
    with local_time_of("America/St_Johns"):
        assert local_time(parse_instant("2026-01-20T12:03:12Z")) == "2026-01-20 08:33:12 -03:30"


def test_a_cell_of_styled_pieces_is_escaped_as_any_text() -> None:
    assert plain([("moved", "yellow"), (" by ", ""), (HOSTILE, "bold")]) == f"moved by {HOSTILE_AS_SHOWN}"
    assert plain(("\x1b[31m", "red")) == plain("\x1b[31m") == "\\x1b[31m"


@pytest.mark.parametrize(("text", "columns"), [("prod", 4), ("雪", 2), ("Zoe\u0308", 3), ("", 0)])
def test_the_width_of_a_text_is_counted_as_terminals_show_it(text: str, columns: int) -> None:
    assert text_width(text) == columns


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"), (0.9, "0 s"), (59, "59 s"), (60, "1 min"), (61, "1 min 1 s"), (3_600, "1 h"), (3_601, "1 h"),
        (7_260, "2 h 1 min"), (86_400, "1 day"), (86_460, "1 day"), (100_000, "1 day 3 h"), (864_000, "10 days"),
    ],
)  # fmt: skip
def test_a_duration_has_its_two_largest_units(seconds: float, words: str) -> None:
    assert span(seconds) == words


@pytest.mark.parametrize(("octets", "words"), [(0, "0 bytes"), (999, "999 bytes"), (1_500, "1.5 kB"), (9e9, "9.0 GB")])
def test_a_size_has_a_unit(octets: int, words: str) -> None:
    assert size(octets) == words


def test_names_beyond_the_third_are_counted() -> None:
    assert listed(["a", "b", "c"]) == "a, b, c"
    assert listed(["a", "b", "c\x1b", "d", "e"]) == "a, b, c\\x1b and 2 more"
    assert listed(["a", "b", "c", "d"], most=None) == "a, b, c, d"
    assert listed([]) == ""
