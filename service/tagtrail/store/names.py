"""Names as numbers: each registry, repository, tag, digest and actor is stored once and referred to by its id."""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from tagtrail.errors import BadParameter, NotRecorded
from tagtrail.store.database import Connection
from tagtrail.store.query import Filter
from tagtrail.store.series import marks
from tagtrail.trail.moves import Moment
from tagtrail.trail.names import is_digest, is_repository, is_tag
from tagtrail.trail.patterns import REPOSITORY_ALPHABET, compile_glob

_REMEMBERED = 20_000  # ids kept in memory by each process


class Names:
    """Finds or creates ids inside a write transaction and caches them: an id never changes.

    The cache is invalid after a rollback.
    """

    def __init__(self) -> None:
        self._ids: dict[tuple[str, ...] | tuple[int, str], int] = {}

    def registry_id(self, tx: Connection, name: str) -> int:
        """The id of a registry by its configured name."""
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
        """The id of an actor."""
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
    """The id of a manifest that the line `seq` pushed, and whether it was unknown before.

    Only its first push is stored.
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


# From the names in a filter to the store's ids, and from a tag's id to its names.


_EVERYTHING: Final = "**"
_PREFIX = re.compile(r"[a-z0-9]+(?:[+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]*", re.ASCII)
_AFTER_ALL = "~"  # sorts after every character of a digest
_FIRST_READ = 64  # repositories read at a time, growing to
_LARGEST_READ = 1_024


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository with its registry's name."""

    id: int
    registry: str
    name: str


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag that some line named, in its repository."""

    id: int
    name: str
    repository: Repository


def is_glob(repository: str) -> bool:
    """Whether the text is a pattern rather than a repository's name."""
    return any(sign in repository for sign in "*?[")


def find_registry_id(db: Connection, name: str) -> int | None:
    """The id of a registry that has any lines."""
    row = db.execute("SELECT id FROM registries WHERE name = ?", (name,)).fetchone()
    return int(row[0]) if row else None


def find_actor_id(db: Connection, name: str) -> int | None:
    """The id of an actor by the exact name."""
    row = db.execute("SELECT id FROM actors WHERE name = ?", (name,)).fetchone()
    return int(row[0]) if row else None


def iterate_repositories(
    db: Connection, filters: Filter, *, start: tuple[str, str] = ("", ""), having: str = "1", values: Sequence[str] = ()
) -> Iterator[Repository]:
    """The repositories that match the filter, by registry and name, from the pair `start` on.

    `having` is a further condition on the row `r`. Raises BadParameter for a text that is neither name nor glob.
    """
    condition, pattern = _name_condition(filters.repository)
    registries = db.execute("SELECT id, name FROM registries WHERE name >= ? ORDER BY name", (start[0],)).fetchall()
    for registry_id, registry in registries:
        if filters.registry not in (None, registry):
            continue
        least: str | None = start[1] if registry == start[0] else ""
        relation, size = ">=", _FIRST_READ
        while least is not None:
            rows = db.execute(
                f"SELECT r.id, r.name FROM repositories r WHERE r.registry_id = ? AND r.name {relation} ?"
                f" AND {condition} AND {having} ORDER BY r.name LIMIT ?",
                (registry_id, least, pattern, *values, size),
            ).fetchall()
            for repository_id, name in rows:
                if _matches(filters.repository, name):
                    yield Repository(repository_id, registry, name)
            least, relation = (rows[-1][1] if len(rows) == size else None), ">"
            size = min(size * 4, _LARGEST_READ)


def find_repositories(db: Connection, filters: Filter) -> list[Repository]:
    """All repositories that the filter asks for."""
    return list(iterate_repositories(db, filters))


def get_repository(db: Connection, filters: Filter) -> Repository | None:
    """The one repository of that exact name. Raises BadParameter when several registries have it."""
    if filters.repository is None or is_glob(filters.repository):
        raise BadParameter("repository", "name one repository, such as team/app")
    found = find_repositories(db, filters)
    if len(found) > 1:
        registries = ", ".join(repository.registry for repository in found)
        raise BadParameter("registry", f"{filters.repository} is in several registries: {registries}; name one of them")
    return found[0] if found else None


def restricts_repositories(filters: Filter) -> bool:
    """Whether the filter leaves any repository out by its name."""
    return filters.repository not in (None, _EVERYTHING)


