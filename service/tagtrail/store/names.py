"""Names as numbers: each registry, repository, tag, digest and actor is stored once and referred to by its id."""

from tagtrail.store.database import Connection
from tagtrail.trail.moves import Moment

_REMEMBERED = 20_000  # ids kept in memory by each process


class Names:
    """Finds or gives ids inside a write transaction, and remembers those it found: an id never changes.

    What it remembers is wrong after a transaction that was rolled back.
    """

    def __init__(self) -> None:
        self._ids: dict[tuple[str, ...] | tuple[int, str], int] = {}

    def registry_id(self, tx: Connection, name: str) -> int:
        """The id of a registry by its name in our configuration."""
        return self._id(
            tx,
            ("r", name),
            "SELECT id FROM registries WHERE name = ?",
            "INSERT INTO registries (name) VALUES (?)",
            name,
        )

    def repository_id(self, tx: Connection, registry: str, name: str) -> int:
        """The id of a registry's repository."""
        key = ("n", registry, name)
        if (known := self._ids.get(key)) is not None:
            return known
        return self._id(
            tx,
            key,
            "SELECT id FROM repositories WHERE registry_id = ? AND name = ?",
            "INSERT INTO repositories (registry_id, name) VALUES (?, ?)",
            self.registry_id(tx, registry),
            name,
        )

    def tag_id(self, tx: Connection, repository_id: int, name: str, *, first: Moment) -> int:
        """The id of a repository's tag; a new tag points to nothing yet, and `first` is what it was named by."""
        key = (repository_id, name)
        if (known := self._ids.get(key)) is not None:
            return known
        row = tx.execute("SELECT id FROM tags WHERE repository_id = ? AND name = ?", key).fetchone()
        if row is None:
            added = tx.execute(
                "INSERT INTO tags (repository_id, name, occurred_at, event) VALUES (?, ?, ?, ?)",
                (*key, first.occurred_at, first.event),
            )
            return self._remember(key, added.lastrowid)
        return self._remember(key, row[0])

    def actor_id(self, tx: Connection, name: str) -> int:
        """The id of whoever is said to have done something."""
        return self._id(
            tx, ("a", name), "SELECT id FROM actors WHERE name = ?", "INSERT INTO actors (name) VALUES (?)", name
        )

    def _id(self, tx: Connection, key: tuple[str, ...], find: str, add: str, *values: str | int) -> int:
        if (known := self._ids.get(key)) is not None:
            return known
        row = tx.execute(find, values).fetchone()
        return self._remember(key, row[0] if row else tx.execute(add, values).lastrowid)

    def _remember(self, key: tuple[str, ...] | tuple[int, str], found: int | None) -> int:
        if found is None:
            raise LookupError(f"no id was given for {key}")
        if len(self._ids) >= _REMEMBERED:
            self._ids.clear()
        self._ids[key] = found
        return found


def manifest_id(tx: Connection, repository_id: int, digest: str) -> int:
    """The id of a digest in a repository, whether or not it was ever pushed there as a manifest."""
    row = tx.execute(
        "SELECT id FROM manifests WHERE digest = ? AND repository_id = ?", (digest, repository_id)
    ).fetchone()
    if row:
        return int(row[0])
    added = tx.execute("INSERT INTO manifests (repository_id, digest) VALUES (?, ?)", (repository_id, digest))
    return int(added.lastrowid or 0)


def pushed_manifest_id(
    tx: Connection, repository_id: int, digest: str, *, media_type: str | None, size: int | None, seq: int
) -> tuple[int, bool]:
    """The id of a manifest that the line `seq` saw pushed, and whether nothing had named it before.

    Its first push is what is remembered of it.
    """
    added = tx.execute(
        "INSERT INTO manifests (repository_id, digest, media_type, size, pushed_seq) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (digest, repository_id) DO NOTHING",
        (repository_id, digest, media_type, size, seq),
    )
    if added.rowcount:
        return int(added.lastrowid or 0), True
    known, pushed_seq = tx.execute(
        "SELECT id, pushed_seq FROM manifests WHERE digest = ? AND repository_id = ?", (digest, repository_id)
    ).fetchone()
    if pushed_seq is None:
        tx.execute(
            "UPDATE manifests SET media_type = ?, size = ?, pushed_seq = ? WHERE id = ?", (media_type, size, seq, known)
        )
    return int(known), False
