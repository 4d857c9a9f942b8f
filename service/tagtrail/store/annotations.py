"""Annotations: tickets, commits, approvals, incidents and notes tied to lines."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from tagtrail.line import Assurance, read_line, read_note
from tagtrail.store.database import Connection
from tagtrail.store.events import EntryRow
from tagtrail.store.fields import ActorName, RecordedTime
from tagtrail.trail.instant import ServiceInstant

MOST_ANNOTATIONS: Final = 100  # shown per line, the newest ones


_ANNOTATED: Final = (
    "SELECT n.seq, n.annotates, e.received_at, l.line, a.name, d.raw FROM annotations n JOIN entries e ON e.seq = n.seq"
    " JOIN lines l ON l.seq = n.seq LEFT JOIN actors a ON a.id = e.actor_id LEFT JOIN disclosures d ON d.seq = n.seq"
)


class RecordedAnnotation(msgspec.Struct, frozen=True):
    """A ticket, a commit, an approval, an incident or a note that was tied to a line."""

    seq: Annotated[int, Meta(ge=0, description="The line of the annotation itself.")]
    annotates: Annotated[int, Meta(ge=0, description="The line that it is about.")]
    at: RecordedTime
    relation: str
    change: Annotated[str | None, Meta(description="Which ticket, commit or approval; null for a mere note.")]
    note: Annotated[str | None, Meta(description="Null if there is none, or erased.")]
    actor: ActorName
    actor_assurance: Assurance | None


class AnnotationList(msgspec.Struct, frozen=True):
    """The newest 100 annotations of a line, oldest first."""

    items: tuple[RecordedAnnotation, ...]


def add_annotation(
    tx: Connection, *, seq: int, annotates: int, relation: str, change: str | None, event: bytes | None
) -> None:
    """Write the annotation in the line `seq`; `event` is its key."""
    tx.execute(
        "INSERT INTO annotations (seq, annotates, relation, change, event) VALUES (?, ?, ?, ?, ?)",
        (seq, annotates, relation, change, event),
    )


def find_annotation(db: Connection, event: bytes) -> int | None:
    """The seq of the annotation with this key."""
    row = db.execute("SELECT seq FROM annotations WHERE event = ?", (event,)).fetchone()
    return int(row[0]) if row else None


def about(db: Connection, annotated: int, row: EntryRow) -> EntryRow:
    """The annotation's row with the registry, repository, tag and manifest of the line that it is about."""
    found = db.execute(
        "SELECT registry_id, repository_id, tag_id, manifest_id FROM entries WHERE seq = ?", (annotated,)
    ).fetchone()
    registry_id, repository_id, tag_id, manifest_id = found or (None, None, None, None)
    return EntryRow(
        row.seq, row.received_at, row.kind, registry_id, repository_id, tag_id, manifest_id, actor_id=row.actor_id
    )


def find_annotations(db: Connection, seqs: Sequence[int]) -> dict[int, list[RecordedAnnotation]]:
    """The annotations of each of the lines, oldest first, at most MOST_ANNOTATIONS of one line."""
    rows = db.execute(
        f"{_ANNOTATED} WHERE n.seq IN (SELECT seq FROM (SELECT seq,"
        " row_number() OVER (PARTITION BY annotates ORDER BY seq DESC) AS place"
        f" FROM annotations WHERE annotates IN ({', '.join('?' * len(seqs))})) WHERE place <= ?) ORDER BY n.seq",
        (*seqs, MOST_ANNOTATIONS),
    )
    found = defaultdict[int, list[RecordedAnnotation]](list)
    for row in rows:
        annotated = _read(row)
        found[annotated.annotates].append(annotated)
    return found


def get_annotation(db: Connection, seq: int) -> RecordedAnnotation | None:
    """The annotation that the line `seq` is."""
    row = db.execute(f"{_ANNOTATED} WHERE n.seq = ?", (seq,)).fetchone()
    return _read(row) if row else None


def _read(row: tuple[Any, ...]) -> RecordedAnnotation:
    seq, annotates, received_at, line, actor, raw = row
    entry = read_line(line)
    return RecordedAnnotation(
        seq=seq,
        annotates=annotates,
        at=ServiceInstant(received_at),
        relation=entry.relation or "",
        change=entry.change,
        note=read_note(raw),
        actor=actor,
        actor_assurance=entry.actor_assurance,
    )
