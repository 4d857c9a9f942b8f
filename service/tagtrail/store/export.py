"""Reads the contents of an export bundle in pages: matching lines, their bytes and their disclosures.

The queries depend on the lines alone, never on the present trail, so a bundle of the first N lines is the same
regardless of later lines.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from tagtrail.store.database import Connection
from tagtrail.store.lines import StoredLine
from tagtrail.store.publications import Place
from tagtrail.store.query import Filter
from tagtrail.store.series import marks
from tagtrail.trail.deployments import Publication
from tagtrail.trail.moves import Moment

_AFTER_ALL = "~"  # sorts after every character of a digest
_OF_A_REGISTRY = "('push', 'delete', 'observed', 'registry', 'quarantined')"  # kinds of lines caused by a registry
_OF_LIFE = "('started', 'stopped')"
_REPOSITORIES_READ = 200  # at a time
_MOST_BYTES = 16_000_000  # of disclosures read at a time


@dataclass(frozen=True, slots=True)
class Candidate:
    """A line about a repository; `environment` is that of a declared deployment."""

    seq: int
    kind: str
    registry: str
    repository: str
    tag: str | None
    environment: str | None


@dataclass(frozen=True, slots=True)
class Disclosed:
    """The disclosures of a line that were not erased."""

    seq: int
    who: bytes | None
    raw: bytes | None


@dataclass(frozen=True, slots=True)
class Seen:
    """An earlier line and its time by our clock."""

    seq: int
    kind: str
    received_at: int


@dataclass(frozen=True, slots=True)
class PublishingTag:
    """A tag of a repository, by its id and its name."""

    id: int
    name: str


@dataclass(frozen=True, slots=True)
class StoredRepository:
    """A repository by its id and its names."""

    id: int
    registry: str
    name: str


def find_plain(db: Connection, first: int, end: int) -> list[int]:
    """The lines from `first` to before `end` that belong to no repository."""
    rows = db.execute(
        "SELECT seq FROM entries NOT INDEXED WHERE seq >= ? AND seq < ? AND repository_id IS NULL", (first, end)
    )
    return [seq for (seq,) in rows]


def find_pruned(db: Connection, first: int, end: int) -> list[int]:
    """The pruned lines of this part: only their leaf hashes are kept."""
    rows = db.execute("SELECT seq FROM pruned_leaves WHERE seq >= ? AND seq < ?", (first, end))
    return [seq for (seq,) in rows]


def find_candidates(db: Connection, first: int, end: int, filters: Filter) -> list[Candidate]:
    """The lines of this part about a repository that match the filter, apart from globs and environments.

    A shortened digest matches every digest with that beginning.
    """
    prefix = None if filters.digest is None else filters.digest if ":" in filters.digest else f"sha256:{filters.digest}"
    conditions: dict[str, tuple[str | None, ...]] = {
        "g.name = ?": (filters.registry,),
        "t.name = ?": (filters.tag,),
        "e.kind = ?": (filters.kind,),
        "m.digest >= ? AND m.digest < ?": (prefix, f"{prefix}{_AFTER_ALL}") if prefix else (None,),
    }
    wanted = {sql: values for sql, values in conditions.items() if values[0] is not None}
    rows = db.execute(
        "SELECT e.seq, e.kind, g.name, r.name, t.name, CASE WHEN e.kind = 'deployment' THEN"
        " (SELECT environment FROM publications WHERE seq = e.seq AND basis = 'declared') END"
        " FROM entries e NOT INDEXED CROSS JOIN repositories r ON r.id = e.repository_id"
        " CROSS JOIN registries g ON g.id = r.registry_id LEFT JOIN tags t ON t.id = e.tag_id"
        " LEFT JOIN manifests m ON m.id = e.manifest_id"
        f" WHERE e.seq >= ? AND e.seq < ? AND {' AND '.join(wanted) or '1'}",
        (first, end, *(value for values in wanted.values() for value in values)),
    )
    return [Candidate(*row) for row in rows]


def read_lines(db: Connection, first: int, end: int) -> list[tuple[int, bytes]]:
    """The lines of this part that are kept, by seq."""
    return db.execute("SELECT seq, line FROM lines WHERE seq >= ? AND seq < ? ORDER BY seq", (first, end)).fetchall()


def read_disclosures(db: Connection, first: int, end: int) -> list[Disclosed]:
    """The disclosures of the lines of this part, by seq: at least one line, and fewer lines if they are large."""
    rows = db.execute(
        "SELECT seq, who, raw FROM disclosures WHERE seq >= ? AND seq < ? AND (who IS NOT NULL OR raw IS NOT NULL)"
        " ORDER BY seq",
        (first, end),
    )
    found: list[Disclosed] = []
    size = 0
    for seq, who, raw in rows:
        found.append(Disclosed(seq, who, raw))
        size += len(who or b"") + len(raw or b"")
        if size > _MOST_BYTES:  # a quarantined body may be as large as a request
            break
    return found


def read_persons(db: Connection, first: int, end: int) -> dict[int, bytes]:
    """The persons in the disclosures of the lines of this part, by seq."""
    rows = db.execute("SELECT seq, who FROM disclosures WHERE seq >= ? AND seq < ? AND who IS NOT NULL", (first, end))
    return dict(rows.fetchall())


def read_kinds(db: Connection, first: int, end: int) -> list[tuple[int, str]]:
    """The kind of each line of this part."""
    return db.execute("SELECT seq, kind FROM entries WHERE seq >= ? AND seq < ?", (first, end)).fetchall()


def read_plain(db: Connection, first: int, end: int) -> list[bytes]:
    """The lines of this part that belong to no repository, by seq."""
    rows = db.execute(
        "SELECT line FROM entries e NOT INDEXED CROSS JOIN lines USING (seq)"
        " WHERE e.seq >= ? AND e.seq < ? AND repository_id IS NULL ORDER BY seq",
        (first, end),
    )
    return [line for (line,) in rows]


def find_last_of_life(db: Connection, *, before: int) -> Seen | None:
    """The service's last start or stop before this line."""
    row = db.execute(
        f"SELECT seq, kind, received_at FROM entries WHERE seq < ? AND kind IN {_OF_LIFE} AND kind <> 'push'"
        " ORDER BY seq DESC LIMIT 1",
        (before,),
    ).fetchone()
    return Seen(*row) if row else None


