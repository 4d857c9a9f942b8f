"""Publications as rows: what each environment's tag, or a pipeline's word, published for it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from tagtrail.line import read_line, read_note
from tagtrail.store.answers import DeploymentAnswer, Published
from tagtrail.store.database import Connection
from tagtrail.store.query import Key
from tagtrail.store.releases import Releases
from tagtrail.store.series import Row
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


# One deployment as it is shown: with the one before it, and with the release tags of both.


KEY: Final = ("p.occurred_at", "p.event", "p.environment", "p.repository_id", "p.tag_id")
BY_KEY: Final = " AND ".join(f"{column} = ?" for column in KEY)

_BY_LINE = "p.seq = ? AND p.environment = ? AND p.repository_id = ? AND p.manifest_id IS NOT NULL LIMIT 1"
_DEPLOYMENT = (
    "SELECT p.environment, g.name, r.name, t.name, m.digest, p.occurred_at, p.event, p.until, p.seq, p.basis,"
    " p.direction, a.name, l.line, CASE WHEN p.basis = 'declared' THEN d.raw END, p.manifest_id, p.previous_seq,"
    " p.environment, p.repository_id FROM publications p JOIN repositories r ON r.id = p.repository_id"
    " JOIN registries g ON g.id = r.registry_id JOIN manifests m ON m.id = p.manifest_id"
    " JOIN lines l ON l.seq = p.seq JOIN entries e ON e.seq = p.seq LEFT JOIN actors a ON a.id = e.actor_id"
    f" LEFT JOIN tags t ON t.id = p.tag_id LEFT JOIN disclosures d ON d.seq = p.seq WHERE {BY_KEY}"
)
# The last that was heard of the manifest itself, of the row `p`, tells whether it was deleted.
LAST_HEARD: Final = (
    "(SELECT e.kind FROM entries e WHERE e.manifest_id = p.manifest_id AND e.kind IN ('push', 'delete')"
    " ORDER BY e.seq DESC LIMIT 1)"
)
_PUBLISHED = (
    f"SELECT g.name, r.name, t.name, m.digest, p.occurred_at, p.until, p.seq, l.line, p.manifest_id, {LAST_HEARD}"
    " FROM publications p JOIN repositories r ON r.id = p.repository_id JOIN registries g ON g.id = r.registry_id"
    " JOIN manifests m ON m.id = p.manifest_id JOIN lines l ON l.seq = p.seq LEFT JOIN tags t ON t.id = p.tag_id"
    " WHERE "
)


def read_deployments(db: Connection, keys: Sequence[Key], releases: Releases) -> list[DeploymentAnswer]:
    """The deployments with these keys, in that order."""
    rows = [db.execute(_DEPLOYMENT, key).fetchone() for key in keys]
    before = [db.execute(_PUBLISHED + _BY_LINE, row[-3:]).fetchone() if row[-3] is not None else None for row in rows]
    releases.load([row[-4] for row in rows] + [row[-2] for row in before if row is not None])
    return [_deployment(row, previous, releases) for row, previous in zip(rows, before, strict=True)]


def find_published(db: Connection, key: Key, releases: Releases, *, was_rolled_back: bool) -> Published:
    """The deployment with this key, as one to roll back to."""
    return read_published(db.execute(_PUBLISHED + BY_KEY, key).fetchone(), releases, was_rolled_back=was_rolled_back)


def _deployment(row: Row, previous: Row | None, releases: Releases) -> DeploymentAnswer:
    *plain, line, raw, manifest_id, _, _, _ = row
    environment, registry, repository, tag, digest, occurred_at, event, until, seq, basis, direction, actor = plain
    entry = read_line(line)
    went_back = direction == "back"
    return DeploymentAnswer(
        environment=environment,
        registry=registry,
        repository=repository,
        tag=tag,
        digest=digest,
        occurred_at=occurred_at,
        event=event,
        until=until,
        seq=seq,
        basis=basis,
        direction=direction,
        host=entry.host,
        actor=actor,
        assurance=entry.actor_assurance,
        change=entry.change,
        note=read_note(raw),
        release_then=releases.at(manifest_id, occurred_at),
        release_now=releases.now(manifest_id),
        previous=None if previous is None else read_published(previous, releases, was_rolled_back=went_back),
    )


def read_published(row: Row, releases: Releases, *, was_rolled_back: bool) -> Published:
    """What a row tells: names, digest, interval and line, the manifest's id, and what was last heard of it."""
    registry, repository, tag, digest, occurred_at, until, seq, line, manifest_id, last_heard = row
    return Published(
        registry=registry,
        repository=repository,
        tag=tag,
        digest=digest,
        occurred_at=occurred_at,
        until=until,
        seq=seq,
        host=read_line(line).host,
        release_then=releases.at(manifest_id, occurred_at),
        release_now=releases.now(manifest_id),
        was_rolled_back=was_rolled_back,
        was_deleted=last_heard == "delete",
    )