def find_tag_ids(db: Connection, tag: str, repositories: Sequence[Repository] | None) -> list[int]:
    """The ids of all tags of this name, in the given repositories or (None) in all."""
    if not is_tag(tag):
        raise BadParameter("tag", f"{tag[:80]!r} is not a tag")
    if repositories is None:
        rows = db.execute(
            "SELECT t.id FROM repositories r CROSS JOIN tags t ON t.repository_id = r.id AND t.name = ?", (tag,)
        ).fetchall()
        return [int(row[0]) for row in rows]
    found = (
        db.execute("SELECT id FROM tags WHERE repository_id = ? AND name = ?", (repository.id, tag)).fetchone()
        for repository in repositories
    )
    return [int(row[0]) for row in found if row]


def find_tag_ids_in(db: Connection, repositories: Iterable[Repository]) -> tuple[int, ...]:
    """The ids of all tags of these repositories."""
    return tuple(
        tag_id
        for repository in repositories
        for (tag_id,) in db.execute("SELECT id FROM tags WHERE repository_id = ?", (repository.id,))
    )


def find_tags_of(db: Connection, tag_ids: Collection[int]) -> dict[int, Tag]:
    """The tags with these ids."""
    rows = db.execute(
        "SELECT t.id, t.name, r.id, g.name, r.name FROM tags t JOIN repositories r ON r.id = t.repository_id"
        f" JOIN registries g ON g.id = r.registry_id WHERE t.id IN ({marks(tag_ids)})",
        tuple(tag_ids),
    )
    return {tag_id: Tag(tag_id, name, Repository(*place)) for tag_id, name, *place in rows}


def get_tag(db: Connection, filters: Filter) -> Tag:
    """The one tag that the filter names. Raises BadParameter and NotRecorded."""
    if filters.tag is None:
        raise BadParameter("tag", "name the tag")
    repository = get_repository(db, filters)
    if repository is None:
        raise NotRecorded(f"no repository {filters.repository} is recorded")
    found = find_tag_ids(db, filters.tag, [repository])
    if not found:
        raise NotRecorded(f"no tag {filters.tag} is recorded in {filters.repository}")
    return Tag(found[0], filters.tag, repository)


def find_digest(db: Connection, text: str) -> str | None:
    """The one digest that equals or begins with the text. Raises BadParameter for several, and for an invalid text."""
    if is_digest(text):
        return text
    prefix = text if ":" in text else f"sha256:{text}"
    if not _PREFIX.fullmatch(prefix) or len(prefix) > 255:
        raise BadParameter("digest", f"{text[:80]!r} is not a digest or the beginning of one, such as sha256:5208e615")
    rows = db.execute(
        "SELECT DISTINCT digest FROM manifests WHERE digest >= ? AND digest < ? ORDER BY digest LIMIT 4",
        (prefix, prefix + _AFTER_ALL),
    ).fetchall()
    if len(rows) > 1:
        some = ", ".join(row[0] for row in rows[:3])
        raise BadParameter(
            "digest", f"{text!r} begins several digests ({some}{', ...' if rows[3:] else ''}): write more"
        )
    return str(rows[0][0]) if rows else None


def find_manifest_ids(db: Connection, digest: str, repositories: Sequence[Repository] | None = None) -> list[int]:
    """The ids of a digest, whole or the beginning of one, in the given repositories or (None) in all."""
    rows = db.execute(
        "SELECT id, repository_id FROM manifests WHERE digest = ? ORDER BY id", (find_digest(db, digest) or "",)
    )
    within = None if repositories is None else {repository.id for repository in repositories}
    return [identity for identity, repository_id in rows if within is None or repository_id in within]


def _name_condition(repository: str | None) -> tuple[str, str]:
    """A condition on `r.name`, with its value, that every wanted name satisfies. Raises BadParameter."""
    if repository is None or is_glob(repository):
        return "r.name LIKE ? ESCAPE '\\'", _widen(repository or _EVERYTHING)
    if not is_repository(repository):
        raise BadParameter("repository", f"{repository[:80]!r} is neither a repository's name nor a glob")
    return "r.name = ?", repository


def _widen(glob: str) -> str:
    """A LIKE pattern that matches at least the texts that the glob matches."""
    try:
        compile_glob(glob, alphabet=REPOSITORY_ALPHABET)
    except ValueError as error:
        raise BadParameter("repository", f"{glob[:80]!r} {error}") from error
    widened = re.sub(r"\[[^]]*\]", "?", glob).replace("**/", "*").replace("_", "\\_")
    return widened.replace("*", "%").replace("?", "_")


@lru_cache(maxsize=20_000)
def _matches(repository: str | None, name: str) -> bool:
    if repository is None or not is_glob(repository):
        return repository in (None, name)
    return repository == _EVERYTHING or compile_glob(repository, alphabet=REPOSITORY_ALPHABET).matches(name)
