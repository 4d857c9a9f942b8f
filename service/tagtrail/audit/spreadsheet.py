"""CSV for spreadsheets: a view of an answer, never the evidence.

RFC 4180, UTF-8 with a byte order mark, every field quoted. A spreadsheet takes a field that begins with one of
`= + - @`, tab or CR for a formula, and actor names come from outside: such a field gets an apostrophe before it.
"""

from collections.abc import Iterable
from typing import Final

MARK: Final = b"\xef\xbb\xbf"  # without it Excel reads UTF-8 as something else

Cell = str | int | float | bool | None | list[str]

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_row(cells: Iterable[Cell]) -> str:
    """One line, with its CR LF."""
    return ",".join([_write_cell(cell) for cell in cells]) + "\r\n"


def _write_cell(cell: Cell) -> str:
    if cell is None:
        return '""'
    if cell is True or cell is False:
        return '"true"' if cell else '"false"'
    text = " ".join(cell) if isinstance(cell, list) else str(cell)
    if text.startswith(_FORMULA):
        text = "'" + text
    return '"' + text.replace('"', '""') + '"' if '"' in text else '"' + text + '"'
