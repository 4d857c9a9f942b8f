"""Where answers are written: tables that fit a terminal, whole lines for a pipe, JSON for machines.

On a terminal a table takes its wide form if that fits, else its narrow one, else its rows become running text.
Elsewhere every row is one line with nothing cut, and no colour.
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Generic, Literal, TypeVar

import msgspec
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tagtrail.cli.flow import flow

T = TypeVar("T")
Row_contra = TypeVar("Row_contra", contravariant=True)
Form = Literal["both", "wide", "narrow"]

_ROWS_AT_ONCE = 500  # whose widths decide how wide the columns are
_GAP = "  "
_FOLDED = 24  # columns that a cell which may wrap is given at least
_WIDE = 110  # columns from which on running text goes on below its second clause, which follows a time
_WIDE_INDENT = 28
_NARROW_INDENT = 4


@dataclass(frozen=True, slots=True)
class Column(Generic[Row_contra]):
    """A column of a table.

    `form` says in which of a table's two forms it is there, `folds` that its cells may wrap. `clause` is the word
    before the cell where the terminal is too narrow for a table, and a row becomes running text.
    """

    title: str
    cell: Callable[[Row_contra], str | Text]
    form: Form = "both"
    style: str = ""
    folds: bool = False
    clause: str = ""
    right: bool = False


class Screen:
    """Standard output, as wide as it is, and standard error for what is no part of an answer."""

    def __init__(self) -> None:
        self.is_terminal = sys.stdout.isatty()
        self._console = Console(
            file=sys.stdout, force_terminal=self.is_terminal, markup=False, highlight=False, emoji=False
        )

    @property
    def width(self) -> int:
        """Columns of the terminal."""
        return self._console.width

    def say(self, *parts: str | Text) -> None:
        """Print a line; on a terminal it wraps between words."""
        text = Text.assemble(*parts)
        if self.is_terminal:
            self._console.print(text, soft_wrap=False)
        else:
            print(text.plain)

    def whole(self, text: str) -> None:
        """Print a line as it is, to be copied: it is never wrapped by us."""
        if self.is_terminal:
            self._console.print(Text(text), soft_wrap=True)
        else:
            print(text)

    def head(self, *parts: str | Text) -> None:
        """Print a line only for people: a heading, or what else a pipe has no use for."""
        if self.is_terminal:
            self.say(*parts)

    def aside(self, text: str) -> None:
        """Tell the person something beside the answer, on standard error."""
        print(text, file=sys.stderr)

    def json(self, documents: Iterable[msgspec.Struct]) -> int:
        """Print each document as one line of JSON; returns how many there were."""
        count = 0
        for document in documents:
            print(msgspec.json.encode(document).decode())
            count += 1
        return count

    def table(self, columns: Sequence[Column[T]], rows: Iterable[T]) -> int:
        """Print the rows under the columns' titles, nothing at all without rows; returns how many there were."""
        count = 0
        for some in _in_groups(rows):
            if self.is_terminal:
                self._show_rows(columns, some, with_titles=not count)
            else:
                _print_lines([column for column in columns if column.form != "narrow"], some, with_titles=not count)
            count += len(some)
        return count

    def paragraphs(self, rows: Iterable[Sequence[Text]]) -> int:
        """Print the clauses of each row as a line, which on a terminal may go on below; returns how many rows."""
        count = 0
        indent = _WIDE_INDENT if self.width >= _WIDE else _NARROW_INDENT
        for count, clauses in enumerate(rows, 1):
            if self.is_terminal:
                self._flow(clauses, indent)
            else:
                print(*clauses, sep=_GAP)
        return count

    def _flow(self, clauses: Sequence[Text], indent: int) -> None:
        for line in flow(clauses, width=self.width, indent=indent):
            self._console.print(line, soft_wrap=True)

    def _show_rows(self, columns: Sequence[Column[T]], rows: Sequence[T], *, with_titles: bool) -> None:
        """Print rows in the richest form that fits the terminal."""
        for form in ("wide", "narrow"):
            chosen = [column for column in columns if column.form in ("both", form)]
            cells = [[_text(column, row) for column in chosen] for row in rows]
            if _width(chosen, cells) <= self.width:
                self._console.print(_make_table(chosen, cells, with_titles=with_titles))
                return
        for row in cells:
            self._flow(
                [_clause(column, cell) for column, cell in zip(chosen, row, strict=True) if cell], _NARROW_INDENT
            )


def _in_groups(rows: Iterable[T]) -> Iterator[list[T]]:
    iterator = iter(rows)
    while some := list(islice(iterator, _ROWS_AT_ONCE)):
        yield some


def _text(column: Column[T], row: T) -> Text:
    cell = column.cell(row)
    return Text(cell, column.style) if isinstance(cell, str) else cell


def _width(columns: Sequence[Column[T]], rows: Sequence[Sequence[Text]]) -> int:
    """The columns that a table needs if long cells wrap, where they may."""
    widest = [max((cell.cell_len for cell in cells), default=0) for cells in zip(*rows, strict=True)]
    needed = [min(width, _FOLDED) if column.folds else width for column, width in zip(columns, widest, strict=True)]
    return sum(max(width, len(column.title)) + len(_GAP) for column, width in zip(columns, needed, strict=True))


def _make_table(columns: Sequence[Column[T]], rows: Sequence[Sequence[Text]], *, with_titles: bool) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, len(_GAP), 0, 0), show_header=with_titles, header_style="bold")
    for column in columns:
        table.add_column(
            column.title, no_wrap=not column.folds, overflow="fold", justify="right" if column.right else "left"
        )
    for row in rows:
        table.add_row(*row)
    return table


def _clause(column: Column[T], cell: Text) -> Text:
    """A cell that stands in running text, after the word that introduces it."""
    return Text.assemble(f"{column.clause} " if column.clause else "", cell)


def _print_lines(columns: Sequence[Column[T]], rows: Sequence[T], *, with_titles: bool) -> None:
    lines = [[column.title for column in columns]] if with_titles else []
    lines += [[str(column.cell(row)) or "-" for column in columns] for row in rows]
    widths = [max(cell_len(cell) for cell in cells) for cells in zip(*lines, strict=True)]
    for line in lines:
        print(_GAP.join(map(_pad, columns, line, widths)).rstrip())


def _pad(column: Column[T], cell: str, width: int) -> str:
    blank = " " * (width - cell_len(cell))
    return blank + cell if column.right else cell + blank
