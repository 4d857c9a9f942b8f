"""What never becomes a line: counted events, the registries we hear from, the quarantine's index, readiness."""

from dataclasses import dataclass

from tagtrail.store.database import Connection
from tagtrail.trail.instant import SECOND

_KEY = 16  # bytes of an event's key
_REMEMBERED = 64  # counted events that a contact remembers


@dataclass(frozen=True, slots=True)
class Contact:
    """One running registry as its events name it; `at` is when we heard of it, by our clock."""

    registry: str
    instance: str
    host: str
    at: int


def touch_contact(tx: Connection, contact: Contact) -> bool:
    """Remember, to the second, that we heard from the registry; true the first time after each of its starts."""
    row = tx.execute(
        "SELECT last_seen_at FROM contacts WHERE registry = ? AND instance = ?", (contact.registry, contact.instance)
    ).fetchone()
    if row is None:
        tx.execute(
            "INSERT INTO contacts (registry, instance, host, first_seen_at, last_seen_at, counted)"
            " VALUES (?, ?, ?, ?, ?, x'')",
            (contact.registry, contact.instance, contact.host, contact.at, contact.at),
        )
        return True
    if contact.at >= row[0] + SECOND:
        tx.execute(
            "UPDATE contacts SET last_seen_at = ? WHERE registry = ? AND instance = ?",
            (contact.at, contact.registry, contact.instance),
        )
    return False


def count_event(tx: Connection, *, registry: str, instance: str, event: bytes, day: str, action: str) -> bool:
    """Count an event once; false where the contact remembers it: a repeated delivery."""
    (counted,) = tx.execute(
        "SELECT counted FROM contacts WHERE registry = ? AND instance = ?", (registry, instance)
    ).fetchone()
    if event in {counted[at : at + _KEY] for at in range(0, len(counted), _KEY)}:
        return False
    tx.execute(
        "UPDATE contacts SET counted = ? WHERE registry = ? AND instance = ?",
        ((counted + event)[-_KEY * _REMEMBERED :], registry, instance),
    )
    tx.execute(
        "INSERT INTO traffic (registry, day, action, events) VALUES (?, ?, ?, 1)"
        " ON CONFLICT (registry, day, action) DO UPDATE SET events = events + 1",
        (registry, day, action),
    )
    return True


def find_quarantined(db: Connection, *, registry: str, content: bytes) -> int | None:
    """The seq of the line that quarantined this content (its SHA-256) for the registry."""
    row = db.execute("SELECT seq FROM quarantine WHERE content = ? AND registry = ?", (content, registry)).fetchone()
    return int(row[0]) if row else None


def add_quarantined(tx: Connection, *, seq: int, registry: str, reason: str, size: int, content: bytes) -> None:
    """Index a quarantined line by its content's SHA-256; `size` in bytes."""
    tx.execute(
        "INSERT INTO quarantine (seq, registry, reason, size, content) VALUES (?, ?, ?, ?, ?)",
        (seq, registry, reason, size, content),
    )


def note_readiness(tx: Connection, at: int) -> None:
    """Write something, to learn whether it can be written."""
    tx.execute(
        "INSERT INTO readiness (id, checked_at) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET checked_at = ?", (at, at)
    )
