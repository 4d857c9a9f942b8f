"""Tables: plain aligned lines in a pipe, and on a terminal as many columns as fit."""

import os
import re
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO

import pytest

from tagtrail.cli.output import Output
from tagtrail.cli.table import ColumnNeed, TableColumn, fit_widths
from tests.command_line import patched_environment, terminal


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the tables in these tests."""

    name: str
    digest: str = "sha256:" + 64 * "a"
    actor: str = "alice"


COLUMNS: list[TableColumn[Row]] = [
    TableColumn("NAME", lambda row: row.name, style="bold"),
    TableColumn("DIGEST", lambda row: row.digest, only="pipe"),
    TableColumn("DIGEST", lambda row: row.digest[:10], only="terminal", narrow="below"),
    TableColumn("STATE", lambda row: ("odd", "red")),
    TableColumn("BY", lambda row: row.actor),
    TableColumn("NOTE", lambda row: "a note", narrow="omit"),
]


def at_pipe(*rows: Row) -> list[str]:
    with redirect_stdout(StringIO()) as printed:
        assert Output().table(COLUMNS, rows) == len(rows)
    return printed.getvalue().splitlines()


def at_terminal(*rows: Row, width: int) -> list[str]:
    variables = {"COLUMNS": str(width), "TERM": "xterm"}
    with (
        terminal(width) as (its, printed),
        os.fdopen(its, "w", encoding="utf-8", closefd=False) as screen,
        patched_environment(variables),
        redirect_stdout(screen),
    ):
        Output().table(COLUMNS, rows)
    return [re.sub(r"\x1b\[[0-9;]*m", "", line).rstrip() for line in "".join(printed).splitlines()]


def test_lines_for_a_pipe_are_aligned_and_whole() -> None:
    assert at_pipe(Row("prod"), Row("雪", actor="")) == [
        f"NAME  DIGEST{65 * ' '}  STATE  BY     NOTE",
        f"prod  sha256:{64 * 'a'}  odd    alice  a note",
        f"雪    sha256:{64 * 'a'}  odd    -      a note",
    ]


def test_no_rows_are_no_titles() -> None:
    assert at_pipe() == []


def test_the_titles_stand_once_above_very_many_rows() -> None:
    assert [line[:4] for line in at_pipe(*(Row(f"{number:04}") for number in range(1_200)))] == [
        "NAME",
        *(f"{number:04}" for number in range(1_200)),
    ]


def test_a_wide_terminal_shows_all_columns_side_by_side() -> None:
    assert at_terminal(Row("production"), width=60) == [
        "NAME        DIGEST      STATE  BY     NOTE",
        "production  sha256:aaa  odd    alice  a note",
    ]


def test_where_columns_do_not_fit_one_moves_below_the_one_before_it() -> None:
    assert at_terminal(Row("production"), width=32) == [
        "NAME",
        "DIGEST      STATE  BY     NOTE",
        "production  odd    alice  a note",
        "sha256:aaa",
    ]


def test_where_that_is_not_enough_a_column_is_left_out() -> None:
    assert at_terminal(Row("production"), width=24) == [
        "NAME",
        "DIGEST      STATE  BY",
        "production  odd    alice",
        "sha256:aaa",
    ]


def test_a_very_narrow_terminal_shows_a_line_for_each_cell() -> None:
    assert at_terminal(Row("production"), Row("prod", actor=""), width=20) == [
        "NAME    production",
        "DIGEST  sha256:aaa",
        "STATE   odd",
        "BY      alice",
        "NOTE    a note",
        "",
        "NAME    prod",
        "DIGEST  sha256:aaa",
        "STATE   odd",
        "NOTE    a note",
        "",
    ]


@pytest.mark.parametrize("width", [10, 20, 30, 40, 60])
def test_nothing_of_a_long_word_is_lost(width: int) -> None:
    lines = at_terminal(Row("prod", actor=100 * "x"), width=width)
    assert all(len(line) <= width for line in lines)
    assert "".join(lines).count("x") == 100


def test_a_long_word_takes_no_room_from_a_column_that_is_not_to_be_broken() -> None:
    assert "sha256:aaa" in at_terminal(Row("prod", actor=100 * "x"), width=60)[1]


@pytest.mark.parametrize(
    ("width", "widths"),
    [(100, [10, 20, 30]), (64, [10, 20, 30]), (63, [10, 20, 29]), (38, [10, 10, 10]), (34, [10, 10, 10]), (33, None)],
)
def test_the_column_that_lacks_least_gets_the_room_first(width: int, widths: list[int] | None) -> None:
    needs = [ColumnNeed(10, 10), ColumnNeed(10, 20, rigid=True), ColumnNeed(10, 30)]
    assert fit_widths(needs, width) == (widths if width != 38 else [10, 10, 14])
