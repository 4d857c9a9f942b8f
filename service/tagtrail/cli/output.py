"""Where a command writes its answer: a table that fits the terminal, plain aligned lines in a pipe, or JSON."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, TypeVar

import msgspec

from tagtrail.cli.text import Cell, Piece, pieces, plain, text_width
from tagtrail.wording.text import visible

if TYPE_CHECKING:
    from rich.console import Console

T = TypeVar("T")
Row_contra = TypeVar("Row_contra", contravariant=True)

_GAP: Final = "  "
_ROWS_AT_ONCE: Final = 500  # rows whose widths decide how wide the columns are


@dataclass(frozen=True, slots=True)
class TableColumn(Generic[Row_contra]):
    """A column of a table.

    `only` says that it is for one of the two forms: a terminal shows digests shortened, a pipe gets everything. On a
    terminal the column has at least `least` characters (0: its longest word). Where not all columns fit, one that is
    `narrow="below"` moves below the column before it, and if that is not enough, `narrow="omit"` is left out.
    """

    title: str
    cell: Callable[[Row_contra], Cell]
    only: Literal["terminal", "pipe"] | None = None
    style: str = ""
    right: bool = False
    least: int = 0
    narrow: Literal["keep", "below", "omit"] = "keep"


_Table = list[tuple[TableColumn[Any], str, list[list[Piece]]]]  # each column with its title and the rows' cells


class Output:
    """Standard output, and standard error for what is not part of the answer. Control characters are escaped."""

    def __init__(self) -> None:
        self.is_terminal = sys.stdout.isatty()

    def say(self, *parts: str | Piece) -> None:
        """Print a sentence; a terminal gets it in lines that fit."""
        cell = [piece for part in parts for piece in pieces(part)]
        if self.is_terminal:
            from rich.text import Text  # noqa: PLC0415 - only a terminal needs it

            _console().print(Text.assemble(*cell))
        else:
            print(plain(cell))

    def copyable(self, text: str) -> None:
        """Print a line to be copied: it is never broken."""
        print(visible(text))

    def heading(self, text: str) -> None:
        """Print a sentence on terminals only: a program has no use for a heading."""
        if self.is_terminal:
            self.say(text)

    def aside(self, text: str) -> None:
        """Print a remark to standard error."""
        print(visible(text), file=sys.stderr)

    def json(self, documents: Iterable[msgspec.Struct]) -> int:
        """Print each document as one line of JSON; return their number."""
        return sum(_print_json(document) for document in documents)

    def table(self, columns: Sequence[TableColumn[T]], rows: Iterable[T]) -> int:
        """Print the rows under the columns' titles, nothing without rows; return their number."""
        form = "terminal" if self.is_terminal else "pipe"
        chosen = [column for column in columns if column.only in (None, form)]
        count = 0
        for group in _in_groups(rows):
            table: _Table = [(each, each.title, [pieces(each.cell(row)) for row in group]) for each in chosen]
            show = _print_table if self.is_terminal else _print_lines
            show(table, with_titles=not count)
            count += len(group)
        return count


def fit_widths(needs: Sequence[tuple[int, int]], width: int) -> list[int] | None:
    """The widths of columns that need (at least, at most) so much, within `width`; None where they do not fit.

    Columns that lack the least get the room first, so that most of them need no second line.
    """
    widths = [least for least, _ in needs]
    room = width - sum(widths) - len(_GAP) * (len(needs) - 1)
    if room < 0:
        return None
    for at in sorted(range(len(needs)), key=lambda at: needs[at][1] - needs[at][0]):
        more = min(room, needs[at][1] - needs[at][0])
        widths[at] += more
        room -= more
    return widths


def _print_table(table: _Table, *, with_titles: bool) -> None:
    from rich.table import Table  # noqa: PLC0415 - only a terminal needs it
    from rich.text import Text  # noqa: PLC0415

    console = _console()
    table, widths = _fit(table, console.width)
    shown = Table(box=None, pad_edge=False, padding=(0, len(_GAP), 0, 0), show_header=with_titles, header_style="bold")
    for (column, title, _), width in zip(table, widths, strict=True):
        justify: Literal["left", "right"] = "right" if column.right else "left"
        shown.add_column(title, style=column.style, width=width, overflow="fold", justify=justify)
    for row in zip(*(cells for _, _, cells in table), strict=True):
        shown.add_row(*(Text.assemble(*cell) for cell in row))
    console.print(shown)


def _fit(table: _Table, width: int) -> tuple[_Table, Sequence[int | None]]:
    """The table with as many of its columns side by side as fit, and their widths; None where words have to break."""
    fitting = [table, stacked := _stack(table)]
    while omitted := [at for at, (column, _, _) in enumerate(stacked) if column.narrow == "omit"]:
        stacked = [each for at, each in enumerate(stacked) if at != omitted[-1]]
        fitting.append(stacked)
    for candidate in fitting:
        if widths := fit_widths([_need(*column) for column in candidate], width):
            return candidate, widths
    return stacked, [None] * len(stacked)


def _stack(table: _Table) -> _Table:
    """The table with the columns that are `narrow="below"` below the ones before them."""
    stacked: _Table = []
    for column, title, cells in table:
        if column.narrow == "below":
            above, its_title, its_cells = stacked.pop()
            joined = [[*upper, ("\n", ""), *lower] for upper, lower in zip(its_cells, cells, strict=True)]
            stacked.append((above, f"{its_title}\n{title}", joined))
        else:
            stacked.append((column, title, cells))
    return stacked


def _need(column: TableColumn[Any], title: str, cells: Sequence[Sequence[Piece]]) -> tuple[int, int]:
    """How wide a column is at least, when its cells break between words, and at most, when no line breaks."""
    lines = [line for text in (title, *map(_join, cells)) for line in text.split("\n")]
    words = title.split("\n") if column.least else [word for line in lines for word in line.split()]
    return max(column.least, *map(text_width, words)), max(map(text_width, lines))


def _print_lines(table: _Table, *, with_titles: bool) -> None:
    """Print plain aligned lines, `-` for an empty cell."""
    columns = [column for column, _, _ in table]
    texts = [[title, *(_join(cell) or "-" for cell in cells)] for _, title, cells in table]
    widths = [max(map(text_width, cells)) for cells in texts]
    for line in list(zip(*texts, strict=True))[not with_titles :]:
        print(_GAP.join(map(_pad, columns, line, widths)).rstrip())


def _join(cell: Iterable[Piece]) -> str:
    return "".join(text for text, _ in cell)


def _pad(column: TableColumn[Any], text: str, width: int) -> str:
    blank = " " * (width - text_width(text))
    return blank + text if column.right else text + blank


def _print_json(document: msgspec.Struct) -> int:
    """Print one document; return 1. Characters that JSON allows and a terminal would obey are escaped."""
    text = msgspec.json.encode(document).decode()
    if not text.isprintable():
        text = "".join(letter if letter.isprintable() else json.dumps(letter)[1:-1] for letter in text)
    print(text)
    return 1


def _in_groups(rows: Iterable[T]) -> Iterator[list[T]]:
    iterator = iter(rows)
    while group := list(islice(iterator, _ROWS_AT_ONCE)):
        yield group


def _console() -> "Console":
    from rich.console import Console  # noqa: PLC0415 - only a terminal needs it

    return Console(file=sys.stdout, force_terminal=True, markup=False, highlight=False, emoji=False)