def find_last_alive(db: Connection, *, before: int) -> Seen | None:
    """The last line before this one that only a running service writes: a registry's event or its own start."""
    row = db.execute(
        "SELECT seq, kind, received_at FROM entries NOT INDEXED"
        f" WHERE seq < ? AND (kind IN {_OF_A_REGISTRY} OR kind IN {_OF_LIFE}) ORDER BY seq DESC LIMIT 1",
        (before,),
    ).fetchone()
    return Seen(*row) if row else None


def find_last_heard(db: Connection, registry: str, *, before: int) -> Seen | None:
    """The last line before this one that the registry caused."""
    row = db.execute(
        "SELECT seq, kind, received_at FROM entries WHERE registry_id = (SELECT id FROM registries WHERE name = ?)"
        f" AND seq < ? AND kind IN {_OF_A_REGISTRY} ORDER BY seq DESC LIMIT 1",
        (registry, before),
    ).fetchone()
    return Seen(*row) if row else None


def iterate_of_registry(db: Connection, registry: str, first: int, end: int) -> Iterator[int]:
    """The lines of this part that name the registry, by seq, read lazily."""
    rows = db.execute(
        "SELECT seq FROM entries WHERE registry_id = (SELECT id FROM registries WHERE name = ?)"
        " AND seq >= ? AND seq < ? ORDER BY seq",
        (registry, first, end),
    )
    return (seq for (seq,) in rows)


def find_gap_closed(db: Connection, registry: str | None, first: int, end: int) -> int | None:
    """When the first line of this part that closes a gap of the registry was written, by our clock."""
    row = db.execute(
        "SELECT received_at FROM entries WHERE kind = 'gap_closed' AND kind <> 'push'"
        " AND registry_id IS (SELECT id FROM registries WHERE name = ?) AND seq >= ? AND seq < ? ORDER BY seq LIMIT 1",
        (registry, first, end),
    ).fetchone()
    return int(row[0]) if row else None


