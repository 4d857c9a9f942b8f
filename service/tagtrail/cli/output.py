"""Where a command writes its answer: a table that fits the terminal, plain aligned lines in a pipe, or JSON."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, TypeVar

import msgspec

from tagtrail.cli.text import Cell, Piece, local_time, pieces, plain, text_width
from tagtrail.store.fields import encode_json
from tagtrail.wording.text import visible

if TYPE_CHECKING:
    from rich.console import Console

T = TypeVar("T")
Row_contra = TypeVar("Row_contra", contravariant=True)

_TIME_WIDTH: Final = 15  # of a time on two lines: the day, and the time of day with its offset
_LONGEST_WORD: Final = 24  # letters of a word that is not broken where another column needs the room
_GAP: Final = "  "
_ROWS_AT_ONCE: Final = 500  # rows whose widths decide how wide the columns are


@dataclass(frozen=True, slots=True)
class TableColumn(Generic[Row_contra]):
    """A column of a table.

    `only` says that it is for one of the two forms: a terminal shows digests shortened, a pipe gets everything.

    On a narrow terminal cells break between words; longer words than 24 letters break too, unless they are `unbroken`.
    A column of times has the width `broken` then. Where the columns still do not fit, one that is `narrow="below"`
    moves below the column before it, and if that is not enough, one that is `narrow="omit"` is left out.
    """

    title: str
    cell: Callable[[Row_contra], Cell]
    only: Literal["terminal", "pipe"] | None = None
    style: str = ""
    right: bool = False
    unbroken: bool = False
    broken: int = 0
    narrow: Literal["keep", "below", "omit"] = "keep"


def time_column(title: str, instant: Callable[[T], int | None], *, missing: str = "", **options: Any) -> TableColumn[T]:
    """A column of local times; `missing` stands where there is none."""
    return TableColumn(title, lambda row: local_time(instant(row), missing=missing), broken=_TIME_WIDTH, **options)


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


@dataclass(frozen=True, slots=True)
class ColumnNeed:
    """How many characters a column needs at least, and at most: where no line breaks.

    The widths between them are of no use to a column that is `rigid`.
    """

    least: int
    most: int
    rigid: bool = False


def fit_widths(needs: Sequence[ColumnNeed], width: int) -> list[int] | None:
    """The widths of columns within `width`; None where they do not fit.

    Columns that lack the least get the room first, so that most of them need no second line.
    """
    widths = [need.least for need in needs]
    room = width - sum(widths) - len(_GAP) * (len(needs) - 1)
    if room < 0:
        return None
    for at in sorted(range(len(needs)), key=lambda at: needs[at].most - needs[at].least):
        lacking = needs[at].most - needs[at].least
        more = lacking if lacking <= room else 0 if needs[at].rigid else room
        widths[at] += more
        room -= more
    return widths


def _print_table(table: _Table, *, with_titles: bool) -> None:
    from rich.table import Table  # noqa: PLC0415 - only a terminal needs it
    from rich.text import Text  # noqa: PLC0415

    console = _console()
    fitted = _fit(table, console.width)
    table, widths = fitted or _records(table, console.width)
    with_titles = with_titles and fitted is not None
    shown = Table(box=None, pad_edge=False, padding=(0, len(_GAP), 0, 0), show_header=with_titles, header_style="bold")
    for (column, title, _), width in zip(table, widths, strict=True):
        justify: Literal["left", "right"] = "right" if column.right else "left"
        shown.add_column(title, style=column.style, width=width, overflow="fold", justify=justify)
    for row in zip(*(cells for _, _, cells in table), strict=True):
        shown.add_row(*(Text.assemble(*cell) for cell in row))
    console.print(shown)


def _fit(table: _Table, width: int) -> tuple[_Table, list[int]] | None:
    """The table with as many of its columns side by side as fit, and their widths; None for a very narrow terminal."""
    fitting = [table, stacked := _stack(table)]
    while omitted := [at for at, (column, _, _) in enumerate(stacked) if column.narrow == "omit"]:
        stacked = [each for at, each in enumerate(stacked) if at != omitted[-1]]
        fitting.append(stacked)
    for candidate in fitting:
        if widths := fit_widths([_need(*column) for column in candidate], width):
            return candidate, widths
    return None


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


def _records(table: _Table, width: int) -> tuple[_Table, list[int]]:
    """The table with a line for each cell, its title before it, and an empty line after each row."""
    titles: list[list[Piece]] = []
    values: list[list[Piece]] = []
    for row in zip(*(cells for _, _, cells in table), strict=True):
        filled = [(title, cell) for (_, title, _), cell in zip(table, row, strict=True) if _join(cell)]
        titles += [*([(title, "bold")] for title, _ in filled), []]
        values += [*(cell for _, cell in filled), []]
    widest = max(text_width(title) for _, title, _ in table)
    plain_column: TableColumn[Any] = TableColumn("", lambda _: "")
    return [(plain_column, "", titles), (plain_column, "", values)], [widest, max(width - widest - len(_GAP), 1)]


def _need(column: TableColumn[Any], title: str, cells: Sequence[Sequence[Piece]]) -> ColumnNeed:
    lines = [line for text in map(_join, cells) for line in text.split("\n")]
    titles = title.split("\n")
    most = max(map(text_width, titles + lines))
    longest = max(text_width(word) for line in lines for word in line.split() or [""])
    least = column.broken or (longest if column.unbroken else min(longest, _LONGEST_WORD))
    return ColumnNeed(min(most, max(least, *map(text_width, titles))), most, rigid=bool(column.broken))


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
    text = encode_json(document).decode()
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
