"""A table: its columns, and how they fit a terminal: side by side, one below the other, or a line for each cell."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, Literal, TypeVar

from tagtrail.cli.text import CellContent, StyledText, local_time, styled_parts, text_width

T = TypeVar("T")
Row_contra = TypeVar("Row_contra", contravariant=True)

GAP: Final = "  "
WHOLE: Final = 72  # letters: a whole digest, and most references
_TIME_WIDTH: Final = 15  # of a time on two lines: the day, and the time of day with its offset


@dataclass(frozen=True, slots=True)
class TableColumn(Generic[Row_contra]):
    """A column of a table.

    `only` says that it is for one of the two forms: a terminal shows digests shortened, a pipe gets everything.

    On a narrow terminal cells break between words, and within words of more than `unbroken` letters. A column of times
    has the width `broken` then. Where the columns still do not fit, those that are `narrow="below"` move below the
    column before them, and if that is not enough, one that is `narrow="omit"` is left out.
    """

    title: str
    cell: Callable[[Row_contra], CellContent]
    only: Literal["terminal", "pipe"] | None = None
    style: str = ""
    right: bool = False
    unbroken: int = 24
    broken: int = 0
    narrow: Literal["keep", "below", "omit"] = "keep"


def time_column(title: str, instant: Callable[[T], int | None], *, missing: str = "", **options: Any) -> TableColumn[T]:
    """A column of local times; `missing` stands where there is none."""
    return TableColumn(title, lambda row: local_time(instant(row), missing=missing), broken=_TIME_WIDTH, **options)


@dataclass(frozen=True, slots=True)
class ColumnNeed:
    """How many characters a column needs at least, and at most: where no line breaks.

    The widths between them are of no use to a column that is `rigid`.
    """

    least: int
    most: int
    rigid: bool = False


@dataclass(frozen=True, slots=True)
class FilledColumn:
    """A column with the cells of all rows."""

    title: str
    cells: list[list[StyledText]]
    need: ColumnNeed
    right: bool = False
    narrow: Literal["keep", "below", "omit"] = "keep"


def fill(column: TableColumn[T], rows: Sequence[T]) -> FilledColumn:
    """The column with the cells of these rows, control characters escaped."""
    cells = [[(text, style or column.style) for text, style in styled_parts(column.cell(row))] for row in rows]
    texts = list(map(join, cells))
    longest = max((text_width(word) for text in texts for word in text.split()), default=0)
    least = max(column.broken or min(longest, column.unbroken), text_width(column.title))
    most = max(map(text_width, (column.title, *texts)))
    need = ColumnNeed(min(least, most), most, rigid=bool(column.broken))
    return FilledColumn(column.title, cells, need, column.right, column.narrow)


def join(cell: Sequence[StyledText]) -> str:
    """The text of a cell."""
    return "".join(text for text, _ in cell)


def fit(table: Sequence[FilledColumn], width: int) -> tuple[Sequence[FilledColumn], list[int]] | None:
    """As many columns of the table as fit, and their widths; None where the terminal is too narrow for a table."""
    fitting = [table, stacked := _stack(table)]
    while omitted := [at for at, column in enumerate(stacked) if column.narrow == "omit"]:
        stacked = [column for at, column in enumerate(stacked) if at != omitted[-1]]
        fitting.append(stacked)
    for candidate in fitting:
        if widths := fit_widths([column.need for column in candidate], width):
            return candidate, widths
    return None


def fit_widths(needs: Sequence[ColumnNeed], width: int) -> list[int] | None:
    """The widths of columns within `width`; None where they do not fit.

    Columns that lack the least get the room first, so that most of them need no second line.
    """
    widths = [need.least for need in needs]
    room = width - sum(widths) - len(GAP) * (len(needs) - 1)
    if room < 0:
        return None
    for at in sorted(range(len(needs)), key=lambda at: needs[at].most - needs[at].least):
        lacking = needs[at].most - needs[at].least
        more = lacking if lacking <= room else 0 if needs[at].rigid else room
        widths[at] += more
        room -= more
    return widths


def _stack(table: Sequence[FilledColumn]) -> list[FilledColumn]:
    """The table with the columns that are `narrow="below"` below the ones before them."""
    stacked: list[FilledColumn] = []
    for column in table:
        stacked.append(_put_below(stacked.pop(), column) if column.narrow == "below" else column)
    return stacked


def _put_below(above: FilledColumn, below: FilledColumn) -> FilledColumn:
    cells = [
        [*upper, *([("\n", ""), *lower] if join(lower) else [])]
        for upper, lower in zip(above.cells, below.cells, strict=True)
    ]
    need = ColumnNeed(max(above.need.least, below.need.least), max(above.need.most, below.need.most))
    return FilledColumn(f"{above.title}\n{below.title}", cells, need, above.right, above.narrow)


def make_records(table: Sequence[FilledColumn], width: int) -> tuple[Sequence[FilledColumn], list[int]]:
    """The table as two columns, a line for each cell with its title before it, and an empty line after each row."""
    titles: list[list[StyledText]] = []
    values: list[list[StyledText]] = []
    for row in zip(*(column.cells for column in table), strict=True):
        filled = [(column.title, cell) for column, cell in zip(table, row, strict=True) if join(cell)]
        titles += [*([(title, "bold")] for title, _ in filled), []]
        values += [*(cell for _, cell in filled), []]
    widest = max(text_width(column.title) for column in table)
    need = ColumnNeed(1, width)
    columns = (FilledColumn("", titles, need), FilledColumn("", values, need))
    return columns, [widest, max(width - widest - len(GAP), 1)]
