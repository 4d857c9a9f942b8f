"""CSV for spreadsheets: a view of an answer, never the evidence.

RFC 4180, UTF-8 with a byte order mark, every field quoted. A spreadsheet takes a field that begins with one of
`= + - @`, tab or CR for a formula, and actor names come from outside: such a field gets an apostrophe before it.
"""

from collections.abc import Iterable, Sequence
from typing import Final

MARK: Final = b"\xef\xbb\xbf"  # without it Excel reads UTF-8 as something else

Cell = str | int | float | bool | None | list[str]

_FORMULA: Final = frozenset("=+-@\t\r")


def write_cells(cells: Iterable[Cell]) -> str:
    """One line of any values, with its CR LF."""
    return write_row([_show(cell) for cell in cells])


def write_row(texts: Sequence[str]) -> str:
    """One line of texts, with its CR LF."""
    joined = '","'.join(texts)
    if joined.count('"') != 2 * (len(texts) - 1) or not _FORMULA.isdisjoint([text[:1] for text in texts]):
        joined = '","'.join([_disarm(text).replace('"', '""') for text in texts])
    return f'"{joined}"\r\n'


def _disarm(text: str) -> str:
    return f"'{text}" if text[:1] in _FORMULA else text


def _show(cell: Cell) -> str:
    if isinstance(cell, str):
        return cell
    if cell is None:
        return ""
    if isinstance(cell, list):
        return " ".join(cell)
    return str(cell).lower()  # true and false as JSON has them
