"""The CSV columns of a list, derived from the struct of its rows.

A field is a column of its name. `image`, the reference, comes first, since a spreadsheet turns the tag `1.10` into 1.1;
its host has no column of its own. Of a struct within the struct only chosen fields are columns.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from tagtrail.line import Who
from tagtrail.store.entries import LoggedEntry
from tagtrail.trail.instant import Instant
from tagtrail.wording.spreadsheet import Cell

_IMAGE: Final = "image"
_LEFT_OUT: Final = frozenset({"reference", "host"})


@dataclass(frozen=True, slots=True)
class CsvColumn:
    """A column and the path of its value in a row; the cell is empty if a value on the path is null."""

    name: str
    path: str

    def read(self, row: Any) -> Cell:
        """The row's cell."""
        value = row
        for name in self.path.split("."):
            value = getattr(value, name, None)
        if isinstance(value, Instant):
            return value.text
        return [str(part) for part in value] if isinstance(value, tuple) else value


def derive_columns(
    struct: type[msgspec.Struct], nested: Mapping[str, Mapping[str, str]] | None = None
) -> tuple[CsvColumn, ...]:
    """The columns of a struct; `nested` names for a field the columns of the struct that it holds, and their fields."""
    nested = nested or {}
    has_image = "reference" in struct.__struct_fields__
    columns = [CsvColumn(_IMAGE, "reference")] if has_image else []
    for name in struct.__struct_fields__:
        if name in nested:
            columns += [CsvColumn(column, f"{name}.{field}") for column, field in nested[name].items()]
        elif not (has_image and name in _LEFT_OUT):
            columns.append(CsvColumn(name, name))
    return tuple(sorted(columns, key=lambda column: column.name != _IMAGE))


# A line has columns of its own: its facts are in fields of the line, of the person and of the tags that it moved.


_NOBODY: Final = Who()
ENTRY_COLUMNS: Final = (
    "image", "seq", "at", "occurred", "kind", "registry", "repository", "tag", "digest", "media_type", "size", "actor",
    "actor_assurance", "address", "user_agent", "changes", "violation", "environments", "environment", "change",
    "reason", "request", "event", "instance",
)  # fmt: skip


def read_entry_cells(row: LoggedEntry) -> tuple[Cell, ...]:
    """An entry's cells."""
    entry, who = row.entry, row.who or _NOBODY
    return (
        row.reference or "", str(row.seq), entry.at, entry.occurred or "", entry.kind,
        entry.registry or "", entry.repository or "", entry.tag or "", entry.digest or "", entry.media_type or "",
        str(entry.size or ""), who.actor, entry.actor_assurance or "", who.address, who.user_agent,
        " ".join([f"{change.tag}:{change.kind}" for change in row.changes]),
        "true" if any(change.violation for change in row.changes) else "false", " ".join(row.environments),
        entry.environment or "", entry.change or "", entry.reason or "", entry.request or "", entry.event or "",
        entry.instance or "",
    )  # fmt: skip
