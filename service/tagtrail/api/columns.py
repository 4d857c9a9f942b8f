"""The columns of each list as CSV. The first is `image`, since a spreadsheet turns the tag `1.10` into 1.1."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tagtrail.line import Who
from tagtrail.store.entries import LoggedEntry
from tagtrail.wording.spreadsheet import Cell

_NOBODY: Final = Who()


@dataclass(frozen=True, slots=True)
class Column:
    """A column and where its value stands in a document; null where anything on the way is null."""

    name: str
    path: tuple[str, ...]

    def read(self, document: Any) -> Cell:
        """The document's value."""
        value: Any = document
        for name in self.path:
            value = getattr(value, name, None)
        return value if isinstance(value, str | int | float | bool | None) else [str(part) for part in value]


def _columns(*names: str) -> tuple[Column, ...]:
    """Columns from names such as `digest`, or `image=published.reference` where it is called otherwise."""
    parts = (name.partition("=") for name in names)
    return tuple(Column(name, tuple((path or name).split("."))) for name, _, path in parts)


QUARANTINE: Final = _columns("seq", "at", "registry", "reason", "size", "sha256")
TRAFFIC: Final = _columns("day", "registry", "action", "events")
DELIVERIES: Final = _columns(
    "id", "channel", "subject", "state", "made_at", "due_at", "not_before", "attempts", "finished_at", "merged_into",
    "lines",
)  # fmt: skip
REGISTRIES: Final = _columns(
    "registry", "configured", "host", "aliases", "authentication", "instance", "first_seen", "last_seen", "starts"
)

ENTRY_NAMES: Final = (
    "image", "seq", "at", "occurred", "kind", "registry", "repository", "tag", "digest", "media_type", "size", "actor",
    "actor_assurance", "address", "user_agent", "changes", "violation", "environments", "environment", "change",
    "reason", "request", "event", "instance",
)  # fmt: skip


def read_entry(row: LoggedEntry) -> tuple[Cell, ...]:
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


def reader_of(columns: Sequence[Column]) -> Callable[[Any], list[Cell]]:
    """A function from a document to its cells."""
    return lambda document: [column.read(document) for column in columns]
