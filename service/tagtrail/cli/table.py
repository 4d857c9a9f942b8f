"""A table in the richest form that fits: wide, narrow, or its rows as running text; for a pipe, one line for a row."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

T = TypeVar("T")
Row_contra = TypeVar("Row_contra", contravariant=True)
Form = Literal["both", "wide", "narrow"]

GAP = "  "
_FOLDED = 24  # columns that a cell which may wrap is given at least


@dataclass(frozen=True, slots=True)
class Column(Generic[Row_contra]):
    """A column of a table.

    `form` says in which of a table's two forms it is there, `folds` that its cells may wrap. `clause` is the word
    before the cell where a row becomes running text; a cell that is a Text speaks for itself.
    """

    title: str
    cell: Callable[[Row_contra], str | Text]
    form: Form = "both"
    style: str = ""
    folds: bool = False
    right: bool = False
    clause: str = ""


def fit_table(columns: Sequence[Column[T]], rows: Sequence[T], *, width: int, with_titles: bool) -> Table | None:
    """The rows as a table that is at most `width` columns wide; None where no form fits."""
    for form in ("wide", "narrow"):
        chosen = _choose(columns, form)
        cells = [[_styled(column, row) for column in chosen] for row in rows]
        if _needed_width(chosen, cells) <= width:
            return _make_table(chosen, cells, with_titles=with_titles)
    return None


def make_clauses(columns: Sequence[Column[T]], row: T) -> list[Text]:
    """A row as the clauses of running text, empty cells left out."""
    return [_clause(column, row) for column in _choose(columns, "narrow") if column.cell(row)]


def make_lines(columns: Sequence[Column[T]], rows: Sequence[T], *, with_titles: bool) -> list[str]:
    """The rows in their wide form as lines of plain text, aligned and whole; `-` stands for an empty cell."""
    chosen = _choose(columns, "wide")
    lines = [[column.title for column in chosen]]
    lines += [[str(column.cell(row)) or "-" for column in chosen] for row in rows]
    widths = [max(cell_len(cell) for cell in cells) for cells in zip(*lines, strict=True)]
    return [GAP.join(map(_pad, chosen, line, widths)).rstrip() for line in lines[not with_titles :]]


def _choose(columns: Sequence[Column[T]], form: str) -> list[Column[T]]:
    return [column for column in columns if column.form in ("both", form)]


def _styled(column: Column[T], row: T) -> Text:
    cell = column.cell(row)
    return Text(cell, column.style) if isinstance(cell, str) else cell


def _clause(column: Column[T], row: T) -> Text:
    before = f"{column.clause} " if column.clause and isinstance(column.cell(row), str) else ""
    return Text.assemble(before, _styled(column, row))


def _needed_width(columns: Sequence[Column[T]], rows: Sequence[Sequence[Text]]) -> int:
    """How wide a table has to be if long cells wrap, where they may."""
    widest = [max(cell.cell_len for cell in cells) for cells in zip(*rows, strict=True)]
    needed = [min(width, _FOLDED) if column.folds else width for column, width in zip(columns, widest, strict=True)]
    widths: list[int] = [max(width, len(column.title)) for column, width in zip(columns, needed, strict=True)]
    return sum(widths) + len(GAP) * (len(widths) - 1)


def _make_table(columns: Sequence[Column[T]], rows: Sequence[Sequence[Text]], *, with_titles: bool) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, len(GAP), 0, 0), show_header=with_titles, header_style="bold")
    for column in columns:
        justify: Literal["left", "right"] = "right" if column.right else "left"
        table.add_column(column.title, no_wrap=not column.folds, overflow="fold", justify=justify)
    for row in rows:
        table.add_row(*row)
    return table


def _pad(column: Column[T], cell: str, width: int) -> str:
    blank = " " * (width - cell_len(cell))
    return blank + cell if column.right else cell + blank