def find_registries_heard(db: Connection, *, size: int) -> list[str]:
    """The registries that any of the first `size` lines names."""
    rows = db.execute(
        "SELECT name FROM registries g WHERE EXISTS (SELECT 1 FROM entries WHERE registry_id = g.id AND seq < ?)"
        " ORDER BY name",
        (size,),
    )
    return [name for (name,) in rows]


def find_repositories_of_lines(
    db: Connection, first: int, end: int, *, after: tuple[str, str] = ("", "")
) -> list[StoredRepository]:
    """Some repositories to which lines of this part belong, by registry and name, after the pair; none at the end."""
    rows = db.execute(
        "SELECT r.id, g.name, r.name FROM registries g CROSS JOIN repositories r ON r.registry_id = g.id"
        " WHERE g.name >= ? AND (g.name, r.name) > (?, ?)"
        " AND EXISTS (SELECT 1 FROM entries WHERE repository_id = r.id AND seq >= ? AND seq < ?)"
        " ORDER BY g.name, r.name LIMIT ?",
        (after[0], *after, first, end, _REPOSITORIES_READ),
    )
    return [StoredRepository(*row) for row in rows]


def find_tag(db: Connection, repository_id: int, name: str) -> PublishingTag | None:
    """The repository's tag of this name."""
    row = db.execute("SELECT id, name FROM tags WHERE repository_id = ? AND name = ?", (repository_id, name)).fetchone()
    return PublishingTag(*row) if row else None


def find_tags_pushed(db: Connection, manifests: Collection[int], *, size: int) -> dict[int, list[PublishingTag]]:
    """For each manifest, the tags under which the first `size` lines pushed it, by name."""
    rows = db.execute(
        "SELECT DISTINCT e.manifest_id, t.id, t.name FROM entries e JOIN tags t ON t.id = e.tag_id"
        f" WHERE e.manifest_id IN ({marks(manifests)}) AND e.seq < ? AND e.kind = 'push' ORDER BY t.name",
        (*manifests, size),
    )
    found: dict[int, list[PublishingTag]] = {manifest: [] for manifest in manifests}
    for manifest, tag_id, name in rows:
        found[manifest].append(PublishingTag(tag_id, name))
    return found


def find_declared(db: Connection, place: Place, *, size: int) -> list[Publication[int]]:
    """The deployments that the first `size` lines declared for the environment and repository."""
    rows = db.execute(
        "SELECT occurred_at, event, seq, manifest_id FROM publications"
        " WHERE environment = ? AND repository_id = ? AND basis = 'declared' AND +seq < ?",
        (place.environment, place.repository_id, size),
    )
    return [Publication(Moment(at, event), seq, manifest) for at, event, seq, manifest in rows]


def find_images(db: Connection, seqs: Collection[int]) -> dict[int, tuple[int, int]]:
    """For each of the lines that names both, the ids of its repository and of its manifest."""
    rows = db.execute(
        "SELECT seq, repository_id, manifest_id FROM entries"
        f" WHERE seq IN ({marks(seqs)}) AND repository_id IS NOT NULL AND manifest_id IS NOT NULL",
        tuple(seqs),
    )
    return {seq: (repository, manifest) for seq, repository, manifest in rows}


def find_stored(db: Connection, seqs: Collection[int]) -> dict[int, StoredLine]:
    """The kept ones among these lines, with their disclosures."""
    rows = db.execute(
        f"SELECT seq, line, who, raw FROM lines LEFT JOIN disclosures USING (seq) WHERE seq IN ({marks(seqs)})",
        tuple(seqs),
    )
    return {row[0]: StoredLine(*row) for row in rows}


def find_sizes_around(db: Connection, size: int) -> tuple[int, ...]:
    """The nearest signed sizes, at most one below and one above."""
    rows = db.execute(
        "SELECT max(size) FROM checkpoints WHERE size < ? UNION ALL SELECT min(size) FROM checkpoints WHERE size > ?",
        (size, size),
    )
    return tuple(found for (found,) in rows if found is not None)
