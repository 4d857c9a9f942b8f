"""The output of a command: a table that fits the terminal, plain aligned lines in a pipe, or JSON."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from tagtrail.cli.table import GAP, FilledColumn, TableColumn, fill, fit, join, make_records
from tagtrail.cli.text import StyledText, plain, styled_parts, text_width
from tagtrail.store.fields import encode_json
from tagtrail.wording.text import visible

if TYPE_CHECKING:
    from rich.console import Console

T = TypeVar("T")

_ROWS_AT_ONCE: Final = 500  # rows whose widths decide how wide the columns are


class Output:
    """Standard output, and standard error for what is not part of the answer. Control characters are escaped."""

    def __init__(self) -> None:
        self.is_terminal = sys.stdout.isatty()

    def say(self, *parts: str | StyledText) -> None:
        """Print a sentence; a terminal gets it in lines that fit."""
        cell = [piece for part in parts for piece in styled_parts(part)]
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
            table = [fill(column, group) for column in chosen]
            show = _print_table if self.is_terminal else _print_lines
            show(table, with_titles=not count)
            count += len(group)
        return count


def _print_table(table: Sequence[FilledColumn], *, with_titles: bool) -> None:
    from rich.table import Table  # noqa: PLC0415 - only a terminal needs it
    from rich.text import Text  # noqa: PLC0415

    console = _console()
    fitted = fit(table, console.width)
    columns, widths = fitted or make_records(table, console.width)
    with_titles = with_titles and fitted is not None
    shown = Table(box=None, pad_edge=False, padding=(0, len(GAP), 0, 0), show_header=with_titles, header_style="bold")
    for column, width in zip(columns, widths, strict=True):
        shown.add_column(column.title, width=width, overflow="fold", justify="right" if column.right else "left")
    for row in zip(*(column.cells for column in columns), strict=True):
        shown.add_row(*(Text.assemble(*cell) for cell in row))
    console.print(shown)


def _print_lines(table: Sequence[FilledColumn], *, with_titles: bool) -> None:
    """Print plain aligned lines, `-` for an empty cell."""
    padded = []
    for column in table:
        texts = [column.title, *(join(cell) or "-" for cell in column.cells)]
        width = max(map(text_width, texts))
        padded.append([_pad(text, width, right=column.right) for text in texts])
    for line in list(zip(*padded, strict=True))[not with_titles :]:
        print(GAP.join(line).rstrip())


def _pad(text: str, width: int, *, right: bool) -> str:
    blank = " " * (width - text_width(text))
    return blank + text if right else text + blank


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
