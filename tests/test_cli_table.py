"""Tables and running text in the width that there is."""

from dataclasses import dataclass

import pytest
from rich.text import Text

from tagtrail.cli.flow import flow
from tagtrail.cli.table import Column, fit_table, make_clauses, make_lines


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    digest: str = "sha256:" + 64 * "a"
    actor: str = "alice"


COLUMNS: list[Column[Row]] = [
    Column("NAME", lambda row: row.name, style="bold"),
    Column("DIGEST", lambda row: row.digest, form="wide"),
    Column("DIGEST", lambda row: row.digest[:10], form="narrow"),
    Column("STATE", lambda row: Text("odd", "red"), clause="state"),
    Column("BY", lambda row: row.actor, folds=True, clause="by"),
]
WIDE, NARROW = 4 + 71 + 5 + 5 + 3 * 2, 4 + 10 + 5 + 5 + 3 * 2


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_a_table_takes_the_widest_form_that_fits(width: int) -> None:
    table = fit_table(COLUMNS, [Row("prod")], width=width, with_titles=True)
    assert table is not None
    assert [column.header for column in table.columns] == ["NAME", "DIGEST", "STATE", "BY"]
    assert [str(cell) for cell in table.columns[1].cells][-1] == Row("prod").digest[: {WIDE: 71, NARROW: 10}[width]]


def test_no_table_fits_a_terminal_that_is_too_narrow() -> None:
    assert fit_table(COLUMNS, [Row("prod")], width=NARROW - 1, with_titles=True) is None


def test_a_long_cell_that_may_wrap_does_not_turn_a_table_into_text() -> None:
    assert fit_table(COLUMNS, [Row("prod", actor=200 * "x")], width=NARROW + 24 - 5, with_titles=True) is not None


def test_a_row_becomes_clauses_without_its_empty_cells() -> None:
    assert [str(clause) for clause in make_clauses(COLUMNS, Row("prod", actor=""))] == ["prod", "sha256:aaa", "odd"]
    assert str(make_clauses(COLUMNS, Row("prod"))[-1]) == "by alice"


def test_lines_for_a_pipe_are_aligned_and_whole() -> None:
    lines = make_lines(COLUMNS, [Row("prod"), Row("雪", actor="")], with_titles=True)
    assert lines == [
        f"NAME  DIGEST{65 * ' '}  STATE  BY",
        f"prod  sha256:{64 * 'a'}  odd    alice",
        f"雪    sha256:{64 * 'a'}  odd    -",
    ]
    assert make_lines(COLUMNS, [Row("prod")], with_titles=False) == [f"prod  sha256:{64 * 'a'}  odd    alice"]


def flowed(*clauses: str, width: int = 30, indent: int = 4) -> list[str]:
    return [line.plain for line in flow([Text(clause) for clause in clauses], width=width, indent=indent)]


def test_clauses_that_fit_stay_on_a_line() -> None:
    assert flowed("team/app:prod", "moved", "by alice") == ["team/app:prod  moved  by alice"]


def test_a_short_clause_is_never_torn_apart() -> None:
    assert flowed("team/app:prod", "moved to it", "[line 42]") == ["team/app:prod  moved to it", "    [line 42]"]


def test_a_long_clause_breaks_between_words() -> None:
    assert flowed("one", "moved back to the release that was there before it") == [
        "one  moved back to the release",
        "    that was there before it",
    ]


def test_a_word_longer_than_a_line_is_broken_and_nothing_of_it_is_lost() -> None:
    lines = flowed("one", 100 * "x")
    assert all(len(line) <= 30 for line in lines)
    assert "".join(line.strip() for line in lines) == "one" + 100 * "x"


def test_wide_letters_count_twice() -> None:
    lines = flow([Text(50 * "雪")], width=30, indent=4)
    assert all(line.cell_len <= 30 for line in lines)
    assert sum(line.plain.count("雪") for line in lines) == 50
