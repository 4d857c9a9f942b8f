"""Publications as rows: what each environment's tag, or a pipeline's word, published for it."""

from collections.abc import Iterable
from dataclasses import dataclass

from tagtrail.store.database import Connection
from tagtrail.trail.deployments import Basis, Deployment, Publication
from tagtrail.trail.moves import Moment

NO_TAG = 0  # the tag_id of a deployment that was declared by digest alone


@dataclass(frozen=True, slots=True)
class Place:
    """One environment's history in one repository."""

    environment: str
    repository_id: int


def get_newest_moment(db: Connection, place: Place) -> Moment | None:
    """The moment of the place's newest publication or withdrawal."""
    row = db.execute(
        "SELECT occurred_at, event FROM publications WHERE environment = ? AND repository_id = ?"
        " ORDER BY occurred_at DESC, event DESC LIMIT 1",
        (place.environment, place.repository_id),
    ).fetchone()
    return Moment(*row) if row else None


def get_newest_deployment(db: Connection, place: Place) -> Publication[int] | None:
    """The place's newest publication that is no withdrawal."""
    row = db.execute(
        "SELECT occurred_at, event, seq, manifest_id FROM publications WHERE environment = ? AND repository_id = ?"
        " AND manifest_id IS NOT NULL ORDER BY occurred_at DESC, event DESC LIMIT 1",
        (place.environment, place.repository_id),
    ).fetchone()
    return Publication(Moment(row[0], row[1]), row[2], row[3]) if row else None


def was_published(db: Connection, place: Place, manifest_id: int) -> bool:
    """Whether the manifest was ever published at the place."""
    row = db.execute(
        "SELECT 1 FROM publications WHERE manifest_id = ? AND environment = ? LIMIT 1",
        (manifest_id, place.environment),
    ).fetchone()
    return row is not None


def end_newest(tx: Connection, place: Place, until: int) -> None:
    """End the place's newest publication."""
    tx.execute(
        "UPDATE publications SET until = ? WHERE environment = ? AND repository_id = ? AND (occurred_at, event) ="
        " (SELECT occurred_at, event FROM publications WHERE environment = ? AND repository_id = ?"
        " ORDER BY occurred_at DESC, event DESC LIMIT 1)",
        (until, place.environment, place.repository_id, place.environment, place.repository_id),
    )


def add_publication(tx: Connection, place: Place, *, basis: Basis, tag_id: int, deployment: Deployment[int]) -> None:
    """Write a publication in its place in the history."""
    publication = deployment.publication
    tx.execute(
        "INSERT INTO publications (environment, repository_id, occurred_at, event, seq, basis, tag_id, manifest_id,"
        " direction, previous_seq, until) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            place.environment, place.repository_id, publication.moment.occurred_at, publication.moment.event,
            publication.seq, basis, tag_id, publication.digest, deployment.direction, deployment.previous,
            deployment.until,
        ),
    )  # fmt: skip


def remove_reported(tx: Connection, place: Place, *, tag_id: int, since: Moment) -> None:
    """Take away what the tag's moves from the moment on had published."""
    tx.execute(
        "DELETE FROM publications WHERE environment = ? AND repository_id = ? AND (occurred_at, event) >= (?, ?)"
        " AND tag_id = ? AND basis = 'reported'",
        (place.environment, place.repository_id, since.occurred_at, since.event, tag_id),
    )


def find_publications(db: Connection, place: Place) -> list[Publication[int]]:
    """All publications and withdrawals of the place, oldest first."""
    rows = db.execute(
        "SELECT occurred_at, event, seq, manifest_id FROM publications WHERE environment = ? AND repository_id = ?"
        " ORDER BY occurred_at, event, tag_id",
        (place.environment, place.repository_id),
    )
    return [Publication(Moment(at, event), seq, manifest) for at, event, seq, manifest in rows]


def rewrite_history(tx: Connection, place: Place, history: Iterable[Deployment[int]]) -> None:
    """Write anew what follows from a publication's place in the history."""
    tx.executemany(
        "UPDATE publications SET direction = ?, previous_seq = ?, until = ?"
        " WHERE environment = ? AND repository_id = ? AND occurred_at = ? AND event = ?",
        [
            (
                deployment.direction, deployment.previous, deployment.until, place.environment, place.repository_id,
                deployment.publication.moment.occurred_at, deployment.publication.moment.event,
            )
            for deployment in history
        ],
    )  # fmt: skip
