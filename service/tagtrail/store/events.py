"""A row in `entries` for each line, and the pushes and deletes that concern a tag."""

from collections.abc import Iterable
from typing import NamedTuple

from tagtrail.store.database import Connection
from tagtrail.trail.moves import Delete, Moment, Push


class EntryRow(NamedTuple):
    """The queryable columns of a line; ids from `Names`."""

    seq: int
    received_at: int
    kind: str
    registry_id: int | None = None
    repository_id: int | None = None
    tag_id: int | None = None
    manifest_id: int | None = None
    actor_id: int | None = None
    occurred_at: int | None = None
    event: bytes | None = None


def add_entries(tx: Connection, rows: Iterable[EntryRow]) -> None:
    """Write the rows of lines."""
    tx.executemany(
        "INSERT INTO entries (seq, received_at, kind, registry_id, repository_id, tag_id, manifest_id, actor_id,"
        " occurred_at, event) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        rows,
    )


def find_event(db: Connection, registry: str, event: bytes) -> int | None:
    """The seq of the projected line that recorded this event of the registry, by the event's key."""
    row = db.execute(
        "SELECT seq FROM entries WHERE event = ? AND registry_id = (SELECT id FROM registries WHERE name = ?)",
        (event, registry),
    ).fetchone()
    return int(row[0]) if row else None


def get_received_at(db: Connection, seq: int) -> int | None:
    """When the line was written, by our clock; None where there is none of that number, or none any more."""
    row = db.execute("SELECT received_at FROM entries WHERE seq = ?", (seq,)).fetchone()
    return int(row[0]) if row else None


def find_facts(db: Connection, *, repository_id: int, tag_id: int, since: Moment) -> list[Push[int] | Delete[int]]:
    """The tag's pushes and deletes, and those deletes of its repository that may concern it, from `since` on."""
    rows = db.execute(
        "SELECT occurred_at, event, seq, kind, manifest_id FROM entries"
        " WHERE tag_id = ? AND occurred_at >= ? AND kind IN ('push', 'delete')"
        " UNION ALL SELECT occurred_at, event, seq, kind, manifest_id FROM entries"
        " WHERE repository_id = ? AND kind = 'delete' AND tag_id IS NULL AND occurred_at >= ?",
        (tag_id, since.occurred_at, repository_id, since.occurred_at),
    )
    facts: list[Push[int] | Delete[int]] = [
        Push(Moment(at, event), seq, manifest) if kind == "push" else Delete(Moment(at, event), seq, manifest)
        for at, event, seq, kind, manifest in rows
    ]
    return [fact for fact in facts if fact.moment >= since]


def note_shared_delete(tx: Connection, repository_id: int, moment: Moment) -> None:
    """Remember the moment of a delete that may concern several of the repository's tags, if it is the latest."""
    tx.execute(
        "UPDATE repositories SET deleted_at = ?, deleted_by = ?"
        " WHERE id = ? AND (deleted_at IS NULL OR (deleted_at, deleted_by) < (?, ?))",
        (moment.occurred_at, moment.event, repository_id, moment.occurred_at, moment.event),
    )


def find_tags_concerned(db: Connection, repository_id: int, manifest_id: int | None) -> list[tuple[int, str]]:
    """Ids and names of the tags that ever pointed to the manifest, or (None) of all the repository's tags."""
    if manifest_id is None:
        return db.execute(
            "SELECT id, name FROM tags WHERE repository_id = ? ORDER BY name", (repository_id,)
        ).fetchall()
    return db.execute(
        "SELECT DISTINCT tags.id, tags.name FROM moves JOIN tags ON tags.id = moves.tag_id"
        " WHERE moves.manifest_id = ? ORDER BY tags.name",
        (manifest_id,),
    ).fetchall()


def add_member(tx: Connection, *, index_id: int, manifest_id: int, platform: str | None) -> None:
    """Connect a platform's manifest to the index that refers to it."""
    tx.execute(
        "INSERT INTO index_members (manifest_id, index_id, platform) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        (manifest_id, index_id, platform),
    )
