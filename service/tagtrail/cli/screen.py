"""Where answers are written: for the eyes of a person at a terminal, whole and plain for a pipe, JSON for machines."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

import msgspec
from rich.console import Console
from rich.text import Text

from tagtrail.cli.flow import flow
from tagtrail.cli.table import GAP, Column, fit_table, make_clauses, make_lines
from tagtrail.cli.words import visible
from tagtrail.store.fields import encode_json

T = TypeVar("T")

_ROWS_AT_ONCE = 500  # whose widths decide how wide the columns are
_WIDE = 110  # columns from which on a sentence that follows a time goes on below itself
_WIDE_INDENT = 28
_NARROW_INDENT = 4


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
        """Print a sentence."""
        self._say([Text.assemble(*parts)], indent=0)

    def whole(self, text: str) -> None:
        """Print a line to be copied: it is never broken by us."""
        self._print(Text(text))

    def head(self, *parts: str | Text) -> None:
        """Print a sentence for people only: a pipe has no use for a heading."""
        if self.is_terminal:
            self.say(*parts)

    def aside(self, text: str) -> None:
        """Tell the person something beside the answer, on standard error."""
        print(visible(text), file=sys.stderr)

    def json(self, documents: Iterable[msgspec.Struct]) -> int:
        """Print each document as one line of JSON; returns how many there were."""
        return sum(_print_json(document) for document in documents)

    def table(self, columns: Sequence[Column[T]], rows: Iterable[T]) -> int:
        """Print the rows under the columns' titles, nothing at all without rows; returns how many there were."""
        count = 0
        for some in _in_groups(rows):
            self._show_rows(columns, some, with_titles=not count)
            count += len(some)
        return count

    def paragraphs(self, rows: Iterable[Sequence[Text]]) -> int:
        """Print the clauses of each row, the first of them a time, as a sentence; returns how many rows there were."""
        indent = _WIDE_INDENT if self.width >= _WIDE else _NARROW_INDENT
        return sum(self._say(clauses, indent=indent) for clauses in rows)

    def _show_rows(self, columns: Sequence[Column[T]], rows: Sequence[T], *, with_titles: bool) -> None:
        if not self.is_terminal:
            print(*make_lines(columns, rows, with_titles=with_titles), sep="\n")
        elif table := fit_table(columns, rows, width=self.width, with_titles=with_titles):
            self._console.print(table)
        else:
            for row in rows:
                self._say(make_clauses(columns, row), indent=_NARROW_INDENT)

    def _say(self, clauses: Sequence[Text], *, indent: int) -> int:
        """Print one sentence, in lines that fit a terminal; returns 1."""
        lines = flow(clauses, width=self.width, indent=indent) if self.is_terminal else [Text(GAP).join(clauses)]
        for line in lines:
            self._print(line)
        return 1

    def _print(self, line: Text) -> None:
        if self.is_terminal:
            self._console.print(line, soft_wrap=True)
        else:
            print(line.plain)


def _print_json(document: msgspec.Struct) -> int:
    """Print one document; returns 1. What JSON allows in its texts and a terminal would obey is escaped."""
    text = encode_json(document).decode()
    if not text.isprintable():
        text = "".join(letter if letter.isprintable() else json.dumps(letter)[1:-1] for letter in text)
    print(text)
    return 1


def _in_groups(rows: Iterable[T]) -> Iterator[list[T]]:
    iterator = iter(rows)
    while some := list(islice(iterator, _ROWS_AT_ONCE)):
        yield some
